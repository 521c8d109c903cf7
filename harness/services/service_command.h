// `simrun service KIND …`: a service of a world, as a process of its own. Only simrun itself starts it.
#pragma once

#include <string>
#include <vector>

namespace services {

// Serves until it is ended from outside; an exit status when it cannot.
int run_service(const std::vector<std::string>& words);

}  // namespace services
