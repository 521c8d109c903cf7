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
base::Result<void> check_place(const fs::path& path) {
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
  if (const char* home = std::getenv("HOME"); home != nullptr && plain / "" == fs::path(home).lexically_normal() / "") {
    return refuse("the home folder");
  }
  for (const fs::path& part : plain) {
    if (part == ".git") return refuse("inside a git folder");
    if (part == ".podlaunch") return refuse("inside podlaunch's own folder");
  }
  const auto found = look_at_path(plain);
  if (!found) return base::fail(found.error());
  const auto& own = *found;
  if (own && S_ISLNK(own->st_mode)) return refuse("a symbolic link, which leads elsewhere");
  if (own && !S_ISREG(own->st_mode) && !S_ISDIR(own->st_mode)) return refuse("a device, a pipe or a socket");
  return {};
}

namespace {

base::Result<void> check_is_no_mount_point(const fs::path& path) {
  const auto own = stat_of(path);
  const auto parent = stat_of(path.lexically_normal().parent_path());
  if (!own || !parent || own->st_dev == parent->st_dev) return {};
  return base::fail(base::invalid_input(
      fmt::format("the checkout {} is a mount point, and a checkout must be free to be renamed", path.string()),
      "Name a folder in it, such as /workspace/project."));
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
  if (auto place = check_place(request.path); !place) return place;
  if (auto free = check_is_no_mount_point(request.path); !free) return free;
  if (auto url = check_url(request.url); !url) return url;
  if (auto key = check_file(request.credentials.ssh_key, "ssh-key"); !key) return key;
  if (auto hosts = check_file(request.credentials.ssh_known_hosts, "ssh-known-hosts"); !hosts) return hosts;
  return check_ref(request.ref);
}

}  // namespace checkout
