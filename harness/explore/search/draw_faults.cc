#include "harness/explore/search/draw_faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "harness/scenario/names.h"

namespace explore {

using base::Random;
using scenario::Action;
using scenario::Duration;
using scenario::Moment;
using scenario::Scenario;
using scenario::TimelineEntry;
using namespace std::chrono_literals;

namespace {

using Timeline = std::vector<TimelineEntry>;

template <class T>
const T& pick(Random& random, const std::vector<T>& values) {
  return values[random.below(values.size())];
}

// Uneven, so that no two things happen at the same moment by design.
Duration some_seconds(Random& random, int least, int most) {
  const auto width = static_cast<std::uint64_t>(most - least);
  return std::chrono::seconds(least + static_cast<int>(random.below(width))) + 900ms;
}

Moment at_boot(int boot) {
  Moment moment;
  moment.boot = boot;
  return moment;
}

class Draw {
 public:
  Draw(Random& random, const Scenario& scenario, Timeline& timeline)
      : random_(random), scenario_(scenario), timeline_(timeline) {}

  // One of them is one fault, with what it needs to come to bear.
  void interruption() {
    Action action = scenario::KillContainer{};
    switch (random_.below(4)) {
      case 0:
        action = scenario::SpotInterrupt{};
        break;
      case 1:
        action = scenario::SpotInterrupt{.grace = 0s};
        break;
      case 2:
        action = scenario::RecreatePod{};
        break;
      default:
        break;
    }
    add(interrupted_at(), action);
  }

  void network_down() { add(early_boot(), scenario::NetworkDown{some_seconds(random_, 20, 400)}); }

  void network_fault() {
    scenario::NetworkFault fault;
    fault.fault = pick(random_, scenario::network_fault_names());
    fault.service = has_setup() && random_.chance(1, 4) ? "pip" : "git";
    spoils(fault);
    add(early_boot(), fault);
  }

  // What the pod's end hangs on.
  void provider_fails() {
    if (!scenario_.provider) return network_fault();
    if (random_.chance(1, 2)) {
      scenario::ProviderFault fault;
      fault.kind = pick(random_, scenario::provider_fault_names());
      fault.api = static_cast<scenario::ProviderApi>(random_.below(3));
      fault.lasting = some_seconds(random_, 60, 3000);
      return add(at_step(), fault);
    }
    scenario::NetworkFault fault;
    do {
      fault.fault = pick(random_, scenario::network_fault_names());
    } while (fault.fault.ends_with("-pack"));
    fault.service = "provider";
    spoils(fault);
    add(at_step(), fault);
  }

  void package_index() {
    if (!has_setup()) return network_fault();
    add(at_boot(1), scenario::PipFails{1 + static_cast<int>(random_.below(3))});
  }

  void upstream_moves() {
    scenario::UpstreamCommit commit;
    if (random_.chance(1, 2)) commit = {"README.md", fmt::format("Release {}\n", random_.below(1000))};
    add(at_step(), commit);
    interruption();
  }

  void user_works() {
    add(at_step(), work());
    if (random_.chance(1, 2)) add(at_step(), scenario::UpstreamCommit{"README.md", "Upstream says otherwise.\n"});
    interruption();
  }

  void git_damage() {
    add(at_step(), damage());
    interruption();
  }

  // What loses work is mostly three things at once, in this order: the user has some, upstream or the disk changes what
  // lies beside it, and the next boot finds both.
  void work_in_danger() {
    Moment moment;
    moment.step = 2 + static_cast<int>(random_.below(static_cast<std::uint64_t>(scenario_.trainer.steps) / 2));
    const auto next = [&](const Action& action) {
      add(moment, action);
      ++*moment.step;
    };
    for (auto pieces = 1 + random_.below(3); pieces > 0; --pieces) next(work());
    if (random_.chance(2, 3)) next(scenario::UpstreamCommit{pick(random_, kTouched), "Upstream says otherwise.\n"});
    if (random_.chance(1, 2)) next(damage());
    next(random_.chance(1, 3) ? Action(scenario::SpotInterrupt{}) : Action(scenario::KillContainer{}));
    if (random_.chance(1, 2)) interruption();
  }

  void checkpoint_damage() {
    using enum scenario::FileDamageKind;
    scenario::FileDamage damage{};
    damage.kind = pick(random_, std::vector<scenario::FileDamageKind>{kTear, kZero, kHole, kGarbage, kDelete});
    damage.path = scenario_.trainer.checkpoint_folder + "/checkpoint-*.json";
    damage.last = true;
    Moment moment;
    moment.step = std::min(scenario_.trainer.steps, 2 * scenario_.trainer.checkpoint_every + 3);
    add(moment, damage);
    moment.step = std::min(scenario_.trainer.steps, *moment.step + 1);
    add(moment, scenario::KillContainer{});
  }

