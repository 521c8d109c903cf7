// How the ledger survives.
//
// Writing. A record is one write of one line at the end, synced before append returns. What a crash can leave is a line
// without its end, or zeros in its place; a reader takes the lines before it, and the next open cuts it. When a write
// fails half-way, the file is cut back before the next one, so a good line never follows half a line. The very first
// line is written beside and renamed: were it written in place, a power cut could leave nothing but zeros, and a ledger
// that has lost its records looks the same.
//
// Damage. Each line carries a CRC. A bad line between good ones is skipped with a note: the records around it are still
// true, and what a lost record could hide is at most one end. A file that has content but not one good line is refused
// instead: its counts are lost, and a run whose failures cannot be counted must not go on by itself.
//
// A tail that is gone. A file cut between two records looks like a younger one. So the number of the newest record also
// stands in a small file beside it, written after the record is safe: that may lag behind the ledger, and is never
// ahead of it unless records are lost. It is not synced, and one that cannot be read says nothing. A loss is noted, and
// numbering goes on behind what is gone, so it stays visible. What the lost records said cannot be known; that is safe,
// since what follows is counted anew, from less. A disk that forgets both files is a run that begins.
//
// A file that is deleted or cut while it is open, by a training that clears its disk, is written anew: what it said is
// in memory, and goes on as one summary line. So does a launcher whose keeper was ended, too: it brings what it
// remembers. A file that somebody has put in its place is another launcher's, perhaps, and is left alone.
//
// Growth. When the file has grown, everything but the newest records is folded into one summary line. The new file is
// written beside, synced, renamed over the old one, and the folder is synced: a reader sees the one or the other.
//
// Versions: see record.h. What this does not do: keep two writers apart. The caller's lock does; numbers that do not
// grow are noted, for then there were two all the same.

#include "launcher/ledger/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/check.h"
#include "launcher/base/files.h"
#include "launcher/base/hash.h"
#include "launcher/ledger/record.h"

