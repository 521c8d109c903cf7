// How a world is played: boots follow each other as the platform wants, the timeline acts, and everything that can be
// seen from outside is recorded.
#pragma once

#include <fcntl.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "harness/pod/disks.h"
#include "harness/pod/launch.h"
#include "harness/pod/manifest.h"
#include "harness/pod/observation.h"
#include "harness/pod/restart_policy.h"
#include "harness/pod/world/network_rules.h"
#include "harness/pod/world/timeline.h"
#include "harness/pod/world/world.h"
#include "harness/stage/stage.h"

namespace pod {

class World::Play : public stage::Watcher {
 public:
  Play(const scenario::Scenario& scenario, Materials materials);

  base::Result<WorldRecord> run();

  // play_branch.cc: for the sweep, see World
  base::Result<WorldRecord> branch(Branch branch);
  base::Result<UnstagedBoot> launch_unstaged(Branch branch);
  const Disks& disks() const { return *disks_; }
  std::string moment() const;
  void note_fault(const std::string& text, bool healed);
  void at(Duration when, std::function<void()> action) { stage_->at(when.count(), std::move(action)); }
  void kill_boot(const std::string& why);
  Duration now() const { return Duration(clock_.now()); }

  void path_used(const stage::PathUse& use) override;
  int mark(const stage::Process& process, const std::string& what) override;
  std::string instead_of(const std::string& path) override;
  void syscall_entered(const stage::Process& process, const stage::Syscall& syscall) override;
  void executed(const stage::Process& process) override;
  int connecting(const stage::Process& process, const stage::Peer& peer) override;
  void ended(const stage::Process& process, base::WaitStatus status) override;
  bool drain() override;
  stage::Order changing(const stage::Change& change) override;
  void changed(const stage::Change& change, long result) override;

 private:
  // Boots (play.cc)
  base::Result<void> furnish();
  base::Result<void> furnish_container();
  base::Result<void> furnish_files();
  base::Result<void> start_services(bool staged = true);
  void begin_boot();
  void launch_boot();
  base::Result<Launched> launch(bool staged);
  base::Result<WorldRecord> play_to_the_end();
  void leave_the_other_play();
  base::Result<void> furnish_branch(Branch& branch);
  void end_boot(base::WaitStatus status);
  void plan_next_boot(const Boot& boot);
  void finish_record();

  // The end of the world
  void note_activity();
  void consider_settled();
  void end_world(scenario::Outcome outcome);
  void give_up(base::Error error);
  void pass_over(const base::Error& error);
  void take_with_it(const std::function<void()>& damage);
  bool loops() const;

  // The timeline (play_timeline.cc)
  void schedule_timed_entries();
  void act_on(const Timeline::Due& due);
  void act(const scenario::TimelineEntry& entry);
  void act_now(const scenario::TimelineEntry& entry);
  int order_for_trainer(const Timeline::Due& due);
  void write_provider_state();
  int provider_mark(const std::string& what);
  void end_pod_as_asked(scenario::Outcome outcome);
  void interrupt_pod(Duration grace, BootEnd cause, Duration returns_after);
  void do_action(const scenario::SpotInterrupt& action);
  void do_action(const scenario::KillContainer& action);
  void do_action(const scenario::RecreatePod& action);
  void do_action(const scenario::NetworkDown& action);
  void do_action(const scenario::NetworkFault& action);
  void do_action(const scenario::UpstreamCommit& action);
  void do_action(const scenario::UserEdit& action);
  void do_action(const scenario::GitDamage& action);
  void do_action(const scenario::TrainerFault& action);
  void do_action(const scenario::PipFails& action);
  void do_action(const scenario::ProviderFault& action);
  void return_pod();
  void pay(bool from_now_on);

