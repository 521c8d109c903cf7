#include "harness/pod/world/timeline.h"

#include <fmt/format.h>

#include "harness/pod/virtual_time.h"

namespace pod {

using scenario::TimelineEntry;

Timeline::Timeline(const std::vector<TimelineEntry>& entries) : entries_(entries) {
  for (const TimelineEntry& entry : entries_) {
    if (entry.when.log)
      patterns_.emplace(&entry, std::regex(*entry.when.log, std::regex::ECMAScript | std::regex::optimize));
  }
}

bool Timeline::open(const TimelineEntry& entry) const {
  if (entry.when.boot && *entry.when.boot != boot_) return false;
  if (entry.when.attempt && *entry.when.attempt != attempt_) return false;
  return entry.when.every || !fired_.contains(&entry);
}

template <class Matches>
Timeline::Due Timeline::due(Matches matches) {
  Due result;
  for (const TimelineEntry& entry : entries_) {
    if (open(entry) && matches(entry)) result.push_back(&entry);
  }
  for (const TimelineEntry* entry : result) fired(*entry);
  return result;
}

static bool has_more(const scenario::Moment& when) {
  return when.at || when.step || when.log || when.exec || when.syscall;
}

static bool only_boot(const scenario::Moment& when) {
  return when.boot && !when.attempt && !has_more(when);
}

Timeline::Due Timeline::timed() const {
  Due result;
  for (const TimelineEntry& entry : entries_) {
    if (entry.when.at) result.push_back(&entry);
  }
  return result;
}

Timeline::Due Timeline::boot_begins(int boot) {
  boot_ = boot;
  seen_in_boot_.clear();
  return due([](const TimelineEntry& entry) { return only_boot(entry.when); });
}

Timeline::Due Timeline::attempt_begins(int attempt) {
  attempt_ = attempt;
  return due([](const TimelineEntry& entry) { return entry.when.attempt && !has_more(entry.when); });
}

Timeline::Due Timeline::step(int step) {
  return due([&](const TimelineEntry& entry) { return entry.when.step == step; });
}

Timeline::Due Timeline::log_line(const std::string& line) {
  return due(
      [&](const TimelineEntry& entry) { return entry.when.log && std::regex_search(line, patterns_.at(&entry)); });
}

Timeline::Due Timeline::program(const std::string& base_name) {
  return due([&](const TimelineEntry& entry) {
    if (entry.when.exec != base_name) return false;
    return ++seen_in_boot_[&entry] == entry.when.nth || entry.when.every;
  });
}

Timeline::Due Timeline::syscall(std::string_view name) {
  return due([&](const TimelineEntry& entry) {
    if (!entry.when.syscall || *entry.when.syscall != name) return false;
    return ++seen_in_boot_[&entry] == entry.when.nth;
  });
}

std::vector<std::string> Timeline::pending() const {
  std::vector<std::string> result;
  for (const TimelineEntry& entry : entries_) {
    if (!fired_.contains(&entry)) result.push_back(fmt::format("line {}: {}", entry.line, describe(entry.when)));
  }
  return result;
}

bool Timeline::waits_for_later() const {
  for (const TimelineEntry& entry : entries_) {
    if (fired_.contains(&entry)) continue;
    if (entry.when.at || (entry.when.boot && *entry.when.boot > boot_)) return true;
  }
  return false;
}

std::string describe(const scenario::Moment& moment) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (moment.at) add("at " + clock_text(*moment.at));
  if (moment.boot) add(fmt::format("boot {}", *moment.boot));
  if (moment.attempt) add(fmt::format("attempt {}", *moment.attempt));
  if (moment.step) add(fmt::format("step {}", *moment.step));
  if (moment.log) add("log /" + *moment.log + "/");
  if (moment.exec) add("exec " + *moment.exec);
  if (moment.syscall) add(*moment.syscall);
  if (moment.nth != 1) add(fmt::format("number {}", moment.nth));
  if (moment.after > scenario::Duration::zero()) add(clock_text(moment.after) + " later");
  return text;
}

