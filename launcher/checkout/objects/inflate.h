#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct libdeflate_decompressor;

namespace checkout {

// One a thread. zlib streams whose size is known beforehand, as git's always is.
class Inflater {
 public:
  Inflater();
  // Fills exactly `size` bytes at `into`; returns how many bytes of `stream` that took, nullopt when it is damaged.
  std::optional<std::size_t> inflate(std::string_view stream, char* into, std::size_t size);
  // The same for a stream that is all of `stream`, of a size that is not known but at most `size_max`.
  std::optional<std::string> inflate_all(std::string_view stream, std::size_t size_max);

 private:
  struct Free {
    void operator()(libdeflate_decompressor* decompressor) const;
  };
  std::unique_ptr<libdeflate_decompressor, Free> decompressor_;
};

}  // namespace checkout
