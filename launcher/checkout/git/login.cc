#include "launcher/checkout/git/login.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <vector>

namespace checkout {
namespace {

std::string scheme_of(std::string_view url) {
  const std::size_t end = url.find("://");
  return end == std::string_view::npos ? "" : std::string(url.substr(0, end));
}

std::string token_of(const RemoteSettings& settings) {
  const Credentials& credentials = settings.credentials;
  std::vector<std::string> names = {credentials.token_variable};
  if (credentials.token_variable.empty()) {
    names = {"GIT_TOKEN"};
    if (host_of(settings.url) == "github.com") names.insert(names.begin(), "GITHUB_TOKEN");
  }
  for (const std::string& name : names) {
    if (const char* value = std::getenv(name.c_str()); value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool stays_here(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool is_readable_on_the_way(const RemoteSettings& settings) {
  return scheme_of(settings.url) == "http" && !stays_here(host_of(settings.url));
}

}  // namespace

std::string place_of(std::string_view url) {
  const std::string scheme = scheme_of(url);
  const std::string host = host_of(url);
  if (scheme.empty() || host.empty()) return {};
  std::string_view authority = url.substr(scheme.size() + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  const std::string port = has_port            ? std::string(authority.substr(colon + 1))
                           : scheme == "https" ? "443"
                           : scheme == "http"  ? "80"
                                               : "22";
  std::string place = scheme + "://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
  std::transform(place.begin(), place.end(), place.begin(), [](unsigned char c) { return std::tolower(c); });
  return place;
}

std::optional<Login> login_for(const RemoteSettings& settings) {
  if (is_readable_on_the_way(settings)) return std::nullopt;
  if (const std::string token = token_of(settings); !token.empty()) {
    const std::string& name = settings.credentials.user_name;
    return Login{name.empty() ? "x-access-token" : name, token};
  }
  return netrc_login(settings.credentials.netrc, settings.url);
}

std::string login_remedy(const RemoteSettings& settings) {
  if (is_readable_on_the_way(settings))
    return "No login is sent over plain http, where anybody on the way can read it: use https.";
  if (settings.url.starts_with("ssh://") || settings.url.find("://") == std::string::npos)
    return "Give a private key that may read it with --ssh-key; the public half belongs among the repository's deploy "
           "keys.";
  return "Name the variable that holds a token for it with --git-token-env, or a netrc file with --netrc.";
}

}  // namespace checkout
