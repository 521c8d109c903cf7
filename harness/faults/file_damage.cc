#include "harness/faults/file_damage.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "harness/faults/files.h"

namespace faults {

namespace fs = std::filesystem;
using scenario::FileDamageKind;

static base::Result<std::string> choose(const std::string& pattern, const scenario::FileDamage& damage) {
  glob_t found{};
  const int answer = ::glob(pattern.c_str(), GLOB_PERIOD, nullptr, &found);
  std::string chosen;
  if (answer == 0) chosen = found.gl_pathv[damage.last ? found.gl_pathc - 1 : 0];
  ::globfree(&found);
  if (!chosen.empty()) return chosen;
  return base::fail(base::Error{.code = base::ErrorCode::kNotFound,
                                .operation = "damage",
                                .path = damage.path,
                                .system_errno = 0,
                                .detail = "there is no such file at this moment",
                                .remedy = "Choose a later moment, or another path"});
}

static std::string with_hole(std::string content) {
  const std::size_t length = std::max<std::size_t>(1, content.size() / 3);
  if (!content.empty())
    content.replace(content.size() / 3, std::min(length, content.size() - content.size() / 3), length, '\0');
  return content;
}

static base::Result<void> rewrite(const std::string& path, FileDamageKind kind) {
  auto content = read_file(path);
  if (!content) return base::fail(content.error());
  switch (kind) {
    case FileDamageKind::kTear:
      content->resize(content->size() / 2);
      break;
    case FileDamageKind::kZero:
      std::ranges::fill(*content, '\0');
      break;
    case FileDamageKind::kHole:
      content = with_hole(std::move(*content));
      break;
    default:
      content->append("\x13\x37garbage\xff\xfe{\"");
      break;
  }
  return write_file(path, *content);
}

base::Result<std::string> damage_file(const std::string& pattern, const scenario::FileDamage& damage) {
  auto path = choose(pattern, damage);
  if (!path) return path;
  std::error_code code;
  switch (damage.kind) {
    case FileDamageKind::kDelete:
      fs::remove_all(*path, code);
      break;
    case FileDamageKind::kFolder:
      fs::remove_all(*path, code);
      if (!code) fs::create_directory(*path, code);
      break;
    case FileDamageKind::kMode:
      if (::chmod(path->c_str(), damage.mode) != 0) code.assign(errno, std::generic_category());
      break;
    default:
      if (auto done = rewrite(*path, damage.kind); !done) return base::fail(done.error());
  }
  if (code) return base::fail(base::system_error(code.value(), "damage", *path));
  return path;
}

}  // namespace faults
