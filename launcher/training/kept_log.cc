#include "launcher/training/kept_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/base/files.h"

namespace training {

// A line without an end is written in pieces of this size; the last part waits, since a secret may go on in it.
static constexpr std::size_t kLineBytesMax = 64 * 1024;
static constexpr std::size_t kSecretBytesMax = 4096;

bool KeptLog::open() {
  if (file_.valid()) return true;
  if (!base::make_folders(folder_.string())) return false;
  // Not into a fifo or a device that lies there instead, and not waiting for one.
  base::UniqueFd file(
      ::open((folder_ / "train.log").c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  file_ = std::move(file);
  size_bytes_ = static_cast<std::size_t>(status.st_size);
  char last = '\n';
  if (status.st_size > 0 && ::pread(file_.get(), &last, 1, status.st_size - 1) == 1) line_is_open_ = last != '\n';
  return true;
}

void KeptLog::rotate() {
  file_.reset();
  const auto path = [this](int number) {
    return folder_ / (number == 0 ? std::string("train.log") : fmt::format("train.log.{}", number));
  };
  // The oldest is replaced by the rename: a kept log is ours, and its cap was announced.
  std::error_code ignored;
  for (int number = files_max - 1; number > 0; --number)
    std::filesystem::rename(path(number - 1), path(number), ignored);
}

// A training may clear the disk that its log lies on.
bool KeptLog::let_go_of_deleted() {
  struct stat status {};
  const bool is_deleted = file_.valid() && ::fstat(file_.get(), &status) == 0 && status.st_nlink == 0;
  if (is_deleted) {
    file_.reset();
    line_is_open_ = false;
  }
  return is_deleted;
}

void KeptLog::put(std::string_view text) {
  const bool is_full = size_bytes_ + text.size() > bytes_max;
  if (is_full) rotate();
  const bool is_new = is_full || let_go_of_deleted();
  if (!open()) return;  // a full or missing disk costs the kept log, never the training
  // After a rotation that failed the file is as full as before: the cap holds all the same.
  if (size_bytes_ + text.size() > bytes_max) return;
  if (is_new && !mark_.empty() && text != mark_) append((line_is_open_ ? "\n" : "") + mark_);
  append(text);
}

void KeptLog::append(std::string_view text) {
  line_is_open_ = !base::write_all(file_.get(), text) || text.back() != '\n';
  size_bytes_ += text.size();
}

void KeptLog::write(std::string_view bytes) {
  open();
  std::string clean;
  while (!bytes.empty()) {
    // A progress bar is kept as it comes, too: it ends nothing but carriage returns.
    const std::size_t end = bytes.find_first_of("\r\n");
    line_.append(bytes.substr(0, end));
    if (end == std::string_view::npos) break;
    clean += redactor_.redact(line_) + bytes[end];
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
  if (line_.size() > kLineBytesMax) clean += redactor_.take(line_, kSecretBytesMax);
  if (!clean.empty()) put(clean);
}

void KeptLog::mark(std::string_view what) {
  open();
  finish();
  mark_ = fmt::format("{}{} ---\n", mark_begin, redactor_.redact(what));
  put(mark_);
}

void KeptLog::finish() {
  if (!line_.empty() || line_is_open_) put(redactor_.redact(line_) + '\n');
  line_.clear();
}

}  // namespace training
