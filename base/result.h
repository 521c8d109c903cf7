// Expected failures are values. A Result<T> holds a T or an Error that a person can act on.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace base {

enum class ErrorCode {
  kInvalidInput,    // what the user wrote cannot be used as it stands
  kNotFound,        // a file, reference or object is not there
  kAlreadyExists,   // something is in the way
  kNotPermitted,    // EACCES, EPERM, read-only file system
  kNoSpace,         // ENOSPC, EDQUOT
  kNetwork,         // transient: no route, reset, stalled, 5xx
  kAuthentication,  // permanent until the user changes a credential
  kDamaged,         // contents that contradict themselves
  kBusy,            // somebody else holds it
  kTimedOut,        // a deadline passed
  kUnsupported,     // this machine or this version cannot do it
  kSystem,          // any other errno
};

std::string_view name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kSystem;
  std::string operation;  // what was being done, as a phrase: "open the ledger"
  std::string path;       // to what; empty where there is no such thing
  int system_errno = 0;   // 0 where the kernel was not involved
  std::string detail;     // what was found, in words
  std::string remedy;     // what the reader can do now

  // One line for a person: "cannot open the ledger /x/y: No space left on device. Free some space …"
  std::string message() const;
};

template <class T>
using Result = tl::expected<T, Error>;

// Translates errno once, for all of the project. Pass the value saved right after the call.
Error system_error(int saved_errno, std::string operation, std::string path = {}, std::string remedy = {});

Error invalid_input(std::string detail, std::string remedy = {});

inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace base
