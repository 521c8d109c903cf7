#pragma once

#include <git2/oid.h>

#include <array>
#include <cstddef>

namespace checkout {

class Sha1 {
 public:
  Sha1();
  void add(const void* bytes, std::size_t size);
  git_oid finish();

 private:
  alignas(8) std::array<std::byte, 128> state_;
};

}  // namespace checkout
