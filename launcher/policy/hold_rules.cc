#include "launcher/policy/hold_rules.h"

#include <array>

#include "base/check.h"

namespace policy {

namespace {

constexpr bool obstacle = true;
constexpr bool commit = true;
constexpr bool hardware = true;
constexpr bool upstream = true;
constexpr bool checkpoint = true;
constexpr bool no = false;

// In the order of the enum. Every reason ends with `podlaunch resume` and with a changed configuration.
constexpr std::array<HoldRule, hold_reason_count> rules = {{
    // reason, name, exit code, obstacle, ends with a commit, ends with hardware, with upstream, blames the checkpoint,
    // cause, remedy
    {HoldReason::kSameFailure, "same-failure", 70, no, commit, no, no, checkpoint,
     "The training failed again and again with the same error and got no further.",
     "Read the error above, push a fix or change the configuration; either is picked up. Or run `podlaunch resume` to "
     "try the same again."},
    {HoldReason::kManyFailures, "many-failures", 71, no, commit, no, no, checkpoint,
     "The training failed again and again, with different errors, and got no further.",
     "Read the last errors with `podlaunch logs`, push a fix or change the configuration, or run `podlaunch resume`."},
    {HoldReason::kTransientFailures, "transient-failures", 72, no, commit, no, upstream, no,
     "A network or service that the run needs kept failing.",
     "Check that the repository, the package index and the storage can be reached from this pod, then run "
     "`podlaunch resume`."},
    {HoldReason::kPreemptionStorm, "preemption-storm", 73, no, no, no, no, no,
     "The pod was taken away again and again before the training had run for a minute and got further.",
     "Save checkpoints more often or rent a pod that is interrupted less, then run `podlaunch resume`."},
    {HoldReason::kUncleanEnds, "unclean-ends", 74, no, commit, hardware, no, no,
     "The container was killed again and again without a word, most often for using too much memory.",
     "Lower the memory use or rent a pod with more of it, then run `podlaunch resume`."},
    {HoldReason::kNoProgress, "no-progress", 75, no, commit, hardware, no, checkpoint,
     "Boots and attempts ended in many ways, and none that lasted a minute got any further.",
     "Look at the list in `podlaunch status`, mend what ended most of them, then run `podlaunch resume`."},
    {HoldReason::kHardware, "hardware", 76, no, no, hardware, no, no,
     "The same error of the machine came back on the same GPUs.",
     "Move the run to another pod: on other GPUs it goes on by itself. Report this host to the provider."},
    {HoldReason::kGpusUnusable, "gpus-unusable", 77, no, no, hardware, no, no,
     "The check of the GPUs failed again and again.",
     "Run `podlaunch doctor` for the reason, or move the run to another pod: on other GPUs it goes on by itself."},
    {HoldReason::kCheckoutFailed, "checkout-failed", 78, no, commit, no, upstream, no,
     "The checkout could not be brought into a usable state.",
     "Check the repository's address, the branch and the credentials; `podlaunch doctor` says what is wrong on disk. "
     "Then run `podlaunch resume`."},
    {HoldReason::kSetupFailed, "setup-failed", 79, no, commit, no, no, no,
     "A setup step failed again and again with the same error.",
     "Read the step's output above, push a fix or change the step, or run `podlaunch resume`."},
    {HoldReason::kCheckpointsUnusable, "checkpoints-unusable", 80, no, no, no, no, no,
     "The checkpoints could not be checked.",
     "Look at the checkpoint folder and its disk, then run `podlaunch resume`."},
    {HoldReason::kSecretMissing, "secret-missing", 81, obstacle, no, no, no, no,
     "A secret that the run needs is not set, or holds a placeholder.",
     "Set it in the pod's environment and restart the pod; the next boot looks again."},
    {HoldReason::kGpusMissing, "gpus-missing", 82, obstacle, no, no, no, no,
     "The pod has fewer GPUs than the run asks for.",
     "Start the pod on a host that has them, or lower `--gpus`; the next boot looks again."},
    {HoldReason::kGpuCheckHung, "gpu-check-hung", 83, obstacle, no, no, no, no,
     "nvidia-smi did not answer: the driver of this host is stuck.",
     "Move the run to another pod; a restart on this host will most likely hang again."},
    {HoldReason::kCheckpointsLost, "checkpoints-lost", 84, obstacle, no, no, no, no,
     "The run had checkpoints, and none that can be used is left; starting again from step 0 was refused.",
     "Bring a checkpoint back or mount the right disk. To start from nothing, say so with "
     "`--allow-restart-from-zero`."},
    {HoldReason::kLeasedElsewhere, "leased-elsewhere", 85, obstacle, no, no, no, no,
     "Another pod is working on this run.", "Stop the other pod, or give this one a run of its own with `--run`."},
    {HoldReason::kNodeHeld, "node-held", 94, obstacle, no, no, no, no,
     "Another node of the cluster is held, and the training cannot go on without it.",
     "Mend what the other node names in its log and release it with `podlaunch resume` there; this one then goes on by "
     "itself."},
    {HoldReason::kCheckoutAwaited, "checkout-awaited", 95, obstacle, no, no, no, no,
     "Node 0 of the cluster has not brought up the checkout that the nodes share.",
     "Start node 0, or look into its log; this node goes on by itself once the checkout is there. Nodes that share "
     "nothing need a `--state` on a disk of their own."},
    {HoldReason::kStopUnsafe, "stop-unsafe", 86, obstacle, no, no, no, no,
     "Ending the pod would delete work that exists nowhere else.",
     "Copy the files named above to a place that survives the pod. Then run `podlaunch resume`."},
    {HoldReason::kObstacle, "obstacle", 93, obstacle, no, no, no, no, "What stood in the way has not been seen to go.",
     "Clear what the hold named when it began; `podlaunch status` shows it. Then run `podlaunch resume`."},
    {HoldReason::kLedgerUnusable, "ledger-unusable", 87, obstacle, no, no, no, no,
     "The run's ledger cannot be read or written, so failures could not be counted.",
     "Free space on the state's disk, mount it writable, or let this user write there (`--state` names another "
     "folder); "
     "it is tried again by itself. A ledger damaged beyond reading is moved aside by `podlaunch resume`."},
    {HoldReason::kAttemptBudget, "attempt-budget", 88, no, no, no, no, no,
     "The run has used all attempts it was allowed.",
     "Raise `--max-attempts`, or run `podlaunch resume` to allow as many again."},
    {HoldReason::kTimeBudget, "time-budget", 89, no, no, no, no, no, "The run has used all the hours it was allowed.",
     "Raise `--max-hours`, or run `podlaunch resume` to allow as many again."},
    {HoldReason::kCostBudget, "cost-budget", 90, no, no, no, no, no, "The run has used all the money it was allowed.",
     "Raise `--max-cost`, or run `podlaunch resume` to allow as much again."},
    {HoldReason::kPublishFailed, "publish-failed", 91, no, no, no, no, no,
     "The training is done, but its results could not be published.",
     "Run the publish command by hand or mend it, then run `podlaunch resume`; the training is not run again."},
    {HoldReason::kStopFailed, "stop-failed", 92, no, no, no, no, no,
     "The training is done, but the provider did not stop the pod.",
     "Stop the pod in the provider's console: it is still billed. `podlaunch resume` tries again."},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].reason != static_cast<HoldReason>(i)) return false;
  }
  return true;
}
static_assert(in_order(), "a row of the table stands at the wrong place");

}  // namespace

