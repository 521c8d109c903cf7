#include "harness/sweep/witness.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "base/check.h"
#include "base/unique_fd.h"
#include "harness/sweep/fault_address.h"
#include "harness/witness/strace.h"

namespace sweep {

namespace {

using nlohmann::json;
using witness::Counts;

// What one of the two plays has to say; it crosses from a process to its parent.
struct Watched {
  std::string error;
  Counts counts;
  std::size_t lines = 0;  // that the boot printed
};

std::string to_message(const Watched& watched) {
  json counts = json::array();
  for (const auto& [caller, tally] : watched.counts)
    counts.push_back({caller.process, caller.syscall, caller.file, tally.calls, tally.bytes});
  return json{{"error", watched.error}, {"counts", counts}, {"lines", watched.lines}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
}

Watched from_message(const std::string& text) {
  const json all = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!all.is_object()) return {.error = "the play ended without a word", .counts = {}, .lines = 0};
  Watched watched{.error = all.at("error"), .counts = {}, .lines = all.at("lines")};
  for (const auto& one : all.at("counts")) watched.counts[{one.at(0), one.at(1), one.at(2)}] = {one.at(3), one.at(4)};
  return watched;
}

// Counts what the stage reports of one boot.
class Counter : public pod::PointWatcher {
 public:
  explicit Counter(const pod::World& world) : finder_(world.disks()) {}

  void boot_begins(int) override {}
  void disks_touched() override {}
  stage::Order changing(const stage::Change& change) override {
    if (!finder_.on_disk(change)) return stage::GoUnwatched{};
    const bool opens = change.syscall.use == stage::Use::kOpen;
    const bool counts = opens ? change.creates || change.truncates || change.opens_other
                              : change.syscall.number != SYS_close && finder_.find(change).has_value();
    if (counts) under_way_.insert(change.thread);
    return stage::GoOn{};
  }
  void changed(const stage::Change& change, long result) override {
    if (under_way_.erase(change.thread) == 0 || result < 0) return;
    const bool on_an_open_file = change.descriptor >= 0;
    auto& tally =
        counts_[{change.process.spawn_path, std::string(change.syscall.name), on_an_open_file ? change.path : ""}];
    ++tally.calls;
    tally.bytes += static_cast<std::uint64_t>(result);
  }
  void boot_ended(int) override {}

  const Counts& counts() const { return counts_; }

