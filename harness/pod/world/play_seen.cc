// What the world sees of its command: output, paths, syscalls, programs, and what the trainer marks.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <regex>

#include "harness/pod/world/play.h"

namespace pod {

void World::Play::event(EventKind kind, std::string text, int step) {
  if (kind == EventKind::kHeal) starts_.clear();
  record_.events.push_back({.at = now(),
                            .boot = static_cast<int>(record_.boots.size()),
                            .kind = kind,
                            .text = std::move(text),
                            .step = step});
}

bool World::Play::drain() {
  bool some = false;
  std::array<char, 16384> buffer;
  ssize_t size = 0;
  while (output_read_.valid() && (size = ::read(output_read_.get(), buffer.data(), buffer.size())) > 0) {
    some = true;
    unfinished_line_.append(buffer.data(), static_cast<std::size_t>(size));
    std::size_t end = 0;
    while ((end = unfinished_line_.find('\n')) != std::string::npos) {
      std::string line = unfinished_line_.substr(0, end);
      unfinished_line_.erase(0, end + 1);
      take_line(std::move(line));
    }
  }
  return drain_visits() || some;
}

void World::Play::take_line(std::string line) {
  if (!line.empty() && line.back() == '\r') line.pop_back();
  // Lines that tell a reader of the timeline where the command is.
  static const std::regex notable(
      R"(^podlaunch: (phase|hold|finished|retry)|^fatal:|^error:|^ERROR|^Cloning into|^bash: )");
  if (std::regex_search(line, notable)) event(EventKind::kPhase, line);
  record_.log.push_back({now(), static_cast<int>(record_.boots.size()), line});
  act_on(timeline_.log_line(record_.log.back().text));
}

void World::Play::path_used(const stage::PathUse& use) {
  observation_.note(use);
}

void World::Play::syscall_entered(const stage::Process&, const stage::Syscall& syscall) {
  const auto due = timeline_.syscall(syscall.name);
  if (!due.empty()) act_on(due);
}

void World::Play::executed(const stage::Process& process) {
  count_start(process);
  act_on(timeline_.program(process.program.substr(process.program.rfind('/') + 1)));
}

int World::Play::mark(const stage::Process& process, const std::string& what) {
  if (what.starts_with("pip")) return pip_mark(what);
  if (what.starts_with("provider/")) return provider_mark(what.substr(9));
  if (what.starts_with("network/")) return network_mark(what.substr(8));
  const auto slash = what.find('/');
  if (slash == std::string::npos) return ENOENT;
  return trainer_mark(process, what.substr(0, slash), std::atoi(what.c_str() + slash + 1));
}

int World::Play::trainer_mark(const stage::Process& process, const std::string& kind, int number) {
  drain();
  note_activity();
  if (kind == "start") {
    trainer_ = process.id;
    attempt_ = record_.attempts.size();
    record_.attempts.push_back(Attempt{.boot = static_cast<int>(record_.boots.size()),
                                       .start = now(),
                                       .end = now(),
                                       .from_step = number,
                                       .last_step = number,
                                       .finished = false});
    event(EventKind::kAttempt, fmt::format("training from step {}", number), number);
    act_on(timeline_.attempt_begins(static_cast<int>(record_.attempts.size())));
    return ENOENT;
  }
  if (!attempt_) return ENOENT;
  Attempt& attempt = record_.attempts[*attempt_];
  if (kind == "step") {
    attempt.last_step = number;
    if (number > best_step_) starts_.clear();
    best_step_ = std::max(best_step_, number);
    return order_for_trainer(timeline_.step(number));
  }
  if (kind == "checkpoint") event(EventKind::kCheckpoint, fmt::format("checkpoint {}", number), number);
  if (kind == "finished") {
    attempt.finished = true;
    finished_ = true;
    event(EventKind::kFinished, fmt::format("training finished at step {}", number));
  }
  return ENOENT;
}

}  // namespace pod