namespace ledger {

namespace {

constexpr std::size_t file_bytes_max = 64U << 20;       // larger was not written by this program
constexpr std::uint64_t compact_at_bytes = 256U << 10;  // about a thousand records
constexpr std::size_t kept_lines_max = 200;
constexpr std::size_t kept_bytes_max = 64U << 10;
constexpr std::size_t unknown_lines_max = 100;
constexpr std::size_t text_bytes_max = 1000;
constexpr std::size_t witness_bytes = 21;  // twenty digits and the line's end

struct Parsed {
  std::vector<std::string_view> texts;  // of the whole lines, in order; views into the content
  std::vector<Line> lines;              // one for each
  std::size_t whole_bytes = 0;          // up to and with the last newline
  std::size_t good = 0;
  std::size_t damaged = 0;
  std::size_t unknown = 0;
  std::uint64_t newest_number = 0;
  std::uint64_t missing = 0;  // records between two lines that stand side by side
  bool numbers_grow = true;
  std::uint64_t lost_at_end() const { return witnessed > newest_number ? witnessed - newest_number : 0; }
  std::uint64_t witnessed = 0;  // the newest number, as the file beside the ledger has it
};

base::Error ledger_error(base::ErrorCode code, const std::filesystem::path& path, std::string detail,
                         std::string remedy) {
  return {code, "read the ledger", path.string(), 0, std::move(detail), std::move(remedy)};
}

Parsed parse(std::string_view content) {
  Parsed parsed;
  while (true) {
    const std::size_t end = content.find('\n', parsed.whole_bytes);
    if (end == std::string_view::npos) break;
    const std::string_view text = content.substr(parsed.whole_bytes, end - parsed.whole_bytes);
    parsed.whole_bytes = end + 1;
    Line line = parse_line(text);
    if (line.kind == Line::Kind::kDamaged) {
      ++parsed.damaged;
    } else {
      ++parsed.good;
      if (line.kind == Line::Kind::kUnknown) ++parsed.unknown;
      if (line.number <= parsed.newest_number) parsed.numbers_grow = false;
      const bool follows = !parsed.lines.empty() && parsed.lines.back().kind != Line::Kind::kDamaged &&
                           line.kind != Line::Kind::kSummary;
      if (follows && line.number > parsed.newest_number + 1) parsed.missing += line.number - parsed.newest_number - 1;
      parsed.newest_number = std::max(parsed.newest_number, line.number);
    }
    parsed.texts.push_back(text);
    parsed.lines.push_back(std::move(line));
  }
  return parsed;
}

std::vector<std::string> notes_on(const Parsed& parsed, std::size_t content_size) {
  std::vector<std::string> notes;
  const std::size_t torn = content_size - parsed.whole_bytes;
  if (torn > 0)
    notes.push_back(fmt::format("The ledger ends with {} bytes of a record that was not written out.", torn));
  if (parsed.damaged > 0) {
    notes.push_back(fmt::format("{} damaged lines of the ledger were skipped.", parsed.damaged));
  }
  if (parsed.unknown > 0) {
    notes.push_back(fmt::format("{} records of a newer podlaunch were kept and skipped.", parsed.unknown));
  }
  if (parsed.lost_at_end() > 0) {
    notes.push_back(fmt::format("{} records are missing from the end of the ledger: what they said is not known.",
                                parsed.lost_at_end()));
  }
  if (parsed.missing > 0) {
    notes.push_back(fmt::format("{} records are missing from the middle of the ledger.", parsed.missing));
  }
  if (!parsed.numbers_grow) {
    notes.push_back("Record numbers repeat: two launchers wrote to this ledger at the same time.");
  }
  return notes;
}

void fold(Memory& memory, const Line& line) {
  if (line.kind == Line::Kind::kSummary) memory = line.memory;
  if (line.kind == Line::Kind::kRecord) remember(memory, line.record);
}

base::Result<void> refuse_unreadable(const Parsed& parsed, std::string_view content,
                                     const std::filesystem::path& path) {
  const auto newer = [](const Line& line) { return line.kind == Line::Kind::kNewer; };
  if (std::any_of(parsed.lines.begin(), parsed.lines.end(), newer)) {
    return base::fail(ledger_error(base::ErrorCode::kUnsupported, path,
                                   "it was written by a newer podlaunch, in a format that this one does not know",
                                   "Use the newer podlaunch, or give the run a new name with --run."));
  }
  if (parsed.good > 0 || content.empty()) return {};
  // The very first line torn: nothing had been risked yet.
  if (parsed.lines.empty() && begins_like_a_line(content)) return {};
  return base::fail(ledger_error(base::ErrorCode::kDamaged, path, "it has content, but not one readable record",
                                 "Run `podlaunch resume`: the damaged file is moved aside and counting begins anew."));
}

base::Result<std::string> read_content(const std::filesystem::path& path) {
  std::error_code code;
  const std::uintmax_t size = std::filesystem::file_size(path, code);
  if (!code && size > file_bytes_max) {
    return base::fail(ledger_error(base::ErrorCode::kDamaged, path, fmt::format("it has {} bytes", size),
                                   "Run `podlaunch resume`: the file is moved aside and counting begins anew."));
  }
  auto content = base::read_file(path.string(), file_bytes_max);
  if (!content && content.error().code == base::ErrorCode::kNotFound) return std::string();
  if (!content && std::filesystem::exists(path, code) && !std::filesystem::is_regular_file(path, code)) {
    return base::fail(ledger_error(base::ErrorCode::kDamaged, path, "it is not a regular file",
                                   "Run `podlaunch resume`: it is moved aside and counting begins anew."));
  }
  return content;
}

std::filesystem::path witness_of(const std::filesystem::path& path) {
  return path.string() + ".newest";
}

// 0 when there is none that can be read.
std::uint64_t witnessed_number(const std::filesystem::path& path) {
  const std::string text = base::read_file(witness_of(path).string(), witness_bytes).value_or("");
  std::uint64_t number = 0;
  if (text.size() != witness_bytes || text.back() != '\n') return 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size() - 1, number);
  return error == std::errc() && end == text.data() + text.size() - 1 ? number : 0;
}

void witness(const std::filesystem::path& path, std::uint64_t number) {
  const base::UniqueFd file(
      ::open(witness_of(path).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0644));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const std::string text = fmt::format("{:0{}}\n", number, witness_bytes - 1);
  // Without it a loss may go unseen; no record depends on it.
  (void)::pwrite(file.get(), text.data(), text.size(), 0);
}

base::Result<void> sync_folder(const std::filesystem::path& folder) {
  base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return base::fail(base::system_error(errno, "open the ledger's folder", folder.string()));
  // Some network file systems refuse to sync a folder; they have no better way either.
  if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != ENOTSUP) {
    return base::fail(base::system_error(errno, "sync the ledger's folder", folder.string()));
  }
  return {};
}

