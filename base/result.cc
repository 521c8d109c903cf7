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

Error system_error(int saved_errno, std::string operation, std::string path, std::string remedy) {
  if (remedy.empty() && saved_errno == ENAMETOOLONG) remedy = "No file system here takes such a name: shorten it.";
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
