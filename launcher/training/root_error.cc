// Which line of a failed program's output says why it failed.
//
// Three kinds of line, from what tells most to what tells least:
//   roots         an exception at the end of a traceback; a CUDA, NCCL, memory or hardware error; a crash
//   consequences  what other processes say because one has failed: a collective that timed out, a closed connection, a
//                 worker that was told to end, the launcher's "ChildFailedError"
//   mentions      a line that calls itself an error
// The first of the best kind counts. With several ranks the launcher's summary may name the one that failed first; what
// that rank said then goes before what the others said, whose lines may have come earlier.
//
// Not everything that looks like one is one. An exception that Python ignored while it cleaned up is harmless. One that
// was logged and survived is known by the output that calmly goes on behind it.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <regex>

#include "launcher/training/failure.h"

namespace training {

static constexpr int kNoRank = -1;
static constexpr int kCalmLinesMax = 200;  // so many lines without an error among them: the training went on
static constexpr std::size_t kFoundMax = 32;

static std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char letter) { return std::tolower(letter); });
  return lower;
}

template <std::size_t count>
static bool contains_any(std::string_view text, const std::array<std::string_view, count>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

// torchrun and friends put "[rank3]: " or "[default0]:" before each line of a worker, Open MPI "[1,3]<stderr>:".
static int take_rank(std::string_view& line) {
  if (!line.starts_with("[")) return kNoRank;
  const std::size_t end = std::min(line.find("]:"), line.find(">:"));
  if (end == std::string_view::npos || end > 24) return kNoRank;
  const std::string_view label = line.substr(1, end - 1);
  const bool is_label = label.starts_with("rank") || label.starts_with("default") || label.starts_with("1,");
  const std::size_t digits = label.starts_with("1,") ? 2 : label.find_first_of("0123456789");
  int rank = kNoRank;
  if (!is_label || digits == std::string_view::npos) return kNoRank;
  std::from_chars(label.data() + digits, label.data() + label.size(), rank);
  line.remove_prefix(end + 2);
  if (line.starts_with(" ")) line.remove_prefix(1);
  return rank;
}

// "E0101 12:00:01.123456 140 site-packages/torch/…:642] " and "2026-01-01 12:00:00,123 - " say when, not what.
static std::string_view without_time(std::string_view line) {
  static const std::regex kPrefix(
      R"(^([EWIF]\d{4} [\d:.]+ +\d+ [^\]]{1,120}\] ?|\[?\d{4}-\d\d-\d\d[ T][\d:.,]+Z?\]?[ :-]*))");
  if (line.empty() || std::string_view("EWIF[0123456789").find(line.front()) == std::string_view::npos) return line;
  std::match_results<std::string_view::const_iterator> match;
  if (std::regex_search(line.begin(), line.end(), match, kPrefix))
    line.remove_prefix(static_cast<std::size_t>(match.length()));
  return line;
}

static bool is_consequence(const std::string& lower) {
  static constexpr std::array<std::string_view, 16> kWords = {"childfailederror",
                                                              "watchdog caught collective operation timeout",
                                                              "collective operation timeout",
                                                              "watchdog thread terminated",
                                                              "ncclremoteerror",
                                                              "remote process exited",
                                                              "connection closed by peer",
                                                              "connection closed by remote",
                                                              "broken pipe",
                                                              "brokenpipeerror",
                                                              "signalexception",
                                                              "keyboardinterrupt",
                                                              "dist_c10d",
                                                              "distbackenderror",
                                                              "distnetworkerror",
                                                              "dataloader worker"};
  return contains_any(lower, kWords);
}

static bool is_root(const std::string& lower) {
  static constexpr std::array<std::string_view, 16> kWords = {
      "cuda error",       "cuda out of memory", "outofmemoryerror",   "nccl error",
      "ncclsystemerror",  "ncclinternalerror",  "segmentation fault", "cublas_status",
      "cudnn_status",     "fatal python error", "bus error",          "xid (pci",
      "illegal instruct", "nccl failure",       "signal 9 (sigkill)", "fallen off the bus"};
  return contains_any(lower, kWords);
}

static bool is_mention(std::string_view line, const std::string& lower) {
  static constexpr std::array<std::string_view, 6> kWords = {"no space left on device", "disk quota exceeded",
                                                             "out of memory",           "command not found",
                                                             "cannot execute",          "killed process"};
  return lower.starts_with("error") || lower.starts_with("fatal") || lower.starts_with("panic") ||
         line.find("Error: ") != std::string_view::npos || line.find("ERROR") != std::string_view::npos ||
         lower.starts_with("podlaunch: cannot") || contains_any(lower, kWords);
}

void RootError::take(Weight weight, std::string_view text, int rank) {
  calm_lines_ = 0;
  std::vector<Found>& found = found_[weight];
  const bool known = std::any_of(found.begin(), found.end(), [&](const Found& one) { return one.rank == rank; });
  // The first of each rank is enough.
  if (!known && found.size() < kFoundMax) found.push_back({std::string(text), rank});
}

// torchrun's: "Root Cause (first observed failure):", then "rank      : 3 (local_rank: 3)".
void RootError::see_summary(std::string_view line) {
  if (line.find("Root Cause (first observed failure)") != std::string_view::npos) in_summary_ = true;
  if (!in_summary_) return;
  static const std::regex kRank(R"(^\s*rank\s*:\s*(\d+))");
  std::match_results<std::string_view::const_iterator> match;
  if (!std::regex_search(line.begin(), line.end(), match, kRank)) return;
  int rank = kNoRank;
  const std::string digits = match[1].str();
  std::from_chars(digits.data(), digits.data() + digits.size(), rank);
  blamed_rank_ = rank;
  in_summary_ = false;
}

void RootError::grow_stale() {
  if (++calm_lines_ < kCalmLinesMax) return;
  calm_lines_ = 0;
  found_.clear();
  in_traceback_.clear();
  blamed_rank_.reset();
}

void RootError::see(std::string_view line) {
  const int rank = take_rank(line);
  line = without_time(line);
  see_summary(line);
  if (line.starts_with("Exception ignored in")) next_traceback_is_harmless_ = true;
  if (line.find("Traceback (most recent call last)") != std::string_view::npos) {
    calm_lines_ = 0;
    if (!next_traceback_is_harmless_) in_traceback_.insert(rank);
    next_traceback_is_harmless_ = false;
    return;
  }
  const bool goes_on = line.empty() || line.starts_with(" ") || line.starts_with("\t");
  if (in_traceback_.contains(rank)) {
    if (goes_on) return;
    in_traceback_.erase(rank);
    return take(is_consequence(lower_case(line)) ? Weight::kConsequence : Weight::kRoot, line, rank);
  }
  const std::string lower = lower_case(line);
  if (is_consequence(lower)) return take(Weight::kConsequence, line, rank);
  if (is_root(lower)) return take(Weight::kRoot, line, rank);
  if (is_mention(line, lower)) return take(Weight::kMention, line, rank);
  if (!goes_on) grow_stale();
}

std::string_view RootError::text() const {
  for (const auto& [weight, found] : found_) {
    if (weight == Weight::kMention || !blamed_rank_) continue;
    for (const Found& one : found) {
      if (one.rank == *blamed_rank_) return one.text;
    }
  }
  for (const auto& [weight, found] : found_) {
    if (!found.empty()) return found.front().text;
  }
  return {};
}

}  // namespace training
