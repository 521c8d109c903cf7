#include "launcher/boot/keeper/frames.h"

#include <cstdint>
#include <cstring>

namespace boot {

static constexpr std::size_t kHeaderSize = 1 + sizeof(std::uint32_t);

void encode(FrameKind kind, std::string_view payload, std::string& onto) {
  const auto size = static_cast<std::uint32_t>(payload.size());
  char header[kHeaderSize] = {static_cast<char>(kind)};
  std::memcpy(header + 1, &size, sizeof size);
  onto.append(header, kHeaderSize);
  onto.append(payload);
}

std::optional<Frame> decode(std::string& bytes) {
  if (bytes.size() < kHeaderSize) return std::nullopt;
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data() + 1, sizeof size);
  if (bytes.size() < kHeaderSize + size) return std::nullopt;
  Frame frame{static_cast<FrameKind>(bytes[0]), bytes.substr(kHeaderSize, size)};
  bytes.erase(0, kHeaderSize + size);
  return frame;
}

}  // namespace boot
