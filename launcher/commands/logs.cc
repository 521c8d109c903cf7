// What setup and training have printed, as it was kept: train.log.3 to train.log, oldest first, secrets taken out.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

// Lets through what belongs to one attempt, or everything. Bytes pass as they come, whatever a line is made of and
// however long it is; only what may be the beginning of a mark waits for more.
class Selection {
 public:
  explicit Selection(std::optional<int> attempt) : inside_(!attempt) {
    if (attempt) mark_ = fmt::format("{}attempt {},", training::KeptLog::mark_begin, *attempt);
  }

  // False when nobody takes the output any more.
  bool print(std::string_view bytes) {
    if (mark_.empty()) return base::write_all(STDOUT_FILENO, bytes);
    std::string passed;
    while (!bytes.empty()) {
      const std::size_t line_end = std::min(bytes.find('\n'), bytes.size() - 1) + 1;
      const std::string_view piece = bytes.substr(0, at_line_start_ ? 1 : line_end);
      bytes.remove_prefix(piece.size());
      begun_ += piece;
      if (at_line_start_ && begun_.size() < mark_.size() && mark_.starts_with(begun_)) continue;
      if (at_line_start_ && begun_.starts_with(training::KeptLog::mark_begin)) inside_ = begun_ == mark_;
      found_ = found_ || inside_;
      if (inside_) passed += begun_;
      at_line_start_ = begun_.back() == '\n';
      begun_.clear();
    }
    return base::write_all(STDOUT_FILENO, passed);
  }
  // What still waits when nothing more comes.
  void finish() {
    if (inside_) (void)base::write_all(STDOUT_FILENO, begun_);
  }
  bool found() const { return found_; }

 private:
  std::string mark_;
  bool inside_;
  bool found_ = false;
  bool at_line_start_ = true;
  std::string begun_;
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
    selection.finish();
    return 0;
  }
  selection.finish();
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
