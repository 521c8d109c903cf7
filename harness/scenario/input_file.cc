#include "harness/scenario/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace scenario {

base::Result<std::string> read_input(const std::string& path, std::string_view what, std::size_t bytes_max) {
  const std::string operation = fmt::format("read the {}", what);
  const auto refuse = [&](std::string detail, std::string remedy) {
    return base::fail(base::Error{.code = base::ErrorCode::kInvalidInput,
                                  .operation = operation,
                                  .path = path,
                                  .system_errno = 0,
                                  .detail = std::move(detail),
                                  .remedy = std::move(remedy)});
  };
  const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return base::fail(base::system_error(errno, operation, path));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return base::fail(base::system_error(errno, operation, path));
  if (S_ISDIR(status.st_mode)) return refuse("it is a folder", "Name a file in it.");
  if (!S_ISREG(status.st_mode)) return refuse("it is no regular file", "Write it to a file, and name that.");
  const auto too_large = [&] {
    return refuse(fmt::format("it is larger than {} MiB", bytes_max >> 20),
                  fmt::format("Look whether it is a {} at all.", what));
  };
  if (static_cast<std::size_t>(status.st_size) > bytes_max) return too_large();

  // Files below /proc say that they are empty, so it is read until nothing comes any more.
  std::string text;
  std::size_t used = 0;
  while (true) {
    text.resize(std::max<std::size_t>(used + 4096, static_cast<std::size_t>(status.st_size) + 1));
    const ssize_t count = ::read(file.get(), text.data() + used, text.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return base::fail(base::system_error(errno, operation, path));
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
    if (used > bytes_max) return too_large();
  }
  text.resize(used);
  if (text.find('\0') != std::string::npos)
    return refuse("it holds zero bytes, and so is no text", fmt::format("Look whether it is a {} at all.", what));
  return text;
}

}  // namespace scenario
