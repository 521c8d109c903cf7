#include "launcher/checkout/git/library.h"

#include <git2/sys/repository.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>

#include "launcher/checkout/git/own_reader.h"

namespace checkout {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

base::ErrorCode network_code(std::string_view message) {
  // libgit2 has one class for everything a server may say; only the words tell the cases apart.
  for (const std::string_view refused :
       {"status code: 401", "status code: 403", "authentication", "credential", "redirects or auth", "known_hosts"}) {
    if (contains(message, refused)) return base::ErrorCode::kAuthentication;
  }
  for (const std::string_view absent : {"status code: 404", "status code: 410", "not found", "does not exist",
                                        "Not Found", "does not appear to be a git"}) {
    if (contains(message, absent)) return base::ErrorCode::kNotFound;
  }
  return base::ErrorCode::kNetwork;
}

base::ErrorCode code_of(int code, int category, std::string_view message) {
  if (contains(message, "No space left") || contains(message, "quota exceeded")) return base::ErrorCode::kNoSpace;
  if (contains(message, "Permission denied") || contains(message, "Read-only file system")) {
    return base::ErrorCode::kNotPermitted;
  }
  if (contains(message, "File name too long")) return base::ErrorCode::kUnsupported;
  if (code == GIT_EAUTH) return base::ErrorCode::kAuthentication;
  if (code == GIT_ELOCKED) return base::ErrorCode::kBusy;
  if (code == GIT_ECERTIFICATE) return base::ErrorCode::kAuthentication;
  switch (category) {
    case GIT_ERROR_NET:
    case GIT_ERROR_HTTP:
    case GIT_ERROR_SSH:
      return network_code(message);
    case GIT_ERROR_SSL:
      return contains(message, "certificate") ? base::ErrorCode::kAuthentication : base::ErrorCode::kNetwork;
    default:
      break;
  }
  if (code == GIT_ENOTFOUND) return base::ErrorCode::kNotFound;
  if (code == GIT_EEXISTS) return base::ErrorCode::kAlreadyExists;
  if (code == GIT_EINVALIDSPEC) return base::ErrorCode::kInvalidInput;
  if (contains(message, "unsupported extension") || contains(message, "unsupported repository version")) {
    return base::ErrorCode::kUnsupported;
  }
  return base::ErrorCode::kDamaged;
}

// Where the error alone tells what to do; whoever knows more says more.
std::string remedy_of(base::ErrorCode code, std::string_view message) {
  if (contains(message, "File name too long")) return "No file system here takes such a name: shorten it upstream.";
  if (code == base::ErrorCode::kNoSpace) return "Free some space or enlarge the disk.";
  if (code == base::ErrorCode::kNotPermitted) return "Let this user write there, or mount the disk writable.";
  return {};
}

}  // namespace

bool home_is_open() {
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return false;
  for (const char* name : {"/.gitconfig", "/.config/git/config"}) {
    if (::access((std::string(home) + name).c_str(), R_OK) != 0 && errno == EACCES) return false;
  }
  return true;
}

void start_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    git_libgit2_init();
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    if (home_is_open()) return;
    git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, "/nonexistent");
    git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_XDG, "/nonexistent");
  });
}

base::Result<void> trust_certificates(const std::filesystem::path& bundle) {
  start_library();
  const int code = git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, bundle.c_str(), nullptr);
  if (code < 0) return base::fail(library_error(code, "read the certificate bundle", bundle));
  return {};
}

base::Error library_error(int code, std::string operation, std::string path) {
  const git_error* last = git_error_last();
  base::Error error;
  const std::string_view message = last != nullptr && last->message != nullptr ? last->message : "no further detail";
  error.code = code_of(code, last != nullptr ? last->klass : GIT_ERROR_NONE, message);
  error.operation = std::move(operation);
  error.path = std::move(path);
  error.detail = message;
  error.remedy = remedy_of(error.code, message);
  return error;
}

base::Result<Repository> open_repository(const std::filesystem::path& git_folder,
                                         const std::filesystem::path& work_tree) {
  start_library();
  git_repository* opened = nullptr;
  int code = git_repository_open_ext(&opened, git_folder.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
  if (code < 0) return base::fail(library_error(code, "open the repository", git_folder));
  Repository repository(opened);
  code = git_repository_set_workdir(repository.get(), work_tree.c_str(), 0);
  if (code < 0) return base::fail(library_error(code, "use the work tree", work_tree));
  if (auto reads = read_with_own_reader(repository.get(), git_folder); !reads) return base::fail(reads.error());
  return repository;
}

base::Result<Signature> launcher_signature() {
  git_signature* made = nullptr;
  const int code = git_signature_now(&made, "podlaunch", "podlaunch@localhost");
  if (code < 0) return base::fail(library_error(code, "sign a commit"));
  return Signature(made);
}

}  // namespace checkout
