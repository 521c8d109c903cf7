// strace writes a line a call: "12 rename("a", "b") = 0". Where calls of several threads overlap, the line is cut in
// two, "<unfinished ...>" and "<... rename resumed>", with others between. A child's first line may come before the
// line that says whose child it is; so the log is read twice, first for who has begotten whom.
#include "harness/witness/strace_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>
#include <vector>

namespace witness {

namespace {

enum class Names {
  kByPath,        // the file is named by a path
  kByDescriptor,  // by the descriptor at this place of the arguments
  kAll,           // every file there is
};

// Written down without a look at what the stage traps: a witness that reads the other's notes is none.
struct Changing {
  std::string_view call;
  Names names = Names::kByPath;
  std::size_t place = 0;
};

constexpr std::array kChanging = {
    Changing{"open"},
    Changing{"openat"},
    Changing{"openat2"},
    Changing{"creat"},
    Changing{"open_by_handle_at"},
    Changing{"unlink"},
    Changing{"unlinkat"},
    Changing{"rmdir"},
    Changing{"mkdir"},
    Changing{"mkdirat"},
    Changing{"mknod"},
    Changing{"mknodat"},
    Changing{"symlink"},
    Changing{"symlinkat"},
    Changing{"link"},
    Changing{"linkat"},
    Changing{"rename"},
    Changing{"renameat"},
    Changing{"renameat2"},
    Changing{"truncate"},
    Changing{"chmod"},
    Changing{"fchmodat"},
    Changing{"fchmodat2"},
    Changing{"chown"},
    Changing{"lchown"},
    Changing{"fchownat"},
    Changing{"utime"},
    Changing{"utimes"},
    Changing{"futimesat"},
    Changing{"utimensat"},
    Changing{"setxattr"},
    Changing{"lsetxattr"},
    Changing{"setxattrat"},
    Changing{"removexattr"},
    Changing{"lremovexattr"},
    Changing{"removexattrat"},
    Changing{"write", Names::kByDescriptor, 0},
    Changing{"pwrite64", Names::kByDescriptor, 0},
    Changing{"writev", Names::kByDescriptor, 0},
    Changing{"pwritev", Names::kByDescriptor, 0},
    Changing{"pwritev2", Names::kByDescriptor, 0},
    Changing{"sendfile", Names::kByDescriptor, 0},
    Changing{"copy_file_range", Names::kByDescriptor, 2},
    Changing{"splice", Names::kByDescriptor, 2},
    Changing{"ftruncate", Names::kByDescriptor, 0},
    Changing{"fallocate", Names::kByDescriptor, 0},
    Changing{"ioctl", Names::kByDescriptor, 0},
    Changing{"fsync", Names::kByDescriptor, 0},
    Changing{"fdatasync", Names::kByDescriptor, 0},
    Changing{"syncfs", Names::kByDescriptor, 0},
    Changing{"fchmod", Names::kByDescriptor, 0},
    Changing{"fchown", Names::kByDescriptor, 0},
    Changing{"fsetxattr", Names::kByDescriptor, 0},
    Changing{"fremovexattr", Names::kByDescriptor, 0},
    Changing{"io_submit", Names::kAll},
    Changing{"io_uring_enter", Names::kAll},
    Changing{"sync", Names::kAll},
};
constexpr std::array<std::string_view, 5> kBirths = {"clone", "clone3", "fork", "vfork", "execve"};

struct Call {
  pid_t thread = 0;
  std::string name;
  std::string arguments;
  std::string result;  // the words after "= "
};

std::optional<long> number_at(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// "name(arguments) = result", with any number of blanks before the "=".
std::optional<Call> parse(pid_t thread, const std::string& text) {
  const auto open = text.find('(');
  const auto equals = text.rfind(" = ");
  if (open == std::string::npos || equals == std::string::npos || equals < open) return std::nullopt;
  const auto close = text.rfind(')', equals);
  if (close == std::string::npos || close < open) return std::nullopt;
  return Call{thread, text.substr(0, open), text.substr(open + 1, close - open - 1), text.substr(equals + 3)};
}

std::vector<Call> read_calls(const std::string& log) {
  constexpr std::string_view kUnfinished = " <unfinished ...>";
  std::vector<Call> calls;
  std::map<pid_t, std::string> begun;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const auto thread = number_at(line);
    const auto blank = line.find_first_not_of("0123456789");
    if (!thread || blank == std::string::npos) continue;
    const auto id = static_cast<pid_t>(*thread);
    std::string text = line.substr(line.find_first_not_of(' ', blank));
    if (text.ends_with(kUnfinished)) {
      begun[id] = text.substr(0, text.size() - kUnfinished.size());
      continue;
    }
    if (text.starts_with("<... ")) {
      const auto rest = text.find(" resumed>");
      if (rest == std::string::npos) continue;
      text = begun[id] + text.substr(rest + 9);
      begun.erase(id);
    }
    if (auto call = parse(id, text)) calls.push_back(std::move(*call));
  }
  return calls;
}

bool has_failed(const Call& call) {
  return call.result.starts_with("-") || call.result.starts_with("?");
}

// Arguments apart from each other; commas within quotes, brackets and names of descriptors do not count.
std::vector<std::string_view> split(std::string_view arguments) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const char letter = arguments[i];
    if (quoted) {
      if (letter == '\\') ++i;
      quoted = letter != '"';
    } else if (letter == '"') {
      quoted = true;
    } else if (std::string_view("([{<").find(letter) != std::string_view::npos) {
      ++depth;
    } else if (std::string_view(")]}>").find(letter) != std::string_view::npos) {
      --depth;
    } else if (letter == ',' && depth == 0) {
      parts.push_back(arguments.substr(begin, i - begin));
      begin = arguments.find_first_not_of(' ', i + 1);
      if (begin == std::string_view::npos) return parts;
    }
  }
  parts.push_back(arguments.substr(begin));
  return parts;
}

