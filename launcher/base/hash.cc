#include "launcher/base/hash.h"

#include <fmt/format.h>

namespace base {

Hash& Hash::add(std::string_view part) {
  const auto mix = [this](unsigned char byte) {
    value_ ^= byte;
    value_ *= 0x100000001b3ULL;
  };
  for (const char letter : part) mix(static_cast<unsigned char>(letter));
  for (std::size_t rest = part.size(), i = 0; i < sizeof rest; ++i, rest >>= 8) {
    mix(static_cast<unsigned char>(rest & 0xff));
  }
  return *this;
}

std::string Hash::hex() const {
  return fmt::format("{:016x}", value_);
}

}  // namespace base