base::Result<base::UniqueFd> open_for_append(const std::filesystem::path& path) {
  const bool existed = std::filesystem::exists(path);
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644));
  if (!fd.valid()) return base::fail(base::system_error(errno, "open the ledger", path.string()));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return base::fail(ledger_error(base::ErrorCode::kDamaged, path, "it is not a regular file",
                                   "Move it away, or choose another folder with --state."));
  }
  if (existed) return fd;
  if (::fsync(fd.get()) != 0) return base::fail(base::system_error(errno, "sync the ledger", path.string()));
  if (auto synced = sync_folder(path.parent_path()); !synced) return base::fail(synced.error());
  return fd;
}

// The content of a shorter ledger that says the same.
std::string compacted(const Parsed& parsed) {
  std::size_t kept_from = parsed.lines.size();
  std::size_t kept_bytes = 0;
  while (kept_from > 0 && parsed.lines.size() - kept_from < kept_lines_max) {
    if (kept_bytes + parsed.texts[kept_from - 1].size() > kept_bytes_max) break;
    kept_bytes += parsed.texts[--kept_from].size() + 1;
  }
  Memory memory;
  std::uint64_t newest_folded = 0;
  std::vector<std::string_view> unknown;
  for (std::size_t i = 0; i < kept_from; ++i) {
    fold(memory, parsed.lines[i]);
    newest_folded = std::max(newest_folded, parsed.lines[i].number);
    if (parsed.lines[i].kind == Line::Kind::kUnknown) unknown.push_back(parsed.texts[i]);
  }
  std::string content;
  const auto add = [&content](std::string_view text) { content.append(text).push_back('\n'); };
  const std::size_t dropped = unknown.size() > unknown_lines_max ? unknown.size() - unknown_lines_max : 0;
  for (std::size_t i = dropped; i < unknown.size(); ++i) add(unknown[i]);
  content += to_line(memory, newest_folded);
  for (std::size_t i = kept_from; i < parsed.lines.size(); ++i) {
    if (parsed.lines[i].kind != Line::Kind::kDamaged) add(parsed.texts[i]);
  }
  return content;
}

void shorten(std::string& text) {
  if (text.size() > text_bytes_max) text.resize(text_bytes_max);
}

void clean(Facts& facts, const Ledger::Redact& redact) {
  for (std::string* text :
       {&facts.pod, &facts.host, &facts.phase, &facts.text, &facts.commit, &facts.checkpoint, &facts.status}) {
    if (redact) *text = redact(*text);
    shorten(*text);
  }
}

std::uint64_t seconds_in(const policy::Observation& observation) {
  if (const auto* time = std::get_if<policy::TimePassed>(&observation)) return time->seconds;
  const auto* end = std::get_if<policy::AttemptEnded>(&observation);
  return end != nullptr ? end->seconds : 0;
}

}  // namespace

