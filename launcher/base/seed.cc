#include "launcher/base/seed.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

namespace base {

std::uint64_t seed_from_kernel() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed)) return seed;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_nsec) ^ (static_cast<std::uint64_t>(::getpid()) << 32);
}

}  // namespace base
