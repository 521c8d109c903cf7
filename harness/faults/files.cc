#include "harness/faults/files.h"

#include <cerrno>
#include <fstream>
#include <iterator>

namespace faults {

namespace fs = std::filesystem;
using base::Result;

Result<std::string> read_file(const fs::path& path) {
  std::error_code error;  // a stream opens folders, too, and throws when it is read
  if (fs::is_directory(path, error)) return base::fail(base::system_error(EISDIR, "read", path.string()));
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return base::fail(base::system_error(errno, "read", path.string()));
  std::string content{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad()) return base::fail(base::system_error(errno, "read", path.string()));
  return content;
}

Result<void> write_file(const fs::path& path, const std::string& content) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return base::fail(base::system_error(error.value(), "make the folder", path.parent_path().string()));
  errno = 0;
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << content;
  stream.close();
  if (!stream) return base::fail(base::system_error(errno, "write", path.string()));
  return {};
}

}  // namespace faults
