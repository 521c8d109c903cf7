#include "launcher/checkout/git/netrc.h"

#include <cstdlib>
#include <sstream>

#include "launcher/checkout/git/files.h"

namespace checkout {
namespace {

fs::path default_netrc() {
  if (const char* named = std::getenv("NETRC"); named != nullptr && *named != '\0') return named;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return fs::path(home) / ".netrc";
  return {};
}

}  // namespace

std::string host_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  if (url.starts_with('[')) return std::string(url.substr(1, url.find(']') - 1));
  return std::string(url.substr(0, url.find(':')));
}

std::optional<Login> netrc_login(const fs::path& file, std::string_view url) {
  const std::string host = host_of(url);
  const auto contents = contents_of(file.empty() ? default_netrc() : file);
  if (host.empty() || !contents) return std::nullopt;
  std::istringstream words(*contents);
  Login login;
  bool ours = false;
  for (std::string word; words >> word;) {
    if (word == "machine" || word == "default") {
      if (ours && !login.password.empty()) return login;
      std::string machine;
      if (word == "machine") words >> machine;
      ours = word == "default" || machine == host;
      login = {};
    } else if (word == "login" && ours) {
      words >> login.name;
    } else if (word == "password" && ours) {
      words >> login.password;
    }
  }
  if (ours && !login.password.empty()) return login;
  return std::nullopt;
}

}  // namespace checkout
