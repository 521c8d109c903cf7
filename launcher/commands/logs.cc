// What setup and training have printed, as it was kept: train.log.3 to train.log, oldest first, secrets taken out.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "launcher/base/files.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/find_run.h"
#include "launcher/training/kept_log.h"
#include "launcher/training/lines.h"

namespace commands {

namespace fs = std::filesystem;

namespace {

// Lets through what belongs to one attempt, or everything.
class Selection {
 public:
  explicit Selection(std::optional<int> attempt) : attempt_(attempt), inside_(!attempt) {}

  bool print(std::string_view bytes) {
    if (!attempt_) return base::write_all(STDOUT_FILENO, bytes);
    line_.append(bytes);
    std::size_t start = 0;
    for (std::size_t end = 0; (end = line_.find('\n', start)) != std::string::npos; start = end + 1) {
      if (!print_line(std::string_view(line_).substr(start, end + 1 - start))) return false;
    }
    line_.erase(0, start);
    return true;
  }
  bool found() const { return found_; }

 private:
  bool print_line(std::string_view line) {
    if (line.starts_with(training::KeptLog::mark_begin))
      inside_ = line.starts_with(fmt::format("{}attempt {},", training::KeptLog::mark_begin, *attempt_));
    found_ = found_ || inside_;
    return !inside_ || base::write_all(STDOUT_FILENO, line);
  }

  std::optional<int> attempt_;
  bool inside_;
  bool found_ = false;
  std::string line_;
};

// Reads on where it left off. False when nobody takes the output any more.
bool copy_rest(int file, Selection& selection) {
  std::string buffer(1U << 16, '\0');
  for (;;) {
    const ssize_t count = ::read(file, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    if (!selection.print(std::string_view(buffer).substr(0, static_cast<std::size_t>(count)))) return false;
  }
}

// Nothing for what is no file: a fifo would be waited at for ever.
base::UniqueFd open_log(const fs::path& path) {
  base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return file;
}

bool same_file(int file, const fs::path& path) {
  struct stat open {
  }, named{};
  return ::fstat(file, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino;
}

// Until the run's launcher is gone. Changes by another host come without an event, so a look is taken every second.
void follow(const FoundRun& run, const fs::path& folder, base::UniqueFd file, Selection& selection) {
  constexpr int kLookEveryMilliseconds = 1000;
  const base::UniqueFd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  (void)::inotify_add_watch(events.get(), folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO);
  for (bool ended = false; !ended;) {
    // Asked first: what was printed before the end is still read below.
    ended = !is_active(run.folder);
    if (!file.valid()) file = open_log(folder / "train.log");
    if (file.valid() && !copy_rest(file.get(), selection)) return;
    if (file.valid() && !same_file(file.get(), folder / "train.log")) {
      file.reset();  // put away as train.log.1; what follows is in a new one
      continue;
    }
    pollfd descriptor{events.get(), POLLIN, 0};
    if (!ended) (void)::poll(&descriptor, 1, kLookEveryMilliseconds);
    char drained[4096];
    while (::read(events.get(), drained, sizeof drained) > 0) {
    }
  }
}

}  // namespace

int logs(const config::Invocation& invocation, const config::Environment& environment) {
  const auto found = find_run(invocation.config, environment);
  if (!found) return complain(found.error());
  const fs::path folder = found->folder / "logs";
  Selection selection(invocation.attempt);
  bool any = false;
  base::UniqueFd file;
  for (int number = training::KeptLog::files_max - 1; number >= 0; --number) {
    file = open_log(folder / (number == 0 ? std::string("train.log") : fmt::format("train.log.{}", number)));
    if (!file.valid()) continue;
    any = true;
    if (!copy_rest(file.get(), selection)) return 0;
  }
  if (invocation.follow) {
    follow(*found, folder, std::move(file), selection);
    return 0;
  }
  if (!any)
    return complain(base::invalid_input(
        fmt::format("run {} has printed nothing yet: there is no {}", found->run, (folder / "train.log").string()),
        "`podlaunch status` says what it is doing."));
  if (invocation.attempt && !selection.found())
    return complain(base::invalid_input(fmt::format("nothing of attempt {} is kept", *invocation.attempt),
                                        "Without --attempt everything that is kept is printed."));
  return 0;
}

}  // namespace commands
