#include "harness/report/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "harness/oracle/words.h"
#include "harness/report/text.h"

namespace report {

namespace {

using oracle::clock_text;
using oracle::length_text;

constexpr std::size_t alike_shown_max = 3;  // longer rows of boots that went alike are shortened
constexpr std::size_t time_width = 9;       // 999:59:59

// One event, or a row of them that is told at once: checkpoints, or the same words again and again.
struct Entry {
  pod::Event event;  // the first
  pod::Event last;
  int count = 1;
};

bool is_told_by_the_block(pod::EventKind kind) {
  return kind == pod::EventKind::kBoot || kind == pod::EventKind::kBootEnd;
}

bool continues(const Entry& entry, const pod::Event& event) {
  if (entry.event.kind != event.kind) return false;
  return event.kind == pod::EventKind::kCheckpoint || entry.event.text == event.text;
}

std::vector<Entry> entries_of(const pod::WorldRecord& record, int boot_number) {
  std::vector<Entry> entries;
  for (const auto& event : record.events) {
    if (event.boot != boot_number || is_told_by_the_block(event.kind)) continue;
    if (!entries.empty() && continues(entries.back(), event)) {
      entries.back().last = event;
      ++entries.back().count;
    } else {
      entries.push_back({event, event, 1});
    }
  }
  return entries;
}

// "podlaunch: phase checkout: cloned" says no more here than "checkout: cloned".
std::string without_speaker(std::string text) {
  for (const std::string_view prefix : {"podlaunch: ", "phase "}) {
    if (text.starts_with(prefix)) text.erase(0, prefix.size());
  }
  return text;
}

std::string entry_text(const Entry& entry) {
  const auto& text = entry.event.text;
  switch (entry.event.kind) {
    case pod::EventKind::kCheckpoint:
      if (entry.count == 1) return text;
      return fmt::format("{} checkpoints, of steps {} to {}", entry.count, entry.event.step, entry.last.step);
    case pod::EventKind::kFault:
      return "⚡ " + text;
    case pod::EventKind::kTrainerEnd:
      return "training ended: " + text;
    default:
      if (entry.count == 1) return without_speaker(text);
      return fmt::format("{} × {}", entry.count, without_speaker(text));
  }
}

std::string line(std::string_view bar, pod::Duration at, const std::string& text, const Style& style,
                 pod::EventKind kind = pod::EventKind::kNote) {
  const auto time = fmt::format("{:>{}}", clock_text(at), time_width);
  const auto words = fitted(text, page_width - time_width - 6);
  const bool striking = kind == pod::EventKind::kFault || kind == pod::EventKind::kHeal;
  const bool good = kind == pod::EventKind::kFinished;
  return fmt::format(" {} {}  {}", style.dim(bar), style.dim(time),
                     striking ? style.fault(words) : (good ? style.good(words) : words));
}

std::string end_text(const pod::Boot& boot) {
  const auto length = length_text(boot.end - boot.start);
  switch (boot.ended_by) {
    case pod::BootEnd::kOwnExit:
      return fmt::format("ended by itself after {}: {}", length, boot.status.describe());
    case pod::BootEnd::kInterrupted:
      return fmt::format("interrupted after {}: {}", length, boot.status.describe());
    case pod::BootEnd::kKilled:
      return fmt::format("killed after {}", length);
    case pod::BootEnd::kRecreated:
      return fmt::format("taken away with its container disk after {}", length);
    case pod::BootEnd::kStopped:
      return fmt::format("stopped by the provider after {}", length);
    case pod::BootEnd::kStillRunning:
      return fmt::format("still running after {}, when the world ended", length);
  }
  return "ended";
}

// The last thing that a boot said before it failed.
const pod::LogLine* last_words(const pod::WorldRecord& record, const pod::Boot& boot) {
  if (boot.ended_by != pod::BootEnd::kOwnExit || boot.status.success()) return nullptr;
  const auto last = std::find_if(record.log.rbegin(), record.log.rend(), [&](const pod::LogLine& candidate) {
    return candidate.boot == boot.number && !candidate.text.empty();
  });
  return last == record.log.rend() ? nullptr : &*last;
}

void add_block(const pod::WorldRecord& record, const pod::Boot& boot, const Style& style,
               std::vector<std::string>& lines) {
  const auto time = fmt::format("{:>{}}", clock_text(boot.start), time_width);
  lines.push_back(fmt::format(" {} {}  {} {}", style.dim("┌"), style.dim(time),
                              style.bold(fmt::format("boot {}", boot.number)),
                              style.dim(fitted(boot.pod_id.empty() ? "" : "on pod " + boot.pod_id, 60))));
  const auto entries = entries_of(record, boot.number);
  const auto after =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.event.at > boot.end; });
  for (auto entry = entries.begin(); entry != after; ++entry) {
    lines.push_back(line("│", entry->event.at, entry_text(*entry), style, entry->event.kind));
  }
  const auto* words = last_words(record, boot);
  const auto told = [&](const Entry& entry) { return words != nullptr && entry.event.text == words->text; };
  if (words != nullptr && std::none_of(entries.begin(), after, told)) {
    lines.push_back(line("│", words->at, "“" + words->text + "”", style));
  }
  lines.push_back(line("└", boot.end, end_text(boot), style));
  for (auto entry = after; entry != entries.end(); ++entry) {
    lines.push_back(line("•", entry->event.at, entry_text(*entry), style, entry->event.kind));
  }
}

// What two boots must share to be told as one.
bool alike(const pod::WorldRecord& record, const pod::Boot& a, const pod::Boot& b) {
  if (a.ended_by != b.ended_by || a.ended_by == pod::BootEnd::kStillRunning || !(a.status == b.status)) return false;
  const auto kinds = [&](const pod::Boot& boot) {
    std::vector<pod::EventKind> story;
    for (const auto& entry : entries_of(record, boot.number)) story.push_back(entry.event.kind);
    return story;
  };
  return kinds(a) == kinds(b);
}

std::size_t end_of_row(const pod::WorldRecord& record, std::size_t first) {
  std::size_t end = first + 1;
  while (end < record.boots.size() && alike(record, record.boots[first], record.boots[end])) ++end;
  return end;
}

std::string condensed(const pod::WorldRecord& record, std::size_t first, std::size_t end, const Style& style) {
  const auto count = end - first;
  const auto spacing = (record.boots[end].start - record.boots[first].start) / static_cast<std::ptrdiff_t>(count);
  const auto text =
      fmt::format("{} went the same way, {} apart", oracle::count_text(count, "more boot"), length_text(spacing));
  return fmt::format(" {} {:>{}}  {}", style.dim("⋮"), "", time_width, style.bold(text));
}

}  // namespace

std::vector<std::string> timeline_lines(const pod::WorldRecord& record, const Style& style) {
  std::vector<std::string> lines;
  for (const auto& entry : entries_of(record, 0)) {
    lines.push_back(line("•", entry.event.at, entry_text(entry), style, entry.event.kind));
  }
  std::size_t next = 0;
  while (next < record.boots.size()) {
    const std::size_t end = end_of_row(record, next);
    const bool shorten = end - next > alike_shown_max + 1;
    const std::size_t shown_first = shorten ? next + alike_shown_max - 1 : end;
    for (; next < shown_first; ++next) add_block(record, record.boots[next], style, lines);
    if (!shorten) continue;
    lines.push_back(condensed(record, next, end - 1, style));
    add_block(record, record.boots[end - 1], style, lines);
    next = end;
  }
  return lines;
}

}  // namespace report
