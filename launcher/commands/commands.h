// What podlaunch does besides booting: for people, over SSH, next to a run or before one. Each returns its exit status.
#pragma once

#include "launcher/base/waiter.h"
#include "launcher/config/config.h"

namespace commands {

int check(const config::Invocation& invocation, const config::Environment& environment);
int status(const config::Invocation& invocation, const config::Environment& environment);
int explain(const config::Invocation& invocation, const config::Environment& environment, base::Waiter& waiter);
int logs(const config::Invocation& invocation, const config::Environment& environment);
int resume(const config::Invocation& invocation, const config::Environment& environment);
int doctor(const config::Invocation& invocation);
int repair(const config::Invocation& invocation, const config::Environment& environment);

}  // namespace commands
