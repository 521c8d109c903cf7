#include "launcher/base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/unique_fd.h"

namespace base {

static Result<UniqueFd> open_regular(const std::string& path) {
  // O_NONBLOCK: a fifo that lies where a file is expected must not block us.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail(system_error(errno, "open", path));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail(system_error(errno, "look at", path));
  if (!S_ISREG(status.st_mode)) {
    Error error = system_error(EINVAL, "read", path);
    error.detail = "not a regular file";
    return fail(error);
  }
  return fd;
}

static Result<std::string> read_up_to(int fd, std::size_t bytes_max, const std::string& path) {
  std::string content;
  char buffer[16384];
  while (content.size() < bytes_max) {
    const std::size_t wanted = std::min(sizeof buffer, bytes_max - content.size());
    const ssize_t count = ::read(fd, buffer, wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error(errno, "read", path));
    if (count == 0) break;
    content.append(buffer, static_cast<std::size_t>(count));
  }
  return content;
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  auto fd = open_regular(path);
  if (!fd) return fail(fd.error());
  return read_up_to(fd->get(), bytes_max, path);
}

Result<std::string> read_file_end(const std::string& path, std::size_t bytes_max) {
  auto fd = open_regular(path);
  if (!fd) return fail(fd.error());
  const off_t size = ::lseek(fd->get(), 0, SEEK_END);
  if (size < 0) return fail(system_error(errno, "seek in", path));
  const off_t start = size > static_cast<off_t>(bytes_max) ? size - static_cast<off_t>(bytes_max) : 0;
  if (::lseek(fd->get(), start, SEEK_SET) < 0) return fail(system_error(errno, "seek in", path));
  return read_up_to(fd->get(), bytes_max, path);
}

static void sync_folder(const std::string& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some network file systems refuse to sync a folder; the rename has happened all the same.
  if (fd.valid()) (void)::fsync(fd.get());
}

Result<void> write_file_durably(const std::string& path, std::string_view content) {
  const std::string beside = fmt::format("{}.new.{}", path, ::getpid());
  UniqueFd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return fail(system_error(errno, "create", beside));
  if (!write_all(fd.get(), content) || ::fsync(fd.get()) != 0) {
    const int saved_errno = errno;
    (void)::unlink(beside.c_str());
    return fail(system_error(saved_errno, "write", path));
  }
  fd.reset();
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    const int saved_errno = errno;
    (void)::unlink(beside.c_str());
    return fail(system_error(saved_errno, "replace", path));
  }
  sync_folder(std::filesystem::path(path).parent_path().string());
  return {};
}

Result<void> make_folders(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) return fail(system_error(code.value(), "create the folder", path));
  return {};
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace base
