#include "launcher/training/pass_through.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace training {

// O_NONBLOCK belongs to the open file, which we share with whoever started us; hence an opening of our own. Only for
// pipes and terminals: opening a plain file again would start at its beginning, and it doesn't block anyway.
static int open_again(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return -1;
  if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)) return -1;
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  return ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

PassThrough::PassThrough(int descriptor) : descriptor_(descriptor), own_(open_again(descriptor)) {
  if (own_.valid()) {
    descriptor_ = own_.get();
    return;
  }
  struct stat status {};
  closed_ = ::fstat(descriptor, &status) != 0;
  may_block_ = !closed_ && !S_ISREG(status.st_mode);
}

// Returns how much was written; 0 when there is no room. A reader that went away takes everything, unseen.
std::size_t PassThrough::write_some(std::string_view bytes) {
  if (closed_) return bytes.size();
  if (may_block_) {
    pollfd room{descriptor_, POLLOUT, 0};
    if (::poll(&room, 1, 0) <= 0) return 0;
    bytes = bytes.substr(0, PIPE_BUF);  // that much goes in without blocking when poll says so
  }
  const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
  if (count > 0) {
    last_written_ = base::Clock::now();
    return static_cast<std::size_t>(count);
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  closed_ = true;
  return bytes.size();
}

void PassThrough::write(std::string_view bytes) {
  if (backlog_.empty()) {
    last_written_ = base::Clock::now();
    while (!bytes.empty()) {
      const std::size_t count = write_some(bytes);
      if (count == 0) break;
      bytes.remove_prefix(count);
    }
  }
  const std::size_t room = backlog_bytes_max * 2 - std::min(backlog_bytes_max * 2, backlog_.size());
  backlog_.append(bytes.substr(0, room));
  dropped_bytes_ += bytes.size() - std::min(bytes.size(), room);
}

void PassThrough::flush() {
  std::size_t written = 0;
  while (written < backlog_.size()) {
    const std::size_t count = write_some(std::string_view(backlog_).substr(written));
    if (count == 0) break;
    written += count;
  }
  backlog_.erase(0, written);
}

}  // namespace training
