#include "launcher/checkout/checkout.h"

#include "launcher/base/helper.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/boot/nodes.h"
#include "launcher/boot/phases/checkout_lock.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/boot/waiting.h"
#include "launcher/ledger/ledger.h"
#include "launcher/training/failure.h"

namespace boot {

// A clone of a large repository over a slow line; a line that stalls is noticed much earlier, within the call.
static constexpr base::Seconds kDeadline{2 * 3600};

void configure(checkout::Request& request, const config::Config& config) {
  request.url = config.repo;
  request.ref = config.ref;
  request.transport =
      config.transport == config::Transport::kGit ? checkout::Transport::kGit : checkout::Transport::kLibgit2;
  request.history_depth = config.depth.value_or(0);
  request.credentials.token_variable = config.git_token_variable;
  request.credentials.ssh_key = config.ssh_key;
  request.credentials.ssh_known_hosts = config.ssh_known_hosts;
  request.credentials.netrc = config.netrc;
  request.credentials.ca_bundle = config.ca_bundle;
  request.network_stall_limit = config.network_timeout;
  request.quarantine_bytes_max = config.quarantine_max;
}

checkout::Request checkout_request(const Boot& boot) {
  const config::Config& config = boot.config;
  checkout::Request request;
  request.path = config.checkout;
  switch (config.update) {
    case config::UpdateMode::kAlways:
      request.update = checkout::UpdateMode::kAlways;
      break;
    case config::UpdateMode::kUntilCheckpoint:
      request.update = checkout::UpdateMode::kUntilCheckpoint;
      break;
    case config::UpdateMode::kOncePerRun:
      request.update = checkout::UpdateMode::kOncePerRun;
      break;
    case config::UpdateMode::kNever:
      request.update = checkout::UpdateMode::kNever;
      break;
  }
  const bool set_aside = config.local_changes == config::LocalChanges::kSetAside;
  request.local_changes = set_aside ? checkout::LocalChanges::kSetAside : checkout::LocalChanges::kKeep;
  configure(request, config);
  const ledger::Memory& memory = boot.journal.memory();
  request.run_has_checkpoint = !memory.best_checkpoint.empty() || !boot.checkpoints.resume_from.empty();
  request.run_was_updated = memory.attempts > 0;
  // The boot before wrote no end, it was on another host, or nobody knows of one: what lies there is looked at closely.
  const bool other_host = boot.previous_host.empty() || boot.previous_host != boot.identity.host;
  request.deep = boot.unclean_before || other_host;
  const bool alone = boot.identity.first_process && !is_shared(boot, config.checkout);
  request.lock_trust = alone ? checkout::LockTrust::kNobodyElse : checkout::LockTrust::kAskProcesses;
  return request;
}

static LockRequest lock_request(const Boot& boot) {
  LockRequest request;
  request.checkout = boot.config.checkout;
  request.shared_disk = is_shared(boot, boot.config.checkout);
  request.self = {boot.identity.pod, boot.identity.host, boot.identity.boot, base::wall_clock_seconds()};
  request.terms = lease_terms(boot);
  request.dead_boot = boot.dead_boot;
  return request;
}

static std::string bring_up_in_helper(checkout::Request request, const LockRequest& locking,
                                      const std::string& signature) {
  request.say = [](const std::string& line) { say_phase("checkout", "{}", line); };
  const auto lock = lock_checkout(locking);
  if (!lock) return checkout::to_json(base::Result<checkout::Outcome>(base::fail(lock.error())));
  const auto outcome = checkout::bring_up(request);
  if (outcome && !signature.empty()) sign_checkout(request.path, signature);
  return checkout::to_json(outcome);
}

static policy::Cause cause_of(base::ErrorCode code) {
  using base::ErrorCode;
  switch (code) {
    case ErrorCode::kNetwork:
    case ErrorCode::kTimedOut:
    case ErrorCode::kBusy:
    case ErrorCode::kDamaged:
      return policy::Cause::kTransient;  // mended as soon as the remote answers
    case ErrorCode::kNoSpace:
    case ErrorCode::kNotPermitted:
      return policy::Cause::kEnvironment;
    case ErrorCode::kAuthentication:
    case ErrorCode::kNotFound:
    case ErrorCode::kInvalidInput:
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kUnsupported:
      return policy::Cause::kDeterministic;
    case ErrorCode::kSystem:
      break;
  }
  return policy::Cause::kUnknown;
}

static policy::Decision checkout_failed(Boot& boot, const base::Error& error) {
  if (boot.waiter.stop_signal() != 0) return boot.journal.observe(policy::Preempted{});
  const std::string text = boot.redactor.redact(error.message());
  say_phase("checkout", "failed: {}", text);
  const std::uint64_t fingerprint =
      ledger::fingerprint(std::string(base::name(error.code)) + training::normalise(text));
  return boot.journal.observe(policy::PhaseFailed{policy::Phase::kCheckout, cause_of(error.code), fingerprint},
                              {.phase = "checkout", .text = text});
}

static void report(const Boot& boot, const checkout::Outcome& outcome) {
  for (const checkout::Rescued& rescued : outcome.rescued)
    say_phase("checkout", "kept safe: {} in {}", rescued.what, rescued.where);
  for (const std::string& warning : outcome.warnings) say_phase("checkout", "warning: {}", warning);
  const std::string& known = boot.journal.memory().checkpoint_commit;
  if (outcome.updated && !known.empty() && known != outcome.commit) {
    say_phase("checkout", "warning: the code has changed since the newest checkpoint was written (then {})",
              known.substr(0, 12));
  }
  const char* how = outcome.cloned     ? "cloned"
                    : outcome.repaired ? "repaired"
                    : outcome.updated  ? "updated"
                                       : "unchanged";
  say_phase("checkout", "{} at {}{}{}", how, outcome.commit.substr(0, 12), outcome.branch.empty() ? "" : " of ",
            outcome.branch);
}

static policy::Decision checked_out(Boot& boot, const std::string& commit) {
  if (commit == boot.commit) return policy::Run{};
  boot.commit = commit;
  return boot.journal.observe(policy::CommitSeen{ledger::fingerprint(commit)}, {.phase = "checkout", .commit = commit});
}

// Word of what this node has made of the checkout; none while it is at work on it.
static void tell_commit(Boot& boot, const std::string& commit) {
  boot.nodes.word.commit = commit;
  tell_other_nodes(boot);
}

static policy::Decision bring_up_own(Boot& boot) {
  const checkout::Request request = checkout_request(boot);
  const LockRequest locking = lock_request(boot);
  const bool leads = shares_with_other_nodes(boot) && rank_of(boot) == 0;
  if (leads) tell_commit(boot, "");
  const std::string signature = leads ? boot.identity.boot : "";
  const auto answer = base::call_helper(
      boot.waiter, "bring up the checkout", kDeadline, [&] { return bring_up_in_helper(request, locking, signature); },
      say_still_at_work("checkout", request.path.string()));
  if (!answer) return checkout_failed(boot, answer.error());
  const auto outcome = checkout::outcome_from_json(*answer);
  if (!outcome) return checkout_failed(boot, outcome.error());
  report(boot, *outcome);
  if (leads) tell_commit(boot, outcome->commit);
  return checked_out(boot, outcome->commit);
}

// The wait for node 0: as long as its own work may take, if it lives; much less without a sign of it. Nothing when
// there is its word, or its hold, or a reason to leave.
static bool waited_in_vain(Boot& boot) {
  constexpr base::Seconds kSilenceMax{20 * 60};
  const auto pause = std::min<base::Milliseconds>(base::Seconds(5), lease_terms(boot).renew_every());
  const base::TimePoint began = base::Clock::now();
  bool gone_before = false;
  for (bool announced = false;; announced = true) {
    look_at_other_nodes(boot);
    const bool gone = shared_checkout_is_gone(boot);
    if (gone && !gone_before)
      say_phase("checkout", "{} is gone since node 0 has brought it up; waiting for node 0 to do so again",
                boot.config.checkout.string());
    gone_before = gone;
    const base::TimePoint now = base::Clock::now();
    const bool over = (boot.nodes.checkout_word() && !gone) || boot.nodes.held(now) || boot.journal.lease_lost();
    if (over || boot.waiter.stop_signal() != 0) return false;
    if (now - began >= kDeadline || now - boot.nodes.silent_since(0) >= kSilenceMax) return true;
    if (!announced && !gone) say_phase("checkout", "waiting for node 0, which brings it up");
    boot.companions.tend(boot.waiter);
    boot.journal.tend();
    while (base::Clock::now() < now + pause && boot.waiter.stop_signal() == 0) boot.waiter.wait({}, now + pause);
  }
}

static policy::Decision await_node_0(Boot& boot) {
  const bool in_vain = waited_in_vain(boot);
  if (boot.waiter.stop_signal() != 0) return boot.journal.observe(policy::Preempted{});
  const ledger::Facts facts{.phase = "checkout"};
  if (in_vain) return boot.journal.observe(policy::Blocked{policy::Obstacle::kCheckoutAwaited}, facts);
  const auto word = boot.nodes.checkout_word();
  if (!word && boot.nodes.held(base::Clock::now()))
    return boot.journal.observe(policy::Blocked{policy::Obstacle::kNodeHeld}, facts);
  if (!word) return policy::Run{};  // the lease is lost, which is seen to next
  const auto answer = base::call_helper(boot.waiter, "look whose the checkout is", base::Seconds(60), [&] {
    return std::string(is_signed(boot.config.checkout, word->word_boot) ? "shared" : "own");
  });
  if (!answer) return checkout_failed(boot, answer.error());
  if (*answer == "own") return bring_up_own(boot);
  say_phase("checkout", "brought up by node 0 at {}", word->word.commit.substr(0, 12));
  return checked_out(boot, word->word.commit);
}

policy::Decision bring_up_checkout(Boot& boot) {
  const bool follows = shares_with_other_nodes(boot) && rank_of(boot) != 0;
  return follows ? await_node_0(boot) : bring_up_own(boot);
}

}  // namespace boot
