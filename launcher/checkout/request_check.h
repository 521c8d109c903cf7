// Refusals before anything is touched.
#pragma once

#include "launcher/checkout/checkout.h"

namespace checkout {

base::Result<void> check_request(const Request& request);

}  // namespace checkout
