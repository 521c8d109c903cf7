#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace checkout {

struct Login {
  std::string name;
  std::string password;
};

// The login for the URL's host in a netrc file; `file` empty means $NETRC, then ~/.netrc.
std::optional<Login> netrc_login(const std::filesystem::path& file, std::string_view url);

// "https://user@example.org:8080/x" -> "example.org". Empty where the URL has no host.
std::string host_of(std::string_view url);

}  // namespace checkout
