#include "harness/sweep/session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <utility>

#include "base/check.h"
#include "harness/explore/materials.h"
#include "harness/explore/reference.h"
#include "harness/pod/isolation.h"
#include "harness/sweep/plan.h"
#include "harness/sweep/witness.h"
#include "harness/sweep/zygote.h"

namespace sweep {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// What must hold whatever the fault: how many boots and attempts it takes depends on it.
scenario::Scenario whatever_happens(scenario::Scenario scenario) {
  scenario.expect.boots.reset();
  scenario.expect.attempts.reset();
  scenario.expect.resumed_at_least.reset();
  scenario.expect.boot_spacing_seconds.reset();
  return scenario;
}

std::vector<int> allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> processors;
  ::sched_getaffinity(0, sizeof set, &set);
  for (int i = 0; i < 128; ++i) {
    if (CPU_ISSET(static_cast<std::size_t>(i), &set)) processors.push_back(i);
  }
  return processors;
}

// Every zygote is a socket.
void allow_many_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

explore::Settings with_network(explore::Settings settings, const Options& options) {
  settings.network_may_fail =
      options.only ? options.only->kind == Kind::kNetwork : options.kinds.contains(Kind::kNetwork);
  return settings;
}

class Session {
 public:
  Session(const scenario::Scenario& scenario, const explore::Settings& settings, const Options& options,
          const Progress& progress)
      : given_(scenario),
        scenario_(whatever_happens(scenario)),
        settings_(with_network(settings, options)),
        options_(options),
        progress_(progress),
        plan_(options),
        recorder_({.boot_begins = [this](int boot) { boot_begins(boot); },
                   .point = [this](std::size_t point, bool after) { at_point(point, after); },
                   .asked = [this](const pod::NetworkUse& use) { network_.add(use, backstage_.world->now()); }}),
        zygotes_(backstage_) {}

  Outcome run() {
    allow_many_descriptors();
    const auto begin = Clock::now();
    if (!record()) return outcome_;
    if (options_.only) {
      outcome_.applies = !plan_.worlds().empty() && reached(options_.only->point);
      if (!outcome_.applies) return outcome_;
    } else {
      make_plan();
    }
    outcome_.tallies = plan_.tallies();
    outcome_.worlds = plan_.worlds().size();
    outcome_.seconds_recording = seconds_since(begin);
    progress_(outcome_);
    play();
    zygotes_.close_all();
    return outcome_;
  }

 private:
  bool give_up(const std::string& why) {
    outcome_.error = why;
    return false;
  }

  bool record() {
    const auto folder = pod::enter_world();
    if (!folder) return give_up(folder.error().message());
    auto materials = explore::gather(scenario_, settings_, *folder);
    if (!materials) return give_up(materials.error().message());
    const auto reference = explore::train_without_interruption(scenario_, settings_.fixtures, *folder + "/reference");
    if (!reference) return give_up(reference.error().message());
    open_channels();
    backstage_.scenario = &scenario_;
    backstage_.settings = &settings_;
    backstage_.recorder = &recorder_;
    backstage_.models = &models_;
    backstage_.folder = *folder;
    backstage_.reference_final = *reference;
    backstage_.real_seconds_max = options_.world_seconds_max;
    materials->image = *folder + "/image";
    backstage_.materials = *materials;
    materials->points = &recorder_;
    pod::World world(given_, std::move(*materials));
    backstage_.world = &world;
    recorder_.attend(world);
    auto record = world.play();
    if (!record) return give_up(record.error().message());
    recorder_.finish();
    // Of the sweep as a whole, which goes on all the same.
    note_not_covered(std::exchange(record->not_covered, {}));
    record->final_path = given_.trainer.checkpoint_folder + "/final.json";
    record->reference_final = *reference;
    const auto result = oracle::judge(given_, *record);
    if (result.judgement != oracle::Judgement::kPass)
      return give_up("the scenario does not pass without any fault: " + result.reason);
    outcome_.points = recorder_.points().size();
    for (const auto& point : recorder_.points()) ++outcome_.points_by_process[point.address.process];
    note_not_covered({recorder_.not_covered().begin(), recorder_.not_covered().end()});
    if (wants(Kind::kNetwork)) {
      for (const auto& point : network_.all())
        ++outcome_.network_points[point.address.process + " " + point.address.syscall];
    }
    if (!options_.only && (wants(Kind::kErrno) || wants(Kind::kShortWrite)))
      plan_.add_errors(recorder_, zygote_of_boot_, world.disks());
    if (!options_.only && wants(Kind::kNetwork))
      plan_.add_network(network_.all(), zygote_of_boot_, recorder_.points().size());
    backstage_.world = nullptr;
    return true;
  }

