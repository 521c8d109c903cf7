#include "launcher/boot/phases/upstream.h"

#include "launcher/base/helper.h"
#include "launcher/boot/phases/phases.h"

namespace boot {

std::string newest_upstream_commit(Boot& boot) {
  checkout::Request request = checkout_request(boot);
  request.network_attempts = 1;  // it is asked again before long
  const auto answer = base::call_helper(boot.waiter, "ask upstream for its newest commit",
                                        std::max(base::Seconds(60), request.network_stall_limit + base::Seconds(5)),
                                        [&] { return checkout::ask_upstream(request).value_or(std::string()); });
  return answer && answer->size() == 40 ? *answer : "";
}

}  // namespace boot
