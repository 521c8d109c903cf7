// The promises that are checked today, one file each.
#pragma once

#include "harness/oracle/oracle.h"

namespace oracle {

Oracle never_loops();
Oracle work_preserved();
Oracle checkout_sound();
Oracle training_resumes();
Oracle completion_sticks();

}  // namespace oracle