  // The timeline: clocks, files, disks, GPUs and people (play_faults.cc)
  void do_action(const scenario::ClockJump& action);
  void do_action(const scenario::FileDamage& action);
  void do_action(const scenario::DiskFault& action);
  void do_action(const scenario::EnvironmentChange& action);
  void do_action(const scenario::Exec& action);
  void do_action(const scenario::GpuFault& action);
  void do_action(const scenario::NvidiaSmiFault& action);
  void heals_after(Duration lasting, std::string words, std::function<void()> heal);
  void end_visit(pid_t visitor, base::WaitStatus status);
  bool drain_visits();
  void publish_gpus();
  stage::FaultPoints traps() const;

  // The network (play_network.cc)
  template <class Concerns>
  bool strikes(Concerns concerns);
  int pip_mark(const std::string& what);
  std::vector<std::string> take_answers();
  int network_mark(const std::string& what);
  void note_use(const std::string& service, scenario::NetworkWay way, const std::string& text);
  void publish(const NetworkRule& rule);
  void publish_network_rules();
  bool network_may_change() const;
  bool network_heals_later() const;
  void report_idle_network_rules();

  // What is seen
  void event(EventKind kind, std::string text, int step = -1);
  void take_line(std::string line);
  void count_start(const std::string& what);
  void count_start(const stage::Process& process);
  void note_starts(Boot& boot);
  int trainer_mark(const stage::Process& process, const std::string& kind, int number);

  const scenario::Scenario& scenario_;
  Materials materials_;
  const RestartPolicy policy_;
  Timeline timeline_;
  stage::VirtualClock clock_;
  WorldRecord record_;
  std::optional<Disks> disks_;
  ManifestReader manifest_reader_;
  Manifest manifest_;
  RestartHistory restarts_;

  // The boot that runs
  std::optional<Launched> container_;
  Observation observation_;
  base::UniqueFd output_read_;
  std::string unfinished_line_;
  Timeline::Due after_launch_;                // entries of the timeline that act on its processes at once
  std::optional<stage::TimerId> forced_end_;  // SIGKILL at the end of a grace
  BootEnd end_cause_ = BootEnd::kOwnExit;
  Duration returns_after_{0};  // for a pod that comes back as a new one
  bool disturbed_ = false;
  bool branched_ = false;    // what came before was another play
  bool left_alone_ = false;  // see Branch
  bool boot_planned_ = false;
  int pod_number_ = 1;

  // The training
  pid_t trainer_ = 0;
  std::optional<std::size_t> attempt_;  // index of the attempt that runs
  int best_step_ = 0;
  std::map<std::string, int> starts_;  // in this boot, since something was got further or the timeline acted
  bool finished_ = false;

  // Faults that last
  bool network_down_ = false;
  std::vector<NetworkRule> network_rules_;  // all that ever began
  std::string struck_fault_;                // the last one that the world itself answered with
  std::map<std::pair<std::string, scenario::NetworkWay>, int> uses_in_boot_;
  int pip_failures_left_ = 0;  // -1: all
  int due_later_ = 0;          // actions that follow their moment, and disks that will be well again
  const bool disks_can_fail_;
  std::map<int, scenario::GpuFaultKind> gpu_faults_;  // by index; of this host's GPUs
  scenario::NvidiaSmiKind nvidia_smi_ = scenario::NvidiaSmiKind::kWorks;
  std::string gpus_file_;

  // People in the pod, by the process that they started
  struct Visit {
    base::UniqueFd output;
    std::string unfinished_line;
  };
  std::map<pid_t, Visit> visits_;
  std::string rest_fault_ = "none";
  std::string graphql_fault_ = "none";

  // What the provider has done to the pod
  std::optional<scenario::Outcome> ended_as_asked_;
  std::optional<Duration> paid_since_;

  std::set<pid_t> services_;  // those that the world started itself
  std::string boot_id_file_;
  std::string uptime_file_;
  std::size_t answers_read_ = 0;
  std::optional<stage::TimerId> settle_timer_;
  std::optional<base::Error> error_;
  bool ended_ = false;
  // Last, so that it ends its tracees before what they use goes.
  std::unique_ptr<stage::Stage> stage_;
};

}  // namespace pod
