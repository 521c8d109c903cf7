#include <set>

#include "launcher/boot/keeper/say.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/config/torchrun.h"
#include "launcher/ledger/ledger.h"
#include "launcher/training/failure.h"
#include "launcher/training/lines.h"

namespace boot {

using Kind = pod::GpuVerdict::Kind;

static constexpr base::Seconds kProbeTakesAtMost{120};

static int promised_by_platform(const Boot& boot) {
  const auto found = boot.environment.find("RUNPOD_GPU_COUNT");
  return found == boot.environment.end() ? 0 : std::max(0, std::atoi(found->second.c_str()));
}

pod::GpuNeed gpu_need(const Boot& boot) {
  pod::GpuNeed need;
  need.by_user = boot.config.gpus.has_value();
  need.wanted = need.by_user ? *boot.config.gpus : promised_by_platform(boot);
  need.faults = boot.journal.memory().gpu_faults;
  // A stopped pod may be started again without its GPUs, and its platform then promises none.
  const bool had_some = boot.journal.history().hardware != 0;
  if (!need.by_user && need.wanted == 0 && had_some && boot.environment.contains("RUNPOD_GPU_COUNT")) need.wanted = 1;
  need.least = need.wanted;
  // Nodes of different sizes cannot train together.
  const auto cluster = config::cluster_of(boot.environment);
  const bool alone = !cluster || cluster->alone();
  if (boot.config.gpus_min && alone) need.least = std::min(need.wanted, *boot.config.gpus_min);
  return need;
}

void look_at_gpus(Boot& boot) {
  if (gpu_need(boot).wanted > 0) boot.gpus = boot.nvidia_smi.ask(boot.waiter);
}

std::uint64_t hardware_of(const Boot& boot) {
  if (!boot.gpus) return 0;
  // On the same host a GPU that is missing, or a driver that is stuck, makes no other hardware of it.
  const ledger::Memory& memory = boot.journal.memory();
  const bool same_host = !memory.last_host.empty() && memory.last_host == boot.identity.host;
  const auto named = static_cast<int>(boot.gpus->gpus.size());
  if (same_host && memory.history.hardware != 0 && named < gpu_need(boot).wanted) return memory.history.hardware;
  if (boot.gpus->gpus.empty()) return 0;
  std::string all;
  for (const pod::Gpu& gpu : boot.gpus->gpus) all += gpu.uuid + "\n";
  return ledger::fingerprint(all);
}

// A GPU that has fallen off the bus cannot be asked for its name any more; what was there before tells it.
static void name_the_gone(Boot& boot, const pod::GpuReport& report, pod::GpuVerdict& verdict) {
  std::set<std::string> there;
  for (const pod::Gpu& gpu : report.gpus) there.insert(gpu.uuid);
  for (const std::string& uuid : boot.gpus_seen) {
    if (there.contains(uuid)) continue;
    verdict.troubles.push_back(uuid + ": it was there before in this boot, and is gone");
    verdict.text += "; " + verdict.troubles.back();
  }
  boot.gpus_seen.merge(there);
}

// The last line that PyTorch prints of a CUDA error is advice on debugging.
static std::string root_error_of(const base::Answer& answer) {
  training::RootError error;
  training::Lines lines;
  const auto see = [&](std::string_view line) { error.see(line); };
  lines.feed(answer.output, see);
  lines.finish(see);
  return error.text().empty() ? answer.last_line() : std::string(error.text());
}

static pod::GpuVerdict look_closely(Boot& boot) {
  const pod::GpuNeed need = gpu_need(boot);
  if (need.wanted == 0) return {};
  if (!boot.gpus) look_at_gpus(boot);
  pod::GpuReport report = *std::exchange(boot.gpus, std::nullopt);
  if (!boot.config.gpu_probe.empty())
    pod::probe(report, boot.config.gpu_probe, boot.waiter, kProbeTakesAtMost, root_error_of);
  pod::GpuVerdict verdict = pod::judge(report, need);
  if (report.state == pod::GpuReport::State::kAnswered) name_the_gone(boot, report, verdict);
  return verdict;
}

bool gpus_are_enough(Boot& boot) {
  boot.gpus.reset();
  return look_closely(boot).kind == Kind::kReady;
}

// Each GPU's past, by its UUID; once a boot for each thing that is wrong with it.
static void remember_troubles(Boot& boot, const pod::GpuVerdict& verdict) {
  for (const std::string& trouble : verdict.troubles) {
    const std::string uuid = trouble.substr(0, trouble.find(':'));
    const bool by_memory = boot.journal.memory().gpu_faults.contains(uuid) && trouble.ends_with(" in this run");
    if (!uuid.starts_with("GPU-") || by_memory || !boot.gpu_troubles.insert(trouble).second) continue;
    boot.journal.note("gpu-fault", {.phase = "gpus", .text = trouble});
  }
}

policy::Decision check_gpus(Boot& boot) {
  boot.look_around_after_failure = false;
  boot.gpu_verdict = look_closely(boot);
  const pod::GpuVerdict& verdict = boot.gpu_verdict;
  if (boot.waiter.stop_signal() != 0) return boot.journal.observe(policy::Preempted{});
  if (verdict.kind == Kind::kNotNeeded) return policy::Run{};
  remember_troubles(boot, verdict);
  std::string text = verdict.text;
  if (verdict.kind != Kind::kReady && verdict.kind != Kind::kUnchecked) {
    if (const std::string xid = pod::newest_xid(boot.waiter); !xid.empty()) text += "; the kernel's log says " + xid;
  }
  say_phase("gpus", "{}", text);
  for (const std::string& warning : verdict.warnings) say_phase("gpus", "warning: {}", warning);
  const ledger::Facts facts{.phase = "gpus", .text = text};
  switch (verdict.kind) {
    case Kind::kMissing:
      return boot.journal.observe(policy::Blocked{policy::Obstacle::kGpusMissing}, facts);
    case Kind::kHung:
      return boot.journal.observe(policy::Blocked{policy::Obstacle::kGpuCheckHung}, facts);
    case Kind::kFailed:
      return boot.journal.observe(
          policy::PhaseFailed{policy::Phase::kGpus, policy::Cause::kEnvironment, ledger::fingerprint(verdict.text)},
          facts);
    default:
      return policy::Run{};
  }
}

std::vector<std::string> training_command(const Boot& boot) {
  if (!boot.config.torchrun) return boot.config.train;
  const auto cluster = config::cluster_of(boot.environment);
  if (!cluster) return boot.config.train;  // refused before the boot began
  const int counted = boot.gpu_verdict.usable;
  const int promised = cluster->processes.value_or(gpu_need(boot).wanted);
  return config::torchrun_command(boot.config.train, *cluster, std::max(1, counted > 0 ? counted : promised));
}

}  // namespace boot
