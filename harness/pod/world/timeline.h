// Which entries of a scenario's timeline are due. Pure: it is told what happened and says what to do.
#pragma once

#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "harness/scenario/scenario.h"

namespace pod {

class Timeline {
 public:
  explicit Timeline(const std::vector<scenario::TimelineEntry>& entries);

  using Due = std::vector<const scenario::TimelineEntry*>;

  // Entries that wait for a time alone, with when they are due; asked once, at the beginning.
  Due timed() const;
  // A boot is about to begin. Its entries without any other condition are due; counts start anew.
  Due boot_begins(int boot);
  Due attempt_begins(int attempt);
  Due step(int step);
  Due log_line(const std::string& line);
  Due program(const std::string& base_name);
  Due syscall(std::string_view name);

  void fired(const scenario::TimelineEntry& entry) { ++fired_[&entry]; }
  // "line 14: step 120" for each entry that never fired.
  std::vector<std::string> pending() const;
  // True when an entry still waits for a time, or for a boot that has not begun: the world must not end before.
  bool waits_for_later() const;

 private:
  template <class Matches>
  Due due(Matches matches);
  bool open(const scenario::TimelineEntry& entry) const;

  const std::vector<scenario::TimelineEntry>& entries_;
  std::map<const scenario::TimelineEntry*, int> fired_;
  std::map<const scenario::TimelineEntry*, int> seen_in_boot_;
  std::map<const scenario::TimelineEntry*, std::regex> patterns_;
  int boot_ = 0;
  int attempt_ = 0;
};

std::string describe(const scenario::Moment& moment);
std::string describe(const scenario::Action& action);

}  // namespace pod
