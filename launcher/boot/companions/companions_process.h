#pragma once

#include <string>
#include <vector>

namespace boot {

// In a new child: keeps the commands running until `alive` is closed at its other end. A command that ends is started
// again, after a wait that doubles from a second to five minutes and is forgotten when it lived for ten. One that ends
// with 0 and leaves processes behind has gone to the background: it is started again when those are gone.
[[noreturn]] void watch_companions(const std::vector<std::string>& commands, int alive);

}  // namespace boot
