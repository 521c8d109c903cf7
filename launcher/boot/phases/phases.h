// The phases of a boot. Each does one thing and answers with what the policy says about how it went: Run to go on.
#pragma once

#include "launcher/boot/boot.h"
#include "launcher/checkout/checkout.h"

namespace boot {

// Takes the run's lease and opens its ledger. Waits while somebody else works on the run.
policy::Decision open_run(Boot& boot);

// After the lease was lost: waits until the run is ours again, and reads anew what became of it.
policy::Decision regain_run(Boot& boot);

// Can launchers on other hosts reach it?
bool is_shared(const Boot& boot, const std::filesystem::path& path);
lease::Terms lease_terms(const Boot& boot);

// Writes the boot ahead and asks the policy what it is to do.
policy::Decision begin_boot(Boot& boot);

// How the checkout is to be brought up, as configured.
checkout::Request checkout_request(const Boot& boot);
// The part of it that needs no run: how the remote is talked to, and how much is kept.
void configure(checkout::Request& request, const config::Config& config);

policy::Decision check_gpus(Boot& boot);
policy::Decision bring_up_checkout(Boot& boot);
policy::Decision set_up(Boot& boot);
policy::Decision check_checkpoints(Boot& boot);
policy::Decision train(Boot& boot);

// What is asked for, by --gpus or the platform; the answer waits in the boot for the phase.
pod::GpuNeed gpu_need(const Boot& boot);
void look_at_gpus(Boot& boot);
// A digest of the GPUs' UUIDs; 0 where none are asked for or nobody could name them.
std::uint64_t hardware_of(const Boot& boot);
bool gpus_are_enough(Boot& boot);
// The training command, by way of torchrun where that was asked for.
std::vector<std::string> training_command(const Boot& boot);

// Of the platform's time between SIGTERM and SIGKILL, what a child of ours gets.
base::Milliseconds grace_for_child(const Boot& boot);

// Empty where nobody could look.
training::CheckpointSurvey look_at_checkpoints(Boot& boot);

// Is the checkpoint's number higher than any the run is known to have had?
bool is_progress(const Boot& boot, const training::CheckpointSurvey& survey);

}  // namespace boot