 private:
  PointFinder finder_;
  std::set<pid_t> under_way_;
  Counts counts_;
};

base::Result<pod::Branch> branch_left_alone(const Backstage& backstage) {
  auto branch = enter_branch(backstage);
  if (!branch) return branch;
  branch->left_alone = true;
  branch->materials.environment["TRAINER_STEP_SECONDS"] = "0";
  branch->fill = [&backstage](const pod::Disks& disks) { return write_disks(backstage.recorder->image(), disks); };
  return branch;
}

Watched watch_on_stage(const Backstage& backstage) {
  Watched watched;
  auto branch = branch_left_alone(backstage);
  if (!branch) return {.error = branch.error().message(), .counts = {}, .lines = 0};
  Counter counter(*backstage.world);
  branch->materials.points = &counter;
  const auto record = backstage.world->branch(std::move(*branch));
  if (!record) return {.error = record.error().message(), .counts = {}, .lines = 0};
  watched.counts = counter.counts();
  const int boot = static_cast<int>(record->boots.size());
  watched.lines = static_cast<std::size_t>(std::ranges::count(record->log, boot, &pod::LogLine::boot));
  return watched;
}

Watched watch_with_strace(const Backstage& backstage, const std::string& strace, std::size_t lines) {
  auto branch = branch_left_alone(backstage);
  if (!branch) return {.error = branch.error().message(), .counts = {}, .lines = 0};
  const std::string folder = branch->materials.folder;
  auto boot = backstage.world->launch_unstaged(std::move(*branch));
  if (!boot) return {.error = boot.error().message(), .counts = {}, .lines = 0};
  auto counts = witness::watch(std::move(*boot), lines, strace, folder);
  if (!counts) return {.error = counts.error().message(), .counts = {}, .lines = 0};
  return {.error = {}, .counts = std::move(*counts), .lines = lines};
}

// In a process of its own, since a branch is entered for good.
Watched apart(const std::function<Watched()>& watch) {
  constexpr int kMillisecondsMax = 300'000;
  std::array<int, 2> pipe{};
  CHECK(::pipe2(pipe.data(), O_CLOEXEC) == 0);
  const pid_t parent = ::getpid();
  const pid_t id = ::fork();
  CHECK(id >= 0);
  if (id == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const std::string message = to_message(watch());
    for (std::size_t written = 0; written < message.size();) {
      const ssize_t size = ::write(pipe[1], message.data() + written, message.size() - written);
      if (size <= 0) ::_exit(1);
      written += static_cast<std::size_t>(size);
    }
    ::_exit(0);
  }
  ::close(pipe[1]);
  const base::UniqueFd from(pipe[0]);
  std::string text;
  std::array<char, 16384> buffer;
  while (true) {
    pollfd poll{from.get(), POLLIN, 0};
    if (::poll(&poll, 1, kMillisecondsMax) != 1) break;
    const ssize_t size = ::read(from.get(), buffer.data(), buffer.size());
    if (size <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  ::kill(id, SIGKILL);
  ::waitpid(id, nullptr, 0);
  return from_message(text);
}

// On the stage names are drawn alike in every play; on the machine's own random bytes they are not.
Counts without_random_names(const Counts& counts) {
  static const std::regex drawn("[0-9a-f]{8,}");
  Counts result;
  for (const auto& [caller, tally] : counts) {
    const std::string file = sweep::without_random_names(std::regex_replace(caller.file, drawn, "#"));
    witness::Tally& sum = result[{caller.process, caller.syscall, file}];
    sum.calls += tally.calls;
    sum.bytes += tally.bytes;
  }
  return result;
}

}  // namespace

Testimony compare(int boot, const Counts& stage, const Counts& strace) {
  const Counts ours = without_random_names(stage);
  const Counts theirs = without_random_names(strace);
  std::map<witness::Caller, std::pair<witness::Tally, witness::Tally>> both;
  for (const auto& [caller, tally] : ours) both[caller].first = tally;
  std::set<std::string> processes;
  std::size_t calls = 0;
  for (const auto& [caller, tally] : theirs) {
    both[caller].second = tally;
    processes.insert(caller.process);
    calls += tally.calls;
  }
  Testimony testimony;
  for (const auto& [caller, tallies] : both) {
    const auto& [on_stage, by_strace] = tallies;
    if (on_stage.calls == by_strace.calls || (on_stage.bytes > 0 && on_stage.bytes == by_strace.bytes)) continue;
    testimony.not_covered.push_back(
        fmt::format("in boot {}, of {}{}{} by {} strace counts {} calls and {} bytes, the stage {} and {}", boot,
                    caller.syscall, caller.file.empty() ? "" : " to ", caller.file, caller.process, by_strace.calls,
                    by_strace.bytes, on_stage.calls, on_stage.bytes));
  }
  testimony.text = testimony.not_covered.empty()
                       ? fmt::format(
                             "boot {}: strace and the stage both count {} calls by {} processes that change a "
                             "disk",
                             boot, calls, processes.size())
                       : fmt::format("boot {}: strace and the stage disagree", boot);
  return testimony;
}

Testimony witness_boot(const Backstage& backstage, int boot, const std::string& strace) {
  const Watched stage = apart([&] { return watch_on_stage(backstage); });
  const Watched other =
      stage.error.empty() ? apart([&] { return watch_with_strace(backstage, strace, stage.lines); }) : Watched();
  const std::string error = stage.error.empty() ? other.error : stage.error;
  if (error.empty()) return compare(boot, stage.counts, other.counts);
  return {fmt::format("boot {}: strace could not be asked", boot),
          {fmt::format("no witness of boot {}: {}", boot, error)}};
}

}  // namespace sweep