const HoldRule& rule(HoldReason reason) {
  const auto index = static_cast<std::size_t>(reason);
  CHECK(index < rules.size());
  return rules[index];
}

HoldReason reason_for(Phase phase) {
  switch (phase) {
    case Phase::kGpus:
      return HoldReason::kGpusUnusable;
    case Phase::kCheckout:
      return HoldReason::kCheckoutFailed;
    case Phase::kSetup:
      return HoldReason::kSetupFailed;
    case Phase::kCheckpoints:
      return HoldReason::kCheckpointsUnusable;
  }
  CHECK(false);
}

HoldReason reason_for(Obstacle obstacle_met) {
  switch (obstacle_met) {
    case Obstacle::kSecretMissing:
      return HoldReason::kSecretMissing;
    case Obstacle::kGpusMissing:
      return HoldReason::kGpusMissing;
    case Obstacle::kGpuCheckHung:
      return HoldReason::kGpuCheckHung;
    case Obstacle::kCheckpointsLost:
      return HoldReason::kCheckpointsLost;
    case Obstacle::kLeasedElsewhere:
      return HoldReason::kLeasedElsewhere;
    case Obstacle::kNodeHeld:
      return HoldReason::kNodeHeld;
    case Obstacle::kCheckoutAwaited:
      return HoldReason::kCheckoutAwaited;
    case Obstacle::kStopUnsafe:
      return HoldReason::kStopUnsafe;
  }
  CHECK(false);
}

Hold hold_for(HoldReason reason) {
  return {reason, rule(reason).cause, rule(reason).remedy};
}
int exit_code(HoldReason reason) {
  return rule(reason).exit_code;
}
std::string_view name(HoldReason reason) {
  return rule(reason).name;
}

std::string_view name(Cause cause) {
  switch (cause) {
    case Cause::kTransient:
      return "transient";
    case Cause::kEnvironment:
      return "environment";
    case Cause::kDeterministic:
      return "deterministic";
    case Cause::kPreempted:
      return "preempted";
    case Cause::kFinished:
      return "finished";
    case Cause::kUnknown:
      return "unknown";
  }
  CHECK(false);
}

std::string_view name(Phase phase) {
  switch (phase) {
    case Phase::kGpus:
      return "gpus";
    case Phase::kCheckout:
      return "checkout";
    case Phase::kSetup:
      return "setup";
    case Phase::kCheckpoints:
      return "checkpoints";
  }
  CHECK(false);
}

std::string_view name(Obstacle obstacle_met) {
  return rule(reason_for(obstacle_met)).name;
}

std::string_view name(LedgerTrouble trouble) {
  switch (trouble) {
    case LedgerTrouble::kUnreadable:
      return "unreadable";
    case LedgerTrouble::kUnwritable:
      return "unwritable";
    case LedgerTrouble::kHung:
      return "hung";
  }
  CHECK(false);
}

std::string_view name(Conclusion conclusion) {
  return conclusion == Conclusion::kPublish ? "publish" : "stop";
}

std::string_view name(const Observation& observation) {
  constexpr std::array<std::string_view, std::variant_size_v<Observation>> names = {
      "boot-began",        "phase-failed", "blocked",          "attempt-began", "progressed",
      "attempt-ended",     "preempted",    "time-passed",      "ledger-failed", "clock-strange",
      "conclusion-failed", "commit-seen",  "obstacle-cleared", "resume-asked"};
  return names[observation.index()];
}

std::string_view name(const Decision& decision) {
  constexpr std::array<std::string_view, std::variant_size_v<Decision>> names = {
      "run", "retry", "try-older-checkpoint", "hold", "finish", "leave", "exit"};
  return names[decision.index()];
}

}  // namespace policy