namespace {

struct Describe {
  std::string operator()(const scenario::SpotInterrupt&) const { return "spot interruption"; }
  std::string operator()(const scenario::KillContainer&) const { return "container killed"; }
  std::string operator()(const scenario::RecreatePod&) const { return "pod recreated"; }
  std::string operator()(const scenario::NetworkDown& down) const {
    return down.lasting > scenario::Duration::zero() ? "network down for " + clock_text(down.lasting)
                                                     : "network down for good";
  }
  std::string operator()(const scenario::NetworkFault& fault) const {
    std::string text = fmt::format("{}: {}", fault.service, fault.fault);
    if (fault.request > 1) text += fmt::format(", from request {} on", fault.request);
    if (fault.after_percent > 0) text += fmt::format(", after {}% of the answer", fault.after_percent);
    if (fault.after_bytes > 0) text += fmt::format(", after {} bytes", fault.after_bytes);
    if (fault.times > 0) text += fault.times == 1 ? ", once" : fmt::format(", {} times", fault.times);
    if (fault.lasting > scenario::Duration::zero()) return text + ", for " + clock_text(fault.lasting);
    return fault.times == 0 ? text + ", for good" : text;
  }
  std::string operator()(const scenario::UpstreamCommit&) const { return "a commit upstream"; }
  std::string operator()(const scenario::UserEdit& edit) const {
    switch (edit.kind) {
      case scenario::EditKind::kModify:
        return "the user edits " + edit.path;
      case scenario::EditKind::kUntracked:
        return "the user writes " + edit.path;
      case scenario::EditKind::kCommit:
        return "the user commits " + edit.path;
      case scenario::EditKind::kStash:
        return "the user stashes " + edit.path;
    }
    return "the user edits";
  }
  std::string operator()(const scenario::GitDamage& damage) const { return "damage to .git: " + damage.kind; }
  std::string operator()(const scenario::TrainerFault& fault) const {
    switch (fault.kind) {
      case scenario::TrainerFaultKind::kCrash:
        return "the trainer crashes";
      case scenario::TrainerFaultKind::kOutOfMemory:
        return "the trainer runs out of memory";
      case scenario::TrainerFaultKind::kSegfault:
        return "the trainer dies of SIGSEGV";
      case scenario::TrainerFaultKind::kExitZero:
        return "the trainer exits 0";
      case scenario::TrainerFaultKind::kHang:
        return "the trainer hangs";
      case scenario::TrainerFaultKind::kSaveExitOne:
        return "the trainer saves a checkpoint and exits 1";
      case scenario::TrainerFaultKind::kKillsContainer:
        return "the trainer takes all memory: everything in the container is killed";
      case scenario::TrainerFaultKind::kFinishExitOne:
        return "the trainer will finish and exit 1";
    }
    return "the trainer fails";
  }
  std::string operator()(const scenario::ProviderFault& fault) const {
    const char* api = fault.api == scenario::ProviderApi::kBoth   ? "the provider's API"
                      : fault.api == scenario::ProviderApi::kRest ? "the provider's REST API"
                                                                  : "the provider's GraphQL API";
    const std::string lasting =
        fault.lasting > scenario::Duration::zero() ? "for " + clock_text(fault.lasting) : "for good";
    return fmt::format("{}: {} {}", api, fault.kind, lasting);
  }
  std::string operator()(const scenario::PipFails& pip) const {
    return pip.times == 0 ? "pip fails from now on" : fmt::format("pip fails {} times", pip.times);
  }
  std::string operator()(const scenario::ClockJump& jump) const {
    const bool back = jump.by < scenario::Duration::zero();
    return fmt::format("the clock jumps {} by {}", back ? "back" : "forward", clock_text(back ? -jump.by : jump.by));
  }
  std::string operator()(const scenario::FileDamage& damage) const {
    return fmt::format("{} is damaged: {}", damage.path, name(damage.kind));
  }
  std::string operator()(const scenario::DiskFault& fault) const {
    return fmt::format("the disk {} is {}{}", fault.disk, name(fault.kind),
                       fault.lasting > scenario::Duration::zero() ? " for " + clock_text(fault.lasting) : " for good");
  }
  std::string operator()(const scenario::EnvironmentChange& change) const {
    std::string names;
    for (const auto& [name, value] : change.variables) names += " " + name;
    return "the environment changes from the next boot on:" + names;
  }
  std::string operator()(const scenario::Exec& exec) const {
    return fmt::format("somebody runs: {}", fmt::join(exec.command, " "));
  }
  std::string operator()(const scenario::GpuFault& fault) const {
    return fmt::format("GPU {} is {}", fault.index, name(fault.kind));
  }
  std::string operator()(const scenario::NvidiaSmiFault& fault) const {
    return fmt::format("nvidia-smi {}", name(fault.kind));
  }
};

}  // namespace

std::string describe(const scenario::Action& action) {
  return std::visit(Describe{}, action);
}

}  // namespace pod