  void trainer_fails() {
    using enum scenario::TrainerFaultKind;
    std::vector<scenario::TrainerFaultKind> kinds{kCrash,    kOutOfMemory, kSegfault,
                                                  kExitZero, kSaveExitOne, kKillsContainer};
    // Nobody notices a hang without being asked to, or takes exit 1 for success.
    const auto& command = scenario_.start.command;
    if (std::ranges::count(command, "--done-when") > 0) kinds.push_back(kFinishExitOne);
    if (std::ranges::count(command, "--stall-timeout") > 0) kinds.push_back(kHang);
    Moment moment = at_step();
    const scenario::TrainerFault fault{pick(random_, kinds)};
    // Once, each time, or until somebody has mended it.
    const auto how = random_.below(4);
    moment.every = how == 0;
    const int attempts = how == 1 ? 3 + static_cast<int>(random_.below(3)) : 1;
    for (int attempt = 1; attempt <= attempts; ++attempt) {
      if (attempts > 1) moment.attempt = attempt;
      add(moment, fault);
    }
  }

  void clock_jumps() {
    const Duration by = pick(random_, std::vector<Duration>{5min, 2h, 400 * 24h});
    add(at_step(), scenario::ClockJump{random_.chance(1, 2) ? by : -by});
  }

  void disk_fails() {
    scenario::DiskFault fault{};
    fault.kind = static_cast<scenario::DiskFaultKind>(random_.below(5));
    fault.disk = scenario_.pod.disks.front().mount_path;
    fault.lasting = random_.chance(1, 2) ? some_seconds(random_, 20, 300) : some_seconds(random_, 600, 3000);
    fault.unkillable = fault.kind == scenario::DiskFaultKind::kHanging && random_.chance(1, 3);
    add(random_.chance(1, 3) ? at_boot(1) : at_step(), fault);
  }

  void gpu_fails() {
    const Moment when = random_.chance(1, 2) ? at_boot(1) : at_step();
    if (random_.chance(2, 3)) {
      const auto count = 1 + random_.below(static_cast<std::uint64_t>(scenario_.pod.gpus));
      for (int index = 0; index < static_cast<int>(count); ++index)
        add(when, scenario::GpuFault{.kind = static_cast<scenario::GpuFaultKind>(random_.below(4)), .index = index});
    } else {
      add(when, scenario::NvidiaSmiFault{static_cast<scenario::NvidiaSmiKind>(1 + random_.below(4))});
    }
    // A new host has other GPUs.
    Moment later = when;
    later.after = some_seconds(random_, 60, 600);
    add(later, scenario::RecreatePod{});
  }

  // Somebody spoils the pod's template, or only changes it, and puts it back later; each needs a new container.
  void environment_changes() {
    if (!scenario_.start.is_podlaunch) return interruption();
    const auto there = [&](const std::string& name) {
      const auto found = scenario_.pod.environment.find(name);
      return found == scenario_.pod.environment.end() ? std::optional<std::string>() : found->second;
    };
    const bool secret = there(kDrawnSecret) && random_.chance(1, 2);
    const std::string name = secret ? kDrawnSecret : "PODLAUNCH_UPDATE";
    const auto value = pick(random_, std::vector<std::string>{"never", "always", "sometimes"});
    Duration at = some_seconds(random_, 20, 120);
    template_becomes(at, name, secret ? std::nullopt : std::optional<std::string>(value));
    at += some_seconds(random_, 60, 900);
    template_becomes(at, name, there(name));
  }

  // What was forgotten is set, some time.
  void secret_is_set() {
    template_becomes(some_seconds(random_, 20, 900), kDrawnSecret, std::string(kDrawnSecretValue));
  }

  // After each hold that is to be expected, and once more: somebody sees it, and everything is well again by then.
  void somebody_comes_back() {
    const std::size_t times = timeline_.size() + 1;
    for (std::size_t i = 0; i < times; ++i) {
      Moment moment;
      moment.log = kHoldsLine;
      moment.after = 20min + static_cast<int>(i) * 1h;
      add(moment, scenario::Exec{{"podlaunch", "resume"}});
    }
  }

  void somebody_looks() {
    if (!scenario_.start.is_podlaunch) return interruption();
    add(at_step(),
        scenario::Exec{{"podlaunch", pick(random_, std::vector<std::string>{"status", "doctor", "resume"})}});
  }

 private:
  // What both the user and upstream write to. Few names, so that they meet.
  inline static const std::vector<std::string> kTouched{"README.md", "areal/__init__.py", "notes-1.md", "notes-2.md"};

  scenario::UserEdit work() {
    scenario::UserEdit edit;
    using enum scenario::EditKind;
    edit.kind = pick(random_, std::vector<scenario::EditKind>{kModify, kUntracked, kCommit, kCommit, kStash});
    const auto first = edit.kind == scenario::EditKind::kUntracked ? 2U : 0U;
    edit.path = kTouched[first + random_.below(2)];
    if (edit.kind == scenario::EditKind::kCommit) edit.path = pick(random_, kTouched);
    edit.content = fmt::format("what the user found out in hour {} of the night\n", random_.below(1000));
    return edit;
  }

