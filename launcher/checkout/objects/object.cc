#include "launcher/checkout/objects/object.h"

#include <cstdint>

#include "launcher/checkout/objects/sha1.h"

namespace checkout {
namespace {

constexpr std::size_t kObjectBytesMax = std::size_t{4} << 30;  // a damaged size must not ask for all memory

std::optional<std::size_t> take_size(std::string_view& delta) {
  std::size_t value = 0;
  for (unsigned shift = 0; !delta.empty() && shift <= 56; shift += 7) {
    const auto byte = static_cast<unsigned char>(delta.front());
    delta.remove_prefix(1);
    value |= static_cast<std::size_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

// The numbers behind a copy instruction: each set bit of `mask` says that one byte of the number is present.
std::optional<std::size_t> take_parts(std::string_view& delta, unsigned mask, unsigned count) {
  std::size_t value = 0;
  for (unsigned i = 0; i < count; ++i) {
    if ((mask & (1U << i)) == 0) continue;
    if (delta.empty()) return std::nullopt;
    value |= static_cast<std::size_t>(static_cast<unsigned char>(delta.front())) << (8 * i);
    delta.remove_prefix(1);
  }
  return value;
}

}  // namespace

std::string_view name_of_type(git_object_t type) {
  switch (type) {
    case GIT_OBJECT_COMMIT:
      return "commit";
    case GIT_OBJECT_TREE:
      return "tree";
    case GIT_OBJECT_BLOB:
      return "blob";
    case GIT_OBJECT_TAG:
      return "tag";
    default:
      return "object";
  }
}

git_oid id_of_object(const ObjectData& object) {
  std::string header(name_of_type(object.type));
  header += ' ';
  header += std::to_string(object.bytes.size());
  Sha1 hash;
  hash.add(header.c_str(), header.size() + 1);
  hash.add(object.bytes.data(), object.bytes.size());
  return hash.finish();
}

std::optional<std::string> apply_delta(std::string_view base, std::string_view delta) {
  const auto base_size = take_size(delta);
  const auto size = take_size(delta);
  if (!base_size || !size || *base_size != base.size() || *size > kObjectBytesMax) return std::nullopt;
  std::string result;
  result.reserve(*size);
  while (!delta.empty()) {
    const auto instruction = static_cast<unsigned char>(delta.front());
    delta.remove_prefix(1);
    if ((instruction & 0x80) != 0) {
      const auto from = take_parts(delta, instruction & 0x0fU, 4);
      auto length = take_parts(delta, (instruction >> 4) & 0x07U, 3);
      if (!from || !length) return std::nullopt;
      if (*length == 0) length = 0x10000;
      if (*from > base.size() || *length > base.size() - *from) return std::nullopt;
      result += base.substr(*from, *length);
    } else {
      if (instruction == 0 || instruction > delta.size()) return std::nullopt;
      result += delta.substr(0, instruction);
      delta.remove_prefix(instruction);
    }
    if (result.size() > *size) return std::nullopt;
  }
  if (result.size() != *size) return std::nullopt;
  return result;
}

}  // namespace checkout
