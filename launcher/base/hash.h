#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace base {

// FNV-1a, 64 bits: tells inputs apart that nobody forges. Parts are delimited, so {"ab","c"} differs from {"a","bc"}.
class Hash {
 public:
  Hash& add(std::string_view part);
  std::string hex() const;  // 16 digits

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace base
