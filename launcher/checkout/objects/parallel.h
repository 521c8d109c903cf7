#pragma once

#include <cstddef>
#include <functional>

namespace checkout {

// Calls work(0) … work(count - 1) on as many threads as there are processors and waits for all of them.
void in_parallel(std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace checkout
