// The one generator of seeded numbers: SplitMix64, whose whole state is one number. Integers only, so that a seed means
// the same on every machine.
#pragma once

#include <cstdint>

namespace base {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }
  // Below `bound`, which is not 0. The bias is that of a remainder: nothing here is a game of chance.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  // True `parts` times of `of`.
  bool chance(std::uint64_t parts, std::uint64_t of) { return below(of) < parts; }

 private:
  std::uint64_t state_;
};

}  // namespace base
