#include "launcher/training/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <utility>

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
  // An amount is one whether it is said in MiB or in GiB.
  for (const std::string_view unit : {"# KiB", "# MiB", "# GiB", "# TiB", "# KB", "# MB", "# GB", "# bytes", "# ms"}) {
    for (std::size_t at = 0; (at = plain.find(unit, at)) != std::string::npos;) plain.replace(at, unit.size(), "#");
  }
  return plain.substr(0, 300);
}

// What names one cause however its message goes on: how much was free on which GPU differs each time, and so does the
// exception's name between versions.
static std::string_view well_known(const std::string& lower) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kNames = {{
      {"cuda out of memory", "CUDA out of memory"},
      {"hip out of memory", "HIP out of memory"},
      {"no space left on device", "no space left on device"},
      {"disk quota exceeded", "disk quota exceeded"},
  }};
  for (const auto& [words, name] : kNames) {
    if (lower.find(words) != std::string::npos) return name;
  }
  return {};
}

static Cause classify(base::WaitStatus status, const std::string& lower) {
  static constexpr std::array<std::string_view, 22> kTransient = {"connection refused",
                                                                  "connection reset",
                                                                  "connection aborted",
                                                                  "connectionerror",
                                                                  "timed out",
                                                                  "readtimeout",
                                                                  "temporary failure in name resolution",
                                                                  "failed to resolve",
                                                                  "could not resolve host",
                                                                  "name or service not known",
                                                                  "network is unreachable",
                                                                  "no route to host",
                                                                  "service unavailable",
                                                                  "internal server error",
                                                                  "gateway time-out",
                                                                  "too many requests",
                                                                  "bad gateway",
                                                                  "remote end closed",
                                                                  "incompleteread",
                                                                  "no matching distribution found",
                                                                  "could not find a version that satisfies",
                                                                  "max retries exceeded"};
  static constexpr std::array<std::string_view, 15> kEnvironment = {"no space left on device",
                                                                    "disk quota exceeded",
                                                                    "uncorrectable",
                                                                    "ecc error",
                                                                    "cuda driver",
                                                                    "no cuda-capable",
                                                                    "no cuda gpus are available",
                                                                    "no nvidia driver",
                                                                    "input/output error",
                                                                    "device-side hardware",
                                                                    "fell off the bus",
                                                                    "fallen off the bus",
                                                                    "xid (pci",
                                                                    "read-only file system",
                                                                    "stale file handle"};
  static constexpr std::array<std::string_view, 14> kDeterministic = {"syntaxerror",
                                                                      "importerror",
                                                                      "modulenotfounderror",
                                                                      "nameerror",
                                                                      "typeerror",
                                                                      "keyerror",
                                                                      "attributeerror",
                                                                      "filenotfounderror",
                                                                      "valueerror",
                                                                      "indentationerror",
                                                                      "assertionerror",
                                                                      "out of memory",
                                                                      "device-side assert triggered",
                                                                      "invalid device ordinal"};
  // What the machine did comes first: a CUDA error may be reported through a timed-out collective.
  if (contains_any(lower, kEnvironment)) return Cause::kEnvironment;
  if (contains_any(lower, kTransient)) return Cause::kTransient;
  if (status.kind == base::WaitStatus::Kind::kExited && (status.value == 126 || status.value == 127))
    return Cause::kDeterministic;
  if (contains_any(lower, kDeterministic) || lower.find("outofmemoryerror") != std::string::npos)
    return Cause::kDeterministic;
  return Cause::kUnknown;
}

// PyTorch's message of a full GPU is 600 characters, of which the first two sentences matter.
static std::string brief(const std::string& error) {
  constexpr std::size_t kLengthMax = 200;
  if (error.size() <= kLengthMax) return error;
  const std::size_t word = error.rfind(' ', kLengthMax);
  return error.substr(0, word == std::string::npos ? kLengthMax : word) + " …";
}

Failure describe_failure(base::WaitStatus status, std::string_view root_error, bool killed_for_memory) {
  Failure failure;
  std::string error(root_error.substr(0, 500));
  if (killed_for_memory)
    error = "the container's memory limit was reached and the kernel killed a process (out of memory)";
  failure.text = error.empty() ? status.describe() : fmt::format("{}: {}", status.describe(), brief(error));
  const std::string lower = lower_case(error);
  const std::string_view known = well_known(lower);
  failure.signature = fmt::format("{}|{}", status.describe(), known.empty() ? normalise(error) : std::string(known));
  failure.cause = classify(status, lower);
  return failure;
}

bool may_blame_checkpoint(const Failure& failure) {
  if (failure.cause == Cause::kTransient || failure.cause == Cause::kEnvironment) return false;
  if (failure.cause != Cause::kDeterministic) return true;
  static constexpr std::array<std::string_view, 8> kWords = {"checkpoint", "ckpt",   "state_dict", "unpickl",
                                                             "pickle",     "tensor", "zip",        "size mismatch"};
  return contains_any(lower_case(failure.text), kWords);
}

long out_of_memory_kills_in(const std::string& content) {
  constexpr std::string_view kName = "oom_kill ";
  for (std::size_t at = 0; (at = content.find(kName, at)) != std::string::npos; at += kName.size()) {
    if (at == 0 || content[at - 1] == '\n') return std::atol(content.c_str() + at + kName.size());
  }
  return 0;
}

long out_of_memory_kills() {
  for (const char* path : {"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"}) {
    if (const auto content = base::read_file(path, 4096)) return out_of_memory_kills_in(*content);
  }
  return 0;
}

}  // namespace training
