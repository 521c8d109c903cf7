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
      ::open((folder_ / "train.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  file_ = std::move(file);
  size_bytes_ = static_cast<std::size_t>(status.st_size);
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

void KeptLog::put(std::string_view text) {
  if (size_bytes_ + text.size() > bytes_max) rotate();
  if (!open()) return;  // a full or missing disk costs the kept log, never the training
  // After a rotation that failed the file is as full as before: the cap holds all the same.
  if (size_bytes_ + text.size() > bytes_max) return;
  if (base::write_all(file_.get(), text)) size_bytes_ += text.size();
}

void KeptLog::write(std::string_view bytes) {
  open();
  std::string whole_lines;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    line_.append(bytes.substr(0, end));
    if (end == std::string_view::npos) break;
    whole_lines += redactor_.redact(line_) + '\n';
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
  if (line_.size() > kLineBytesMax) {
    const std::string clean = redactor_.redact(line_);
    const std::size_t now = clean.size() - std::min(clean.size(), kSecretBytesMax);
    whole_lines += clean.substr(0, now);
    line_ = clean.substr(now);
  }
  if (!whole_lines.empty()) put(whole_lines);
}

void KeptLog::mark(std::string_view what) {
  finish();
  put(fmt::format("{}{} ---\n", mark_begin, redactor_.redact(what)));
}

void KeptLog::finish() {
  if (!line_.empty()) put(redactor_.redact(line_) + '\n');
  line_.clear();
}

}  // namespace training