  void open_channels() {
    std::array<int, 2> pair{};
    CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) == 0);
    results_.reset(pair[0]);
    results_write_.reset(pair[1]);
    CHECK(::pipe2(pair.data(), O_CLOEXEC) == 0);
    tokens_.reset(pair[0]);
    tokens_write_.reset(pair[1]);
    backstage_.results = results_write_.get();
    backstage_.tokens = tokens_write_.get();
  }

  bool reached(const Address& address) const {
    return std::ranges::any_of(recorder_.points(),
                               [&](const Point& point) { return point.address == address && point.done; }) ||
           std::ranges::any_of(network_.all(), [&](const NetworkPoint& point) { return point.address == address; });
  }

  // --- While the play is recorded ------------------------------------------------------------------------------------

  void boot_begins(int boot) {
    if (models_.empty()) {
      for (const ModelKind kind : kAllModels) {
        const std::string model(name(kind));
        if (options_.models.empty() || options_.models.contains(model)) models_.emplace_back(kind, recorder_.image());
      }
    }
    boot_ = boot;
    network_.boot_begins(boot, backstage_.world->now());
    feed_models();
    refresh_upstream();
    if (!options_.strace.empty()) ask_witness(boot);
    zygote_here_.reset();
    if (wants(Kind::kErrno) || wants(Kind::kShortWrite) || wants(Kind::kNetwork)) {
      zygote_of_boot_[boot] = zygotes_.fork_here({boot, 0});
      if (options_.only && options_.only->point.boot == boot && options_.only->replays_boot())
        plan_.add({*options_.only, zygote_of_boot_[boot], std::string(name(options_.only->kind)), 0}, true);
    }
  }

  void ask_witness(int boot) {
    const Testimony testimony = witness_boot(backstage_, boot, options_.strace);
    outcome_.notes.push_back(testimony.text);
    note_not_covered(testimony.not_covered);
  }

  void note_not_covered(const std::vector<std::string>& gaps) {
    for (const auto& gap : gaps) {
      if (std::ranges::count(outcome_.not_covered, gap) == 0) outcome_.not_covered.push_back(gap);
    }
  }

  bool wants(Kind kind) const { return options_.only ? options_.only->kind == kind : options_.kinds.contains(kind); }

  void feed_models() {
    for (; fed_ < recorder_.ops().size(); ++fed_) {
      for (auto& model : models_) model.note(recorder_.ops()[fed_], recorder_.image());
    }
  }

  void refresh_upstream() {
    Image image;
    backstage_.upstream_root = upstream_reader_.read_tree(backstage_.folder + "/upstream", image, &backstage_.upstream);
    backstage_.upstream = std::move(image);
  }

  std::size_t zygote(std::size_t fresh) {
    if (!zygote_here_) {
      refresh_upstream();
      zygote_here_ = zygotes_.fork_here({boot_, fresh});
    }
    return *zygote_here_;
  }

  void at_point(std::size_t index, bool after) {
    const Point& point = recorder_.points()[index];
    zygote_here_.reset();
    feed_models();
    Fault fault;
    fault.point = point.address;
    fault.after = after;
    if (options_.only) {
      if (options_.only->point == fault.point && !options_.only->replays_boot() &&
          (options_.only->kind == Kind::kPower ? after : options_.only->after == after))
        plan_.add({*options_.only, zygote(point.ops_after - point.ops_before), "replay", index}, true);
      return;
    }
    if ((after && point.failed) || !plan_.has(point.address)) return;
    const std::string moment = backstage_.world->moment();
    if (wants(Kind::kKill) || wants(Kind::kDouble)) {
      const bool fresh = plan_.is_new(recorder_.image().digest(), moment);
      plan_.add({fault, fresh ? zygote(after ? point.ops_after - point.ops_before : 0) : 0,
                 std::string(name(Kind::kKill)), index},
                fresh);
    }
    if (after && wants(Kind::kPower)) plan_power_cuts(index, moment);
  }

  void plan_power_cuts(std::size_t index, const std::string& moment) {
    const Point& point = recorder_.points()[index];
    const std::size_t fresh = point.ops_after - point.ops_before;
    for (const auto& model : models_) {
      const Images left = model.images(recorder_.image(), fresh, options_.seed);
      PlannedWorld world;
      world.fault.kind = Kind::kPower;
      world.fault.point = point.address;
      world.fault.model = name(model.kind());
      world.fault.seed = options_.seed;
      world.tally = "power, " + world.fault.model;
      world.point = index;
      if (!left.exhaustive) ++plan_.tallies()[world.tally].drawn;
      for (std::size_t i = 0; i < left.images.size(); ++i) {
        world.fault.image = static_cast<unsigned>(i);
        const bool is_new = plan_.is_new(left.images[i].digest(), moment);
        if (is_new) world.zygote = zygote(fresh);
        plan_.add(world, is_new);
      }
    }
  }

  // --- Afterwards ----------------------------------------------------------------------------------------------------

  void make_plan() {
    std::map<int, std::size_t> points_of_boot;
    for (const auto& point : recorder_.points()) ++points_of_boot[point.address.boot];
    std::size_t most = 0;
    for (const auto& [boot, count] : points_of_boot) most = std::max(most, count);
    if (wants(Kind::kDouble)) plan_.add_doubles(most);
    const std::vector<Address> whole = all_points();
    plan_.choose(whole);
    outcome_.part = part_of(whole);
  }

  std::vector<Address> all_points() const {
    std::vector<Address> points;
    for (const auto& point : recorder_.points()) points.push_back(point.address);
    if (wants(Kind::kNetwork)) {
      for (const auto& point : network_.all()) points.push_back(point.address);
    }
    return points;
  }

  Part part_of(const std::vector<Address>& whole) const {
    Part part;
    part.index = options_.shard.index;
    part.count = options_.shard.count;
    part.of = whole.size();
    std::set<Address> kinds;
    for (Address point : whole) {
      part.points += plan_.has(point) ? 1 : 0;
      point.occurrence = 0;
      kinds.insert(point);
    }
    part.whole = digest_of(options_.asked());
    for (const Address& kind : kinds) part.whole = mix(part.whole, digest_of(kind.text()));
    return part;
  }

  void play() {
    const auto begin = Clock::now();
    const auto processors = allowed_processors();
    for (int i = 0; i < options_.workers; ++i) {
      const char token = static_cast<char>(processors[static_cast<std::size_t>(i) % processors.size()]);
      CHECK(::write(tokens_write_.get(), &token, 1) == 1);
    }
    std::size_t next = 0;
    std::size_t pending = 0;
    const auto& worlds = plan_.worlds();
    std::vector<PlannedWorld> again;  // second kills that came too late
    const auto out_of_time = [&] {
      return options_.budget_seconds > 0 && seconds_since(begin) > options_.budget_seconds;
    };
    while (true) {
      const bool more = (next < worlds.size() || !again.empty()) && !out_of_time();
      if (!more && pending == 0) break;
      std::array<pollfd, 2> polls{pollfd{results_.get(), POLLIN, 0}, pollfd{more ? tokens_.get() : -1, POLLIN, 0}};
      ::poll(polls.data(), polls.size(), 1'000);
      if ((polls[0].revents & POLLIN) != 0) {
        std::array<char, 16384> text;
        const ssize_t size = ::recv(results_.get(), text.data(), text.size(), 0);
        CHECK(size > 0);
        --pending;
        take(result_from_message(std::string(text.data(), static_cast<std::size_t>(size))), again);
        outcome_.seconds_playing = seconds_since(begin);
        progress_(outcome_);
      }
      if ((polls[1].revents & POLLIN) == 0) continue;
      char token = 0;
      CHECK(::read(tokens_.get(), &token, 1) == 1);
      if (!again.empty()) {
        started_.push_back(again.back());
        again.pop_back();
      } else {
        started_.push_back(worlds[next++]);
      }
      zygotes_.start(started_.back().zygote, Job{started_.size() - 1, static_cast<unsigned char>(token),
                                                 started_.back().fault, options_.keep_result});
      ++pending;
    }
    outcome_.complete = outcome_.played == worlds.size();
    outcome_.seconds_playing = seconds_since(begin);
  }

  void take(const WorldResult& result, std::vector<PlannedWorld>& again) {
    const PlannedWorld world = started_[result.id];
    outcome_.processor_seconds += result.seconds;
    note_not_covered(result.not_covered);
    if (world.fault.kind == Kind::kDouble && !result.came_to_pass && result.points_after > 0 &&
        result.judgement == oracle::Judgement::kPass && !options_.only) {
      again.push_back(world);
      again.back().fault.second = 1 + world.fault.second % result.points_after;
      return;
    }
    ++outcome_.played;
    Tally& tally = outcome_.tallies[world.tally];
    ++tally.played;
    if (result.judgement == oracle::Judgement::kPass) return;
    ++(result.judgement == oracle::Judgement::kFail ? tally.failed : tally.unknown);
    outcome_.failures.push_back({world.fault, result.judgement, result.reason});
  }

  const scenario::Scenario& given_;
  const scenario::Scenario scenario_;
  const explore::Settings settings_;
  const Options& options_;
  const Progress& progress_;
  Outcome outcome_;
  Plan plan_;
  Backstage backstage_;
  base::UniqueFd results_, results_write_, tokens_, tokens_write_;
  HostReader upstream_reader_;
  std::vector<PersistenceModel> models_;
  std::size_t fed_ = 0;
  Recorder recorder_;
  NetworkPoints network_;
  Zygotes zygotes_;
  int boot_ = 0;
  std::optional<std::size_t> zygote_here_;
  std::map<int, std::size_t> zygote_of_boot_;
  std::vector<PlannedWorld> started_;
};

}  // namespace

Outcome run_session(const scenario::Scenario& scenario, const explore::Settings& settings, const Options& options,
                    const Progress& progress) {
  return Session(scenario, settings, options, progress).run();
}

}  // namespace sweep
