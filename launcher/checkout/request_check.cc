#include "launcher/checkout/request_check.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/formats.h"

namespace checkout {
namespace {

base::Result<void> check_path(const fs::path& path) {
  if (!path.is_absolute()) {
    return base::fail(base::invalid_input(fmt::format("the checkout's path {} is not absolute", path.string()),
                                          "Write it from / on."));
  }
  const fs::path plain = path.lexically_normal();
  const auto refuse = [&](std::string_view what) {
    return base::fail(base::invalid_input(fmt::format("the checkout {} is {}", path.string(), what),
                                          "Name a folder of its own, such as /workspace/project."));
  };
  if (plain == "/" || plain.parent_path() == plain) return refuse("the root of the file system");
  if (const char* home = std::getenv("HOME"); home != nullptr && plain == fs::path(home).lexically_normal()) {
    return refuse("the home folder");
  }
  for (const fs::path& part : plain) {
    if (part == ".git") return refuse("inside a git folder");
    if (part == ".podlaunch") return refuse("inside podlaunch's own folder");
  }
  if (kind_at(plain) == Kind::kLink) return refuse("a symbolic link, which leads elsewhere");
  const auto own = stat_of(plain);
  const auto parent = stat_of(plain.parent_path());
  if (own && parent && own->st_dev != parent->st_dev) {
    return refuse("a mount point, and a checkout must be free to be renamed");
  }
  return {};
}

base::Result<void> check_url(const std::string& url) {
  if (url.empty()) return base::fail(base::invalid_input("there is no repository address", "Give --repo."));
  if (url.front() == '-') {
    return base::fail(base::invalid_input("the repository address looks like an option", "Give a URL or a path."));
  }
  const std::size_t helper = url.find("::");
  const bool starts_a_program = helper != std::string::npos && url.find_first_of("/[") > helper;
  if (url.find_first_of(std::string_view("\n\t\0", 3)) != std::string::npos || starts_a_program) {
    return base::fail(base::invalid_input("the repository address cannot be used", "Give a URL or a path."));
  }
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return {};
  const std::string_view authority = std::string_view(url).substr(scheme + 3, url.find('/', scheme + 3) - scheme - 3);
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos && authority.substr(0, at).find(':') != std::string_view::npos) {
    return base::fail(
        base::invalid_input("the repository address has a password in it, which would end up in .git/config",
                            "Put it in a variable and name that with --git-token-env."));
  }
  return {};
}

base::Result<void> check_ref(const std::string& ref) {
  if (ref.empty() || valid_ref_name("refs/heads/" + ref)) {
    if (!ref.starts_with('-')) return {};
  }
  return base::fail(base::invalid_input(fmt::format("'{}' is no name of a branch, tag or commit", ref),
                                        "Give a branch, a tag or a full commit id."));
}

// Named, so it has to be there: ssh itself would go on with what else it finds, and report something else.
base::Result<void> check_file(const fs::path& file, std::string_view setting) {
  if (file.empty() || ::access(file.c_str(), R_OK) == 0) return {};
  return base::fail(base::invalid_input(
      fmt::format("the file {} cannot be read: {}", file.string(), std::strerror(errno)),
      fmt::format("--{} names it: put it there, readable for this user, or name another.", setting)));
}

}  // namespace

base::Result<void> check_request(const Request& request) {
  if (auto path = check_path(request.path); !path) return path;
  if (auto url = check_url(request.url); !url) return url;
  if (auto key = check_file(request.credentials.ssh_key, "ssh-key"); !key) return key;
  if (auto hosts = check_file(request.credentials.ssh_known_hosts, "ssh-known-hosts"); !hosts) return hosts;
  return check_ref(request.ref);
}

}  // namespace checkout
