#include "launcher/checkout/objects/inflate.h"

#include <libdeflate.h>

#include <algorithm>

#include "base/check.h"

namespace checkout {

void Inflater::Free::operator()(libdeflate_decompressor* decompressor) const {
  libdeflate_free_decompressor(decompressor);
}

Inflater::Inflater() : decompressor_(libdeflate_alloc_decompressor()) {
  CHECK(decompressor_ != nullptr);
}

std::optional<std::size_t> Inflater::inflate(std::string_view stream, char* into, std::size_t size) {
  std::size_t taken = 0;
  std::size_t made = 0;
  char nothing = 0;  // an empty object still needs a place to write to
  const auto code = libdeflate_zlib_decompress_ex(decompressor_.get(), stream.data(), stream.size(),
                                                  size > 0 ? into : &nothing, size, &taken, &made);
  if (code != LIBDEFLATE_SUCCESS || made != size) return std::nullopt;
  return taken;
}

std::optional<std::string> Inflater::inflate_all(std::string_view stream, std::size_t size_max) {
  for (std::size_t room = std::max<std::size_t>(256, stream.size() * 4);; room *= 4) {
    std::string contents(std::min(room, size_max), '\0');
    std::size_t taken = 0;
    std::size_t made = 0;
    const auto code = libdeflate_zlib_decompress_ex(decompressor_.get(), stream.data(), stream.size(), contents.data(),
                                                    contents.size(), &taken, &made);
    if (code == LIBDEFLATE_INSUFFICIENT_SPACE && contents.size() < size_max) continue;
    if (code != LIBDEFLATE_SUCCESS || taken != stream.size()) return std::nullopt;
    contents.resize(made);
    return contents;
  }
}

}  // namespace checkout
