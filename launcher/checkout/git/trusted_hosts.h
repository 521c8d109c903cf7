// libgit2 asks $HOME/.ssh/known_hosts which hosts to trust, and has no other way to be told. Where a file is named,
// $HOME becomes a folder whose known_hosts is a link to it, removed again with this object. Only for the process that
// talks to a remote over ssh, which reads nothing else there.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace checkout {

class TrustedHosts {
 public:
  // An empty `known_hosts` changes nothing.
  static base::Result<TrustedHosts> make(const std::filesystem::path& known_hosts);
  TrustedHosts(TrustedHosts&& other) noexcept;
  TrustedHosts& operator=(TrustedHosts&&) = delete;
  ~TrustedHosts();

 private:
  explicit TrustedHosts(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path folder_;  // empty: there is none
};

}  // namespace checkout
