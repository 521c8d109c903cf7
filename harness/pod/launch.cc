#include "harness/pod/launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace pod {

namespace {

// What the child says before its exec. A failure ends it: nothing of the pod has run then.
class Child {
 public:
  explicit Child(int status_pipe) : status_pipe_(status_pipe) {}

  [[noreturn]] void fail(const std::string& what) const {
    const std::string text = fmt::format("{}: {}", what, std::strerror(errno));
    (void)!::write(status_pipe_, text.data(), text.size());
    ::_exit(127);
  }
  void must(bool good, const std::string& what) const {
    if (!good) fail(what);
  }
  void mount(const char* source, const std::string& target, const char* type, unsigned long flags,
             const char* data) const {
    must(::mount(source, target.c_str(), type, flags, data) == 0,
         fmt::format("mount {} ({})", target, type ? type : "bind"));
  }
  void bind(const std::string& source, const std::string& target) const {
    mount(source.c_str(), target, nullptr, MS_BIND | MS_REC, nullptr);
  }

 private:
  int status_pipe_;
};

}  // namespace

static void touch(const std::string& path) {
  ::close(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static void mount_devices(const Child& child, const std::string& dev) {
  child.mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=0755,size=65536k");
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty"}) {
    const std::string target = dev + "/" + name;
    touch(target);
    child.bind(std::string("/dev/") + name, target);
  }
  ::mkdir((dev + "/shm").c_str(), 01777);
  child.mount("shm", dev + "/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m");
  for (const auto& [target, name] : {std::pair{"/proc/self/fd", "fd"},
                                     {"/proc/self/fd/0", "stdin"},
                                     {"/proc/self/fd/1", "stdout"},
                                     {"/proc/self/fd/2", "stderr"}}) {
    (void)!::symlink(target, (dev + "/" + name).c_str());
  }
}

// What the mount table of such a pod shows: an overlay for the container, a local or a network file system for volumes.
static void write_mount_tables(const std::string& root, const Disks& disks) {
  struct Row {
    std::string path, type, source;
  };
  std::vector<Row> rows{
      {"/", "overlay", "overlay"}, {"/proc", "proc", "proc"}, {"/dev", "tmpfs", "tmpfs"}, {"/dev/shm", "tmpfs", "shm"}};
  for (const DiskView& volume : disks.volumes()) {
    const bool network = volume.kind == scenario::DiskKind::kNetworkVolume;
    rows.push_back(
        {volume.mount_path, network ? "fuse.mfs" : "ext4", network ? "mfs#mfsmaster:9421" : "/dev/nvme0n1p1"});
  }
  std::string info;
  std::string mounts;
  int number = 100;
  for (const Row& row : rows) {
    info += fmt::format("{} 99 0:{} / {} rw,relatime - {} {} rw\n", number, number, row.path, row.type, row.source);
    mounts += fmt::format("{} {} {} rw,relatime 0 0\n", row.source, row.path, row.type);
    ++number;
  }
  (void)place_file(root + kMountinfoFile, info);  // without them, programs see the simulator's own mounts
  (void)place_file(root + kMountsFile, mounts);
}

static void build_pod(const Child& child, const Disks& disks, const Launch& launch) {
  const std::string& root = disks.container_root();
  child.must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "keep the pod's mounts to itself");
  child.bind(root, root);
  for (const Layer& layer : disks.layers()) {
    const bool more = !layer.image.empty() && ::access(layer.image.c_str(), F_OK) == 0;
    const std::string options = fmt::format("lowerdir={}{},upperdir={},workdir={},userxattr",
                                            more ? layer.image + ":" : "", layer.lower, layer.upper, layer.work);
    child.mount("overlay", root + layer.lower, "overlay", 0, options.c_str());
  }
  for (const DiskView& volume : disks.volumes()) child.bind(volume.host_path, root + volume.mount_path);
  child.mount("proc", root + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  child.bind(launch.uptime_file, root + "/proc/uptime");
  child.bind(launch.boot_id_file, root + "/proc/sys/kernel/random/boot_id");
  mount_devices(child, root + "/dev");
  write_mount_tables(root, disks);
  if (!launch.gpus_file.empty()) {
    touch(root + kGpusFile);
    child.bind(launch.gpus_file, root + kGpusFile);
  }
  child.must(::chdir(root.c_str()) == 0, "enter the pod");
  child.must(::syscall(SYS_pivot_root, ".", ".") == 0, "make the pod's disk the root");
  child.must(::umount2(".", MNT_DETACH) == 0, "leave the host's file system behind");
  child.must(::chdir("/") == 0, "enter the pod's root");
  child.must(::sethostname(launch.hostname.c_str(), launch.hostname.size()) == 0, "name the pod");
}

// The last steps before the exec, the same for pods and services.
[[noreturn]] static void execute(const Child& child, const std::vector<std::string>& command,
                                 const std::map<std::string, std::string>* environment, int output, int go_pipe,
                                 int status_pipe, stage::Troupe troupe, stage::FaultPoints points, bool staged = true) {
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  ::setsid();
  ::umask(022);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  (void)!::write(status_pipe, "", 1);  // ready
  char byte = 0;
  if (::read(go_pipe, &byte, 1) != 1) ::_exit(127);
  if (environment != nullptr) {
    ::clearenv();
    for (const auto& [name, value] : *environment) ::setenv(name.c_str(), value.c_str(), 1);
  }
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int refused = staged ? stage::install_filter(troupe, points) : 0;
  errno = refused;
  child.must(refused == 0, "install the seccomp filter");
  ::execvp(words[0], words.data());
  child.fail(fmt::format("execute {}", command[0]));
}

namespace {

struct Pipes {
  base::UniqueFd go_read, go_write, status_read, status_write;
};

}  // namespace

static base::Result<Pipes> make_pipes() {
  std::array<int, 2> go{};
  std::array<int, 2> status{};
  if (::pipe2(go.data(), O_CLOEXEC) != 0 || ::pipe2(status.data(), O_CLOEXEC) != 0) {
    return base::fail(base::system_error(errno, "make a pipe"));
  }
  return Pipes{base::UniqueFd(go[0]), base::UniqueFd(go[1]), base::UniqueFd(status[0]), base::UniqueFd(status[1])};
}

// Waits until the child says that it is ready, or why it is not.
static base::Result<Launched> await_ready(pid_t id, Pipes pipes, const std::string& what) {
  pipes.status_write.reset();
  pipes.go_read.reset();
  pollfd status{pipes.status_read.get(), POLLIN, 0};
  std::array<char, 1024> text{};
  const ssize_t size = ::poll(&status, 1, 30'000) == 1 ? ::read(pipes.status_read.get(), text.data(), text.size()) : 0;
  if (size == 1 && text[0] == '\0') return Launched{id, std::move(pipes.go_write), std::move(pipes.status_read)};
  ::kill(id, SIGKILL);
  ::waitpid(id, nullptr, __WALL);
  return base::fail(base::Error{.code = base::ErrorCode::kUnsupported,
                                .operation = what,
                                .path = {},
                                .system_errno = 0,
                                .detail = size > 0 ? std::string(text.data(), static_cast<std::size_t>(size))
                                                   : "it did not get ready within 30 s",
                                .remedy = "`simrun doctor` tells what this machine allows"});
}

base::Result<Launched> launch_container(const Disks& disks, const Launch& launch) {
  auto pipes = make_pipes();
  if (!pipes) return base::fail(pipes.error());
  const long id =
      ::syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (id < 0) return base::fail(base::system_error(errno, "create the pod's namespaces"));
  if (id == 0) {
    const Child child(pipes->status_write.get());
    build_pod(child, disks, launch);
    execute(child, launch.command, &launch.environment, launch.output, pipes->go_read.get(), pipes->status_write.get(),
            stage::Troupe::kPod, launch.fault_points, launch.staged);
  }
  return await_ready(static_cast<pid_t>(id), std::move(*pipes), "build the pod");
}

base::Result<Launched> launch_inside(pid_t first, const std::vector<std::string>& command,
                                     const std::map<std::string, std::string>& environment, int output,
                                     stage::FaultPoints points) {
  auto pipes = make_pipes();
  if (!pipes) return base::fail(pipes.error());
  const base::UniqueFd pod(static_cast<int>(::syscall(SYS_pidfd_open, first, 0)));
  std::array<int, 2> number{};
  if (!pod.valid() || ::pipe2(number.data(), O_CLOEXEC) != 0)
    return base::fail(base::system_error(errno, "enter the pod"));
  const base::UniqueFd number_read(number[0]);
  base::UniqueFd number_write(number[1]);
  // Joining a PID namespace concerns the children that are born from then on, and there is no way back: so a process
  // that ends at once joins, and gives birth to a child of this one.
  const pid_t helper = ::fork();
  if (helper < 0) return base::fail(base::system_error(errno, "start a process in the pod"));
  if (helper == 0) {
    const Child child(pipes->status_write.get());
    child.must(::setns(pod.get(), CLONE_NEWPID) == 0, "enter the pod");
    const long id = ::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (id == 0) {
      child.must(::setns(pod.get(), CLONE_NEWNS | CLONE_NEWUTS) == 0, "enter the pod");
      child.must(::chdir("/root") == 0, "go home");
      execute(child, command, &environment, output, pipes->go_read.get(), pipes->status_write.get(),
              stage::Troupe::kPod, points);
    }
    child.must(id > 0, "start a process in the pod");
    (void)!::write(number_write.get(), &id, sizeof id);
    ::_exit(0);
  }
  number_write.reset();
  ::waitpid(helper, nullptr, __WALL);
  long id = 0;
  if (::read(number_read.get(), &id, sizeof id) != sizeof id) {
    return base::fail(base::Error{.code = base::ErrorCode::kSystem,
                                  .operation = "start a process in the pod",
                                  .path = {},
                                  .system_errno = 0,
                                  .detail = "the pod may have ended at this moment",
                                  .remedy = "Choose another moment"});
  }
  return await_ready(static_cast<pid_t>(id), std::move(*pipes), "enter the pod");
}

base::Result<Launched> launch_service(const std::vector<std::string>& command, int log, const std::vector<int>& kept,
                                      bool staged) {
  auto pipes = make_pipes();
  if (!pipes) return base::fail(pipes.error());
  const pid_t id = ::fork();
  if (id < 0) return base::fail(base::system_error(errno, "start a service"));
  if (id == 0) {
    const Child child(pipes->status_write.get());
    for (const int descriptor : kept) ::fcntl(descriptor, F_SETFD, 0);
    execute(child, command, nullptr, log, pipes->go_read.get(), pipes->status_write.get(), stage::Troupe::kService,
            stage::FaultPoints::kIgnored, staged);
  }
  return await_ready(id, std::move(*pipes), "start the service " + command[0]);
}

void Launched::go() {
  (void)!::write(go_pipe.get(), "x", 1);
  go_pipe.reset();
}

std::string Launched::failure() const {
  std::array<char, 1024> text{};
  const ssize_t size = ::read(status_pipe.get(), text.data(), text.size());
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

}  // namespace pod