void remember(Memory& memory, const Record& record) {
  const Facts& facts = record.facts;
  const std::uint64_t up = record.step ? seconds_in(record.step->observation) : 0;
  constexpr std::uint64_t month = 30ULL * 86'400;
  memory.up_milliseconds += static_cast<std::int64_t>(std::min(up, month)) * 1000;
  if (record.kind == "published") memory.published = true;
  if (record.kind == "told-done") memory.told_done = true;
  memory.newest_wall_milliseconds = std::max(memory.newest_wall_milliseconds, record.wall_milliseconds);
  if (facts.step && (!memory.best_step || *facts.step > *memory.best_step)) memory.best_step = facts.step;
  if (!facts.checkpoint.empty()) {
    memory.best_checkpoint = facts.checkpoint;
    memory.checkpoint_commit = facts.commit;
  }
  if (record.kind == "gpu-fault") ++memory.gpu_faults[facts.text.substr(0, facts.text.find(':'))];
  if (!record.step) return;
  const policy::Observation& observation = record.step->observation;
  memory.history = policy::advance(memory.history, observation, record.step->decision);
  if (std::holds_alternative<policy::BootBegan>(observation)) {
    ++memory.boots;
    memory.last_pod = facts.pod;
    memory.last_host = facts.host;
  }
  const bool began = std::holds_alternative<policy::AttemptBegan>(observation);
  if (began && std::holds_alternative<policy::Run>(record.step->decision)) ++memory.attempts;
  const auto* end = std::get_if<policy::AttemptEnded>(&observation);
  const bool failed_attempt = end != nullptr && end->cause != policy::Cause::kFinished;
  if (failed_attempt || std::holds_alternative<policy::PhaseFailed>(observation)) memory.last_failure = facts.text;
}

base::Result<Opened> read(const std::filesystem::path& path) {
  const std::uint64_t witnessed = witnessed_number(path);  // first: the ledger may grow meanwhile
  auto content = read_content(path);
  if (!content) return base::fail(content.error());
  Parsed parsed = parse(*content);
  parsed.witnessed = witnessed;
  if (auto readable = refuse_unreadable(parsed, *content, path); !readable) return base::fail(readable.error());
  Opened opened;
  opened.notes = notes_on(parsed, content->size());
  for (const Line& line : parsed.lines) {
    fold(opened.memory, line);
    if (line.kind == Line::Kind::kRecord) opened.records.push_back(line.record);
  }
  return opened;
}

base::Result<Ledger> Ledger::open(const std::filesystem::path& path, Redact redact) {
  const std::uint64_t witnessed = witnessed_number(path);  // first: the ledger may grow meanwhile
  auto content = read_content(path);
  if (!content) return base::fail(content.error());
  Parsed parsed = parse(*content);
  parsed.witnessed = witnessed;
  if (auto readable = refuse_unreadable(parsed, *content, path); !readable) return base::fail(readable.error());
  if (content->size() >= compact_at_bytes) {
    // A compaction that fails leaves the long ledger as it was, and that is as good.
    const std::string shorter = compacted(parsed);
    const bool replaced = shorter.size() < compact_at_bytes && base::write_file_durably(path.string(), shorter);
    if (replaced) return open(path, std::move(redact));
  }
  auto file = open_for_append(path);
  if (!file) return base::fail(file.error());
  if (parsed.whole_bytes != content->size()) {
    const bool cut = ::ftruncate(file->get(), static_cast<off_t>(parsed.whole_bytes)) == 0 && ::fsync(file->get()) == 0;
    if (!cut) return base::fail(base::system_error(errno, "cut the torn end off the ledger", path.string()));
  }
  Ledger ledger;
  ledger.path_ = path;
  ledger.file_ = std::move(*file);
  ledger.size_bytes_ = parsed.whole_bytes;
  ledger.next_number_ = std::max(parsed.newest_number, parsed.witnessed) + 1;
  ledger.notes_ = notes_on(parsed, content->size());
  ledger.redact_ = std::move(redact);
  for (const Line& line : parsed.lines) fold(ledger.memory_, line);
  return ledger;
}

