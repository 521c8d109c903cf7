#include "launcher/training/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include "launcher/base/files.h"

namespace training {

using policy::Cause;

static std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char letter) { return std::tolower(letter); });
  return lower;
}

template <std::size_t count>
static bool contains_any(const std::string& text, const std::array<std::string_view, count>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

// torchrun and friends put "[rank3]: " or "[default0]:" before each line of a worker.
static std::string_view without_rank(std::string_view line) {
  if (!line.starts_with("[rank") && !line.starts_with("[default")) return line;
  const std::size_t end = line.find("]:");
  if (end == std::string_view::npos) return line;
  line.remove_prefix(end + 2);
  if (line.starts_with(" ")) line.remove_prefix(1);
  return line;
}

static bool is_strong(const std::string& lower) {
  static constexpr std::array<std::string_view, 9> kWords = {
      "cuda error",      "cuda out of memory", "outofmemoryerror", "nccl error",  "nccl warn",
      "ncclsystemerror", "segmentation fault", "cublas_status",    "cudnn_status"};
  return contains_any(lower, kWords);
}

static bool is_weak(std::string_view line, const std::string& lower) {
  static constexpr std::array<std::string_view, 5> kWords = {"no space left on device", "disk quota exceeded",
                                                             "out of memory", "command not found", "cannot execute"};
  return lower.starts_with("error") || lower.starts_with("fatal") || line.find("Error: ") != std::string_view::npos ||
         line.find("ERROR") != std::string_view::npos || lower.starts_with("podlaunch: cannot") ||
         contains_any(lower, kWords);
}

void RootError::see(std::string_view line) {
  if (!strong_.empty()) return;
  line = without_rank(line);
  if (line.starts_with("Traceback (most recent call last)")) {
    in_traceback_ = true;
    return;
  }
  if (in_traceback_) {
    if (line.starts_with(" ") || line.starts_with("\t")) return;
    in_traceback_ = false;
    strong_ = line;
    return;
  }
  const std::string lower = lower_case(line);
  if (is_strong(lower)) {
    strong_ = line;
  } else if (weak_.empty() && is_weak(line, lower)) {
    weak_ = line;
  }
}

static bool is_word(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}
static bool is_digit(char letter) {
  return std::isdigit(static_cast<unsigned char>(letter)) != 0;
}

// The length of a path at the start of `text`: "/a/b", "./a", "a/b.py"; 0 where there is none.
static std::size_t path_length(std::string_view text) {
  std::size_t length = 0;
  bool slash = false;
  while (length < text.size() &&
         (is_word(text[length]) || std::string_view("/.-+~@").find(text[length]) != std::string_view::npos)) {
    slash = slash || text[length] == '/';
    ++length;
  }
  return slash && length > 1 ? length : 0;
}

static bool is_hex_word(std::string_view word) {
  const bool digits_only_hex = std::all_of(
      word.begin(), word.end(), [](char letter) { return std::isxdigit(static_cast<unsigned char>(letter)) != 0; });
  return digits_only_hex && word.size() >= 6 && std::any_of(word.begin(), word.end(), is_digit);
}

std::string normalise(std::string_view error) {
  std::string plain;
  for (std::size_t i = 0; i < error.size();) {
    const char letter = error[i];
    const bool word_starts = i == 0 || !is_word(error[i - 1]);
    if ((letter == '\'' || letter == '"' || letter == '`') && word_starts) {
      const std::size_t end = error.find(letter, i + 1);
      if (end != std::string_view::npos) {
        plain += "<name>";
        i = end + 1;
        continue;
      }
    }
    if (const std::size_t length = word_starts ? path_length(error.substr(i)) : 0; length > 0) {
      plain += "<path>";
      i += length;
      continue;
    }
    if (!is_word(letter)) {
      plain += letter;
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < error.size() && is_word(error[end])) ++end;
    const std::string_view word = error.substr(i, end - i);
    i = end;
    if (is_hex_word(word) || word.starts_with("0x")) {
      plain += '#';
      continue;
    }
    for (const char part : word) {
      if (!is_digit(part)) plain += part;
      if (is_digit(part) && !plain.ends_with('#')) plain += '#';
    }
  }
  // "12.5" has become "#.#" and "10:31:07" "#:#:#": one number all the same.
  for (const std::string_view joined : {"#.#", "#:#", "#,#", "#-#"}) {
    for (std::size_t at = 0; (at = plain.find(joined, at)) != std::string::npos;) plain.replace(at, joined.size(), "#");
  }
  return plain.substr(0, 300);
}

static Cause classify(base::WaitStatus status, const std::string& lower) {
  static constexpr std::array<std::string_view, 14> kTransient = {"connection refused",
                                                                  "connection reset",
                                                                  "connection aborted",
                                                                  "timed out",
                                                                  "temporary failure in name resolution",
                                                                  "could not resolve host",
                                                                  "name or service not known",
                                                                  "network is unreachable",
                                                                  "service unavailable",
                                                                  "too many requests",
                                                                  "bad gateway",
                                                                  "remote end closed",
                                                                  "no matching distribution found",
                                                                  "max retries exceeded"};
  static constexpr std::array<std::string_view, 10> kEnvironment = {
      "no space left on device", "disk quota exceeded",  "uncorrectable",      "cuda driver",
      "no cuda-capable",         "no nvidia driver",     "input/output error", "device-side hardware",
      "fell off the bus",        "read-only file system"};
  static constexpr std::array<std::string_view, 12> kDeterministic = {
      "syntaxerror", "importerror",      "modulenotfounderror", "nameerror",
      "typeerror",   "keyerror",         "attributeerror",      "filenotfounderror",
      "valueerror",  "indentationerror", "assertionerror",      "out of memory"};
  if (contains_any(lower, kTransient)) return Cause::kTransient;
  if (contains_any(lower, kEnvironment)) return Cause::kEnvironment;
  if (status.kind == base::WaitStatus::Kind::kExited && (status.value == 126 || status.value == 127))
    return Cause::kDeterministic;
  if (contains_any(lower, kDeterministic) || lower.find("outofmemoryerror") != std::string::npos)
    return Cause::kDeterministic;
  return Cause::kUnknown;
}

Failure describe_failure(base::WaitStatus status, std::string_view root_error, bool killed_for_memory) {
  Failure failure;
  std::string error(root_error.substr(0, 500));
  if (killed_for_memory)
    error = "the container's memory limit was reached and the kernel killed a process (out of memory)";
  failure.text = error.empty() ? status.describe() : fmt::format("{}: {}", status.describe(), error);
  failure.signature = fmt::format("{}|{}", status.describe(), normalise(error));
  failure.cause = classify(status, lower_case(error));
  return failure;
}

bool may_blame_checkpoint(const Failure& failure) {
  if (failure.cause == Cause::kTransient || failure.cause == Cause::kEnvironment) return false;
  if (failure.cause != Cause::kDeterministic) return true;
  static constexpr std::array<std::string_view, 8> kWords = {"checkpoint", "ckpt",   "state_dict", "unpickl",
                                                             "pickle",     "tensor", "zip",        "size mismatch"};
  return contains_any(lower_case(failure.text), kWords);
}

static long count_after(const std::string& content, std::string_view name) {
  for (std::size_t at = 0; (at = content.find(name, at)) != std::string::npos; at += name.size()) {
    if (at == 0 || content[at - 1] == '\n') return std::atol(content.c_str() + at + name.size());
  }
  return 0;
}

long out_of_memory_kills() {
  for (const char* path : {"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"}) {
    if (const auto content = base::read_file(path, 4096)) return count_after(*content, "oom_kill ");
  }
  return 0;
}

}  // namespace training
