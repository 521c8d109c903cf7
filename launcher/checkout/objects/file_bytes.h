// A whole file as bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace checkout {

// The place of a mapping in memory, unmapped at the end.
class Mapping {
 public:
  Mapping() = default;
  // The file behind `fd`; empty when it cannot be mapped. A later read error of the disk ends this process by SIGBUS:
  // only for files that were just read through.
  Mapping(int fd, std::size_t size);
  ~Mapping();
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;

  std::string_view view() const { return {bytes_, size_}; }

 private:
  const char* bytes_ = nullptr;
  std::size_t size_ = 0;
};

// Reads a regular file, links not followed; nullopt when it cannot be read to its end.
std::optional<std::string> read_whole(const std::filesystem::path& path);

}  // namespace checkout
