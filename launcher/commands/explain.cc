#include <fmt/ranges.h>

#include "base/text.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/boot/phases/setup_stamps.h"
#include "launcher/checkout/checkout.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/find_run.h"
#include "launcher/commands/print_line.h"
#include "launcher/config/duration.h"
#include "launcher/policy/hold_rules.h"

namespace commands {

static void explain_decision(const boot::Boot& boot, const ledger::Memory& memory,
                             const training::CheckpointSurvey& checkpoints) {
  const policy::BootBegan began{.configuration = boot::configuration_identity(boot.config, boot.environment),
                                .hardware = 0,
                                .progress_found = false,
                                .older_checkpoint = checkpoints.whole > 1};
  const policy::Decision decision = policy::decide(memory.history, began, boot::limits_of(boot.config));
  print_line("decide       {} and {} so far: a boot would {}", base::counted(memory.boots, "boot"),
             base::counted(memory.attempts, "attempt"), policy::name(decision));
  if (const auto* hold = std::get_if<policy::Hold>(&decision)) {
    print_line("             {} ({})", hold->cause, policy::name(hold->reason));
    print_line("             {}", hold->remedy);
  }
}

static void explain_checkout(const config::Config& config) {
  const auto survey = checkout::survey(config.checkout, checkout::Depth::kQuick);
  if (!survey) {
    print_line("checkout     {}", survey.error().message());
    return;
  }
  if (survey->has(checkout::FindingKind::kCheckoutMissing)) {
    print_line("checkout     {} is not there: clone {}", config.checkout.string(), config.repo);
    return;
  }
  const bool judged = survey->looked_into || survey->wants_treatment();
  print_line("checkout     {} {}", config.checkout.string(),
             !judged           ? "cannot be used"
             : survey->sound() ? "is sound at a quick look; then brought up to date, where --update says so"
                               : "is not sound at a quick look; then brought up to date, where --update says so");
  for (const checkout::Finding& finding : survey->findings) {
    print_line("             {}{}{}", finding.where == "." ? "" : finding.where + ": ", finding.what,
               finding.treatment.empty() ? "" : " A boot would " + finding.treatment + ".");
  }
}

static void explain_setup(const boot::Boot& boot) {
  if (boot.config.setup.empty()) return;
  const auto stamps = boot::setup_stamps(boot.config, boot.environment);
  bool run = false;
  for (std::size_t i = 0; i < stamps.size(); ++i) {
    run = run || !boot::is_stamped(boot.config, i, stamps[i]);
    print_line("setup        {}: {}", run ? "run" : "skip, nothing it reads has changed", boot.config.setup[i]);
  }
}

// The probe is not run: it may take a GPU that a training needs.
static void explain_gpus(boot::Boot& boot, const ledger::Memory* memory) {
  pod::GpuNeed need = boot::gpu_need(boot);
  if (memory != nullptr) need.faults = memory->gpu_faults;
  if (need.wanted == 0) {
    print_line("gpus         none are asked for");
    return;
  }
  boot.gpu_verdict = pod::judge(boot.nvidia_smi.ask(boot.waiter), need);
  print_line("gpus         {}", boot.gpu_verdict.text);
  for (const std::string& warning : boot.gpu_verdict.warnings) print_line("             warning: {}", warning);
  for (const auto& [uuid, faults] : need.faults) {
    print_line("             {} has failed in {} of this run", uuid, base::counted(faults, "boot"));
  }
  if (!boot.config.gpu_probe.empty()) print_line("             then, for each of them: {}", boot.config.gpu_probe);
}

int explain(const config::Invocation& invocation, const config::Environment& environment, base::Waiter& waiter) {
  boot::Boot boot(invocation.config, environment, waiter);
  const auto found = run_meant(invocation.config, environment);
  if (!found) return complain(found.error());
  const auto ledger = ledger::read(boot.folder / "ledger.jsonl");
  const std::string others = runs_beside(found->folder);
  print_line("run          {}{}", boot.run, others.empty() ? "" : fmt::format(" is new: {}", others));
  print_line("remembered   in {}{}", boot.folder.string(),
             boot.disks.survives(boot.folder) ? "" : " (lost with the pod)");
  if (found->active) print_line("lock         a launcher on this host works on this run now: a boot would wait for it");
  const training::CheckpointSurvey checkpoints = training::survey_checkpoints(boot.config.checkpoints);
  if (ledger) {
    explain_decision(boot, ledger->memory, checkpoints);
  } else {
    print_line("decide       {}: a boot would hold", ledger.error().message());
  }
  explain_gpus(boot, ledger ? &ledger->memory : nullptr);
  explain_checkout(boot.config);
  explain_setup(boot);
  if (!boot.config.checkpoints.empty()) {
    print_line("checkpoints  {} found; {}", checkpoints.found,
               checkpoints.resume_from.empty() ? "none to resume from" : "resume from " + checkpoints.resume_from);
  }
  print_line("training     in {}: {}", boot.config.checkout.string(), fmt::join(boot::training_command(boot), " "));
  return 0;
}

}  // namespace commands