  // As interrupted programs leave the git folder, or one of its files as a bad disk does.
  Action damage() {
    if (random_.chance(1, 2)) return scenario::GitDamage{pick(random_, scenario::damage_names())};
    using enum scenario::FileDamageKind;
    static const std::vector<std::string> files{
        "HEAD",    "config",          "index",     "packed-refs",         "refs/heads/*",
        "refs/*",  "logs/HEAD",       "ORIG_HEAD", "objects/pack/*.pack", "objects/pack/*.idx",
        "objects", "objects/[0-9]*/*"};
    scenario::FileDamage damage{};
    damage.kind = pick(random_, std::vector<scenario::FileDamageKind>{kTear, kZero, kHole, kGarbage, kDelete, kFolder});
    damage.path = scenario_.start.checkout + "/.git/" + pick(random_, files);
    const bool folder = damage.path.ends_with("objects") || damage.path.ends_with("refs/*");
    if (folder) damage.kind = kDelete;
    damage.last = random_.chance(1, 2);
    return damage;
  }

  // Which requests it strikes, for how long, and where.
  void spoils(scenario::NetworkFault& fault) {
    fault.request = 1 + static_cast<int>(random_.below(2));
    fault.times = 1 + static_cast<int>(random_.below(3));
    const bool has_place = fault.fault == "reset" || fault.fault == "stall" || fault.fault.ends_with("-pack");
    if (has_place && fault.service != "pip") fault.after_percent = static_cast<int>(random_.below(101));
    if (fault.fault == "slow") fault.bytes_per_second = 200 + random_.below(2000);
    if (random_.chance(1, 2)) {
      fault.lasting = some_seconds(random_, 20, 300);
      fault.times = 0;
    }
  }

  void add(const Moment& when, const Action& action) { timeline_.push_back({.when = when, .action = action}); }

  void template_becomes(Duration at, const std::string& name, const std::optional<std::string>& value) {
    scenario::EnvironmentChange change;
    change.variables[name] = value;
    Moment moment;
    moment.at = at;
    add(moment, change);
    moment.at = at + some_seconds(random_, 0, 20);
    add(moment, scenario::RecreatePod{});
  }

  bool has_setup() const { return std::ranges::count(scenario_.start.command, "--setup") > 0; }

  Moment at_step() {
    Moment moment;
    moment.step = 2 + static_cast<int>(random_.below(static_cast<std::uint64_t>(scenario_.trainer.steps) - 3));
    return moment;
  }

  Moment early_boot() { return at_boot(1 + static_cast<int>(random_.below(2))); }

  Moment interrupted_at() {
    Moment moment;
    switch (random_.below(6)) {
      case 0:
        moment = at_boot(1);
        moment.after = some_seconds(random_, 0, 30);
        return moment;
      case 1:
        moment.boot = 1;
        moment.syscall = pick(random_, std::vector<std::string>{"rename", "unlink", "mkdir", "openat"});
        moment.nth = 1 + static_cast<int>(random_.below(moment.syscall == "openat" ? 300 : 12));
        return moment;
      default:
        return at_step();
    }
  }

  Random& random_;
  const Scenario& scenario_;
  Timeline& timeline_;
};

}  // namespace

std::vector<TimelineEntry> draw_timeline(Random& random, const Scenario& scenario) {
  // What happens often stands here often.
  static const std::vector<void (Draw::*)()> kinds{
      &Draw::interruption,       &Draw::interruption,   &Draw::interruption,   &Draw::network_down,
      &Draw::network_fault,      &Draw::network_fault,  &Draw::user_works,     &Draw::user_works,
      &Draw::checkpoint_damage,  &Draw::git_damage,     &Draw::git_damage,     &Draw::clock_jumps,
      &Draw::disk_fails,         &Draw::upstream_moves, &Draw::package_index,  &Draw::trainer_fails,
      &Draw::gpu_fails,          &Draw::somebody_looks, &Draw::provider_fails, &Draw::provider_fails,
      &Draw::environment_changes};
  Timeline timeline;
  Draw draw(random, scenario, timeline);
  const auto faults = 1 + random.below(3);
  if (random.chance(1, 2)) draw.work_in_danger();
  for (std::uint64_t i = 0; i < faults; ++i) (draw.*pick(random, kinds))();
  const bool asks = std::ranges::count(scenario.start.command, kDrawnSecret) > 0;
  if (asks && !scenario.pod.environment.contains(kDrawnSecret)) draw.secret_is_set();
  if (scenario.start.is_podlaunch && random.chance(2, 3)) draw.somebody_comes_back();
  return timeline;
}

}  // namespace explore