// "3</a/b>" -> "/a/b"; "</a/b>(deleted)" names nothing any more.
std::string_view path_of_descriptor(std::string_view text) {
  const auto open = text.find('<');
  const auto close = text.rfind('>');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  const std::string_view path = text.substr(open + 1, close - open - 1);
  return text.substr(close).starts_with(">(deleted)") || path.ends_with(" (deleted)") ? std::string_view() : path;
}

bool lies_on_a_disk(std::string_view path) {
  if (!path.starts_with('/')) return false;
  for (const std::string_view folder : {"/proc", "/dev", "/sys"}) {
    if (path == folder || (path.starts_with(folder) && path[folder.size()] == '/')) return false;
  }
  return !path.starts_with("/memfd:") && !path.starts_with("/anon_hugepage") && !path.starts_with("/SYSV");
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Where a call changes something on a disk: the file's path for a call on an open file, nothing for others.
using Where = std::optional<std::string>;

Where changes_by_path(const Call& call) {
  if (call.name.starts_with("open") || call.name == "creat") {
    const bool may = call.name == "creat" || has(call.arguments, "O_CREAT") || has(call.arguments, "O_TRUNC") ||
                     has(call.arguments, "O_TMPFILE");
    return may && lies_on_a_disk(path_of_descriptor(call.result)) ? Where("") : std::nullopt;
  }
  // A path that starts nowhere is taken to be about a disk: nobody works in /proc.
  for (const std::string_view argument : split(call.arguments)) {
    if (!argument.starts_with("\"/")) continue;
    return lies_on_a_disk(argument.substr(1, argument.rfind('"') - 1)) ? Where("") : std::nullopt;
  }
  return "";
}

Where changes_by_descriptor(const Call& call, std::size_t place) {
  const auto arguments = split(call.arguments);
  if (arguments.size() <= place) return std::nullopt;
  const std::string_view path = path_of_descriptor(arguments[place]);
  const bool empty = (call.name == "write" || call.name == "pwrite64") && arguments.size() > 2 && arguments[2] == "0";
  const bool other = call.name == "ioctl" && !has(call.arguments, "FICLONE");
  return lies_on_a_disk(path) && !empty && !other ? Where(path) : std::nullopt;
}

Where changes(const Call& call) {
  const auto known = std::ranges::find(kChanging, std::string_view(call.name), &Changing::call);
  if (known == kChanging.end() || has_failed(call)) return std::nullopt;
  if (known->names == Names::kAll) return "";
  return known->names == Names::kByPath ? changes_by_path(call) : changes_by_descriptor(call, known->place);
}

// --- Who is who ------------------------------------------------------------------------------------------------------

struct Process {
  std::string parent_path;
  std::string path;
};

struct Birth {
  pid_t parent = 0;
  bool thread = false;
};

// "= 5 /* 1234 in strace's PID NS */", or the number alone where there is no such difference.
std::optional<pid_t> child_of(const Call& call) {
  if (call.name == "execve" || std::ranges::find(kBirths, std::string_view(call.name)) == kBirths.end() ||
      has_failed(call))
    return std::nullopt;
  const auto comment = call.result.find("/* ");
  const auto number =
      number_at(comment == std::string::npos ? call.result : std::string_view(call.result).substr(comment + 3));
  if (!number) return std::nullopt;
  return static_cast<pid_t>(*number);
}

class Family {
 public:
  Family(pid_t first, const std::vector<Call>& calls) {
    processes_[first] = std::make_shared<Process>();
    for (const Call& call : calls) {
      if (const auto child = child_of(call)) births_[*child] = {call.thread, has(call.arguments, "CLONE_THREAD")};
    }
  }

  Process& find(pid_t thread) {
    auto& slot = processes_[thread];
    if (slot) return *slot;
    const auto birth = births_.find(thread);
    if (birth == births_.end() || birth->second.parent == thread) {
      slot = std::make_shared<Process>();
      return *slot;
    }
    Process& parent = find(birth->second.parent);
    processes_[thread] = birth->second.thread ? processes_[birth->second.parent]
                                              : std::make_shared<Process>(Process{parent.path, parent.path});
    return *processes_[thread];
  }

 private:
  std::map<pid_t, std::shared_ptr<Process>> processes_;
  std::map<pid_t, Birth> births_;
};

}  // namespace

std::string calls_to_trace() {
  std::string text;
  for (const Changing& one : kChanging) text += (text.empty() ? "?" : ",?") + std::string(one.call);
  for (const std::string_view birth : kBirths) text += ",?" + std::string(birth);
  return text;
}

Counts count_changes(const std::string& log, pid_t first, const ProgramName& program_name) {
  const std::vector<Call> calls = read_calls(log);
  Family family(first, calls);
  Counts counts;
  for (const Call& call : calls) {
    Process& process = family.find(call.thread);
    if (const auto child = child_of(call)) {
      family.find(*child);
    } else if (call.name == "execve" && !has_failed(call)) {
      const auto begin = call.arguments.find('"');
      const auto end = call.arguments.find('"', begin + 1);
      const std::string name = program_name(call.arguments.substr(begin + 1, end - begin - 1));
      process.path = process.parent_path.empty() ? name : process.parent_path + "/" + name;
    } else if (const auto where = changes(call)) {
      Tally& tally = counts[{process.path, call.name, *where}];
      ++tally.calls;
      tally.bytes += static_cast<std::uint64_t>(number_at(call.result).value_or(0));
    }
  }
  return counts;
}

}  // namespace witness
