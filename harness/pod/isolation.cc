#include "harness/pod/isolation.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace pod {

static constexpr const char* kRemedy =
    "simrun needs user namespaces: sysctl user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1 on "
    "Debian, no AppArmor restriction of them; in a container, run it with a seccomp profile that permits unshare and "
    "mount (docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined)";

static base::Result<void> write_file(const char* path, const std::string& text) {
  base::UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file.valid() || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return base::fail(base::system_error(errno, "write", path, kRemedy));
  }
  return {};
}

// Root maps every user to itself, so that ownership means what it means outside; anyone else maps to root alone.
static base::Result<void> enter_user_namespace() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0)
    return base::fail(base::system_error(errno, "create a user namespace", {}, kRemedy));
  if (user == 0) {
    if (write_file("/proc/self/uid_map", "0 0 65536\n") && write_file("/proc/self/gid_map", "0 0 65536\n")) return {};
  }
  if (auto done = write_file("/proc/self/setgroups", "deny"); !done) return done;
  if (auto done = write_file("/proc/self/uid_map", fmt::format("0 {} 1\n", user)); !done) return done;
  return write_file("/proc/self/gid_map", fmt::format("0 {} 1\n", group));
}

// The machine's table of TCP connections may have hundreds of thousands of buckets, and whoever looks for packets under
// way walks through all of them, twice for each rest of the world. A namespace made within this one gets a table of its
// own, and a small one. On kernels before 6.1 it stays as it is.
static void ask_for_a_small_tcp_table() {
  base::UniqueFd file(::open("/proc/sys/net/ipv4/tcp_child_ehash_entries", O_WRONLY | O_CLOEXEC));
  if (file.valid()) (void)!::write(file.get(), "128", 3);
}

static base::Result<void> raise_loopback() {
  base::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  if (!socket.valid() || ::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) {
    return base::fail(base::system_error(errno, "look at the loopback interface of the world"));
  }
  request.ifr_flags |= IFF_UP;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) {
    return base::fail(base::system_error(errno, "raise the loopback interface of the world"));
  }
  return {};
}

base::Result<void> mount_tmpfs(const std::string& path, std::uint64_t size_bytes) {
  const std::string options = fmt::format("mode=0755,size={}", size_bytes);
  if (::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    return base::fail(base::system_error(errno, "mount a tmpfs on", path, kRemedy));
  }
  return {};
}

base::Result<std::string> enter_branch(const std::string& place) {
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) != 0)
    return base::fail(base::system_error(errno, "create the branch's namespaces", {}, kRemedy));
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return base::fail(base::system_error(errno, "keep the branch's mounts to itself", {}, kRemedy));
  if (auto done = raise_loopback(); !done) return base::fail(done.error());
  if (::mkdir(place.c_str(), 0755) != 0 && errno != EEXIST)
    return base::fail(base::system_error(errno, "create the folder", place));
  if (auto done = mount_tmpfs(place, 64ULL << 30); !done) return base::fail(done.error());
  return place;
}

base::Result<std::string> enter_world() {
  if (auto done = enter_user_namespace(); !done) return base::fail(done.error());
  if (::unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) != 0) {
    return base::fail(base::system_error(errno, "create the world's namespaces", {}, kRemedy));
  }
  ask_for_a_small_tcp_table();
  if (::unshare(CLONE_NEWNET) != 0)
    return base::fail(base::system_error(errno, "create the world's network namespace", {}, kRemedy));
  ask_for_a_small_tcp_table();  // for the branches of this world
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return base::fail(base::system_error(errno, "keep the world's mounts to itself", {}, kRemedy));
  }
  if (auto done = raise_loopback(); !done) return base::fail(done.error());
  // A folder that every Linux system has and that no program here needs: the world hides it from itself alone.
  for (const char* place : {"/mnt", "/media", "/srv"}) {
    struct stat status {};
    if (::stat(place, &status) != 0 || !S_ISDIR(status.st_mode)) continue;
    if (auto done = mount_tmpfs(place, 64ULL << 30); !done) return base::fail(done.error());
    return std::string(place);
  }
  return base::fail(base::Error{.code = base::ErrorCode::kNotFound,
                                .operation = "find a folder to mount the world on",
                                .path = {},
                                .system_errno = 0,
                                .detail = "none of /mnt, /media, /srv exists",
                                .remedy = "Create /mnt"});
}

}  // namespace pod
