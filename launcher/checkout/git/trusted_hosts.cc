#include "launcher/checkout/git/trusted_hosts.h"

#include <stdlib.h>

#include <cerrno>
#include <utility>

namespace checkout {

namespace fs = std::filesystem;

base::Result<TrustedHosts> TrustedHosts::make(const fs::path& known_hosts) {
  if (known_hosts.empty()) return TrustedHosts(fs::path());
  std::error_code error;
  std::string name = (fs::temp_directory_path(error) / "podlaunch-hosts-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return base::fail(base::system_error(errno, "make a folder like", name));
  TrustedHosts hosts{fs::path(name)};
  fs::create_directory(hosts.folder_ / ".ssh", error);
  if (!error) fs::create_symlink(known_hosts, hosts.folder_ / ".ssh/known_hosts", error);
  if (error) return base::fail(base::system_error(error.value(), "link the known hosts in", hosts.folder_));
  ::setenv("HOME", hosts.folder_.c_str(), 1);
  return hosts;
}

TrustedHosts::TrustedHosts(TrustedHosts&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}

TrustedHosts::~TrustedHosts() {
  if (folder_.empty()) return;
  std::error_code ignored;  // a leftover link in the folder for temporary files harms nobody
  fs::remove_all(folder_, ignored);
}

}  // namespace checkout
