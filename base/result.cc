#include "base/result.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace base {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidInput:
      return "invalid-input";
    case ErrorCode::kNotFound:
      return "not-found";
    case ErrorCode::kAlreadyExists:
      return "already-exists";
    case ErrorCode::kNotPermitted:
      return "not-permitted";
    case ErrorCode::kNoSpace:
      return "no-space";
    case ErrorCode::kNetwork:
      return "network";
    case ErrorCode::kAuthentication:
      return "authentication";
    case ErrorCode::kDamaged:
      return "damaged";
    case ErrorCode::kBusy:
      return "busy";
    case ErrorCode::kTimedOut:
      return "timed-out";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kSystem:
      return "system";
  }
  return "unknown";
}

std::string Error::message() const {
  std::string text = operation.empty() ? detail : fmt::format("cannot {}", operation);
  if (!path.empty()) text += fmt::format(" {}", path);
  if (!operation.empty() && !detail.empty()) text += fmt::format(": {}", detail);
  if (system_errno != 0) text += fmt::format(": {}", std::strerror(system_errno));
  if (!remedy.empty()) text += fmt::format(". {}", remedy);
  return text;
}

static ErrorCode code_of(int saved_errno) {
  switch (saved_errno) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EEXIST:
    case ENOTEMPTY:
      return ErrorCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::kNotPermitted;
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::kNoSpace;
    case ECONNREFUSED:
    case ECONNRESET:
    case ENETUNREACH:
    case EHOSTUNREACH:
      return ErrorCode::kNetwork;
    case EBUSY:
    case EWOULDBLOCK:
      return ErrorCode::kBusy;
    case ETIMEDOUT:
      return ErrorCode::kTimedOut;
    case ENOSYS:
    case EOPNOTSUPP:
    case ENAMETOOLONG:
      return ErrorCode::kUnsupported;
    default:
      return ErrorCode::kSystem;
  }
}

// What to do where the caller knows nothing better.
static std::string_view remedy_for(int saved_errno) {
  switch (saved_errno) {
    case ENOENT:
      return "Check the path, and that its disk is mounted.";
    case ENOTDIR:
    case EISDIR:
      return "Something of another kind lies there: move it away, or name another place.";
    case ELOOP:
      return "A symbolic link there leads nowhere: remove it.";
    case ENAMETOOLONG:
      return "No file system here takes such a name: shorten it.";
    case EACCES:
    case EPERM:
      return "Let the user that podlaunch runs as have access, or name another place.";
    case EROFS:
      return "Mount that disk writable, or name another place.";
    case ENOSPC:
      return "Free some space on that disk.";
    case EDQUOT:
      return "Free some space there, or raise the quota.";
    case EIO:
      return "The disk fails: the kernel's log says more. Use another disk or pod if it stays so.";
    case ESTALE:
    case ENOTCONN:
      return "The network disk has lost it: mount that disk again, or restart the pod.";
    case EMFILE:
    case ENFILE:
      return "End what holds many files open, or raise the limit (ulimit -n).";
    case ENOMEM:
      return "Free some memory, or raise the container's limit.";
    default:
      return {};
  }
}

Error system_error(int saved_errno, std::string operation, std::string path, std::string remedy) {
  if (remedy.empty()) remedy = remedy_for(saved_errno);
  return Error{.code = code_of(saved_errno),
               .operation = std::move(operation),
               .path = std::move(path),
               .system_errno = saved_errno,
               .detail = {},
               .remedy = std::move(remedy)};
}

Error invalid_input(std::string detail, std::string remedy) {
  return Error{.code = ErrorCode::kInvalidInput,
               .operation = {},
               .path = {},
               .system_errno = 0,
               .detail = std::move(detail),
               .remedy = std::move(remedy)};
}

}  // namespace base