base::Result<Ledger> Ledger::start_anew(const std::filesystem::path& path, Redact redact) {
  for (int n = 1; std::filesystem::exists(path); ++n) {
    const std::filesystem::path aside = fmt::format("{}.damaged-{}", path.string(), n);
    if (std::filesystem::exists(aside)) continue;
    if (::rename(path.c_str(), aside.c_str()) != 0) {
      return base::fail(base::system_error(errno, "move the damaged ledger aside", path.string()));
    }
  }
  std::error_code ignored;  // with it, the new ledger would only say that it is one
  std::filesystem::remove(witness_of(path), ignored);
  return open(path, std::move(redact));
}

// The whole file, with all that is remembered so far.
base::Result<void> Ledger::begin_with(const std::string& line) {
  const std::string content = (memory_.boots > 0 ? to_line(memory_, next_number_ - 1) : "") + line;
  if (auto made = base::make_folders(path_.parent_path().string()); !made) return made;
  if (auto written = base::write_file_durably(path_.string(), content); !written) return written;
  if (auto synced = sync_folder(path_.parent_path()); !synced) return synced;
  auto file = open_for_append(path_);
  if (!file) return base::fail(file.error());
  file_ = std::move(*file);
  size_bytes_ = content.size();
  return {};
}

base::Result<void> Ledger::write_anew(const std::string& line) {
  auto begun = begin_with(line);
  if (begun)
    notes_.push_back(
        "The ledger was deleted or cut while it was in use, and was written anew. For a run that begins afresh give "
        "another --run.");
  return begun;
}

Ledger::Place Ledger::place() const {
  struct stat status {
  }, named{};
  if (::fstat(file_.get(), &status) != 0) return Place::kUnknown;
  const bool is_there = ::stat(path_.c_str(), &named) == 0 || errno != ENOENT;
  if (is_there && status.st_nlink == 0 && status.st_ino != named.st_ino) return Place::kTaken;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (!is_there || size < size_bytes_) return Place::kLost;
  return size > size_bytes_ ? Place::kLonger : Place::kAsLeft;
}

base::Result<void> Ledger::add(const std::string& line) {
  const Place found = place();
  if (found == Place::kUnknown) return base::fail(base::system_error(errno, "look at the ledger", path_));
  if (found == Place::kTaken)
    return base::fail(ledger_error(base::ErrorCode::kDamaged, path_, "somebody has put another file in its place",
                                   "Look for another podlaunch that keeps its runs there."));
  if (found == Place::kLost) return write_anew(line);
  if (found == Place::kLonger && ::ftruncate(file_.get(), static_cast<off_t>(size_bytes_)) != 0)
    return base::fail(base::system_error(errno, "cut half a record off the ledger", path_));
  if (!base::write_all(file_.get(), line) || ::fsync(file_.get()) != 0) {
    return base::fail(base::system_error(errno, "write to the ledger", path_));
  }
  size_bytes_ += line.size();
  return {};
}

void Ledger::tend() {
  // What cannot be written now is tried again, at the latest with the next record.
  if (size_bytes_ > 0 && place() == Place::kLost) (void)write_anew("");
}

void Ledger::go_on_from(const Memory& memory) {
  if (size_bytes_ > 0 || memory.boots == 0) return;
  memory_ = memory;
  next_number_ = std::max<std::uint64_t>(next_number_, 2);
}

base::Result<void> Ledger::append(Record record) {
  CHECK(record.step || !record.kind.empty());
  record.number = next_number_;
  if (record.step) record.kind = policy::name(record.step->observation);
  clean(record.facts, redact_);
  const std::string line = to_line(record);
  if (auto written = size_bytes_ == 0 ? begin_with(line) : add(line); !written) return written;
  witness(path_, next_number_++);
  remember(memory_, record);
  if (size_bytes_ >= 2 * compact_at_bytes) {
    // A long boot may outgrow it, too. The record is safe already, so a failure here is left to the next time.
    if (auto again = open(path_, redact_)) *this = std::move(*again);
  }
  return {};
}

std::uint64_t fingerprint(std::string_view text) {
  const std::uint64_t value = std::stoull(base::Hash().add(text).hex(), nullptr, 16);
  return value != 0 ? value : 1;
}

}  // namespace ledger
