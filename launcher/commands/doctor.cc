#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/text.h"
#include "launcher/boot/phases/checkout_lock.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/boot/pointer.h"
#include "launcher/checkout/checkout.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/find_run.h"
#include "launcher/pod/disks.h"
#include "launcher/pod/identity.h"

namespace commands {

namespace fs = std::filesystem;

static fs::path checkout_meant(const config::Invocation& invocation) {
  fs::path path = invocation.path;
  if (path.empty()) path = invocation.config.checkout;
  if (path.empty()) {
    if (const auto pointer = boot::find_pointer()) path = pointer->checkout;
  }
  std::error_code code;
  const fs::path absolute = fs::absolute(path.empty() ? fs::path(".") : path, code).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

static void print(const checkout::Finding& finding) {
  const bool somewhere = !finding.where.empty() && finding.where != ".";
  fmt::print("{:<10} {}{}{}\n", finding.sure == checkout::Confidence::kCertain ? "certain" : "likely",
             somewhere ? base::on_one_line(finding.where) : "", somewhere ? ": " : "", base::on_one_line(finding.what));
  if (!finding.threatens.empty()) fmt::print("{:<10} at stake: {}\n", "", finding.threatens);
  fmt::print("{:<10} {}\n", "", finding.treatment.empty() ? "only reported" : "would be treated: " + finding.treatment);
}

int doctor(const config::Invocation& invocation) {
  const fs::path path = checkout_meant(invocation);
  const checkout::Depth depth = invocation.full   ? checkout::Depth::kFull
                                : invocation.deep ? checkout::Depth::kDeep
                                                  : checkout::Depth::kQuick;
  const auto survey = checkout::survey(path, depth);
  if (!survey) return complain(survey.error());
  if (invocation.json) {
    fmt::print("{}\n", checkout::to_json(*survey));
    return survey->sound() ? 0 : 3;
  }
  for (const checkout::Finding& finding : survey->findings) print(finding);
  fmt::print("{}: {}\n", base::on_one_line(path.string()),
             !survey->looked_into && !survey->wants_treatment() ? "not judged; see above"
             : !survey->sound()                 ? "not sound; `podlaunch repair` mends it and keeps everything of yours"
             : depth == checkout::Depth::kQuick ? "sound at a quick look; --deep looks closer"
                                                : "sound");
  return survey->sound() ? 0 : 3;
}

static boot::LockRequest lock_request(const fs::path& checkout, const config::Config& config,
                                      const config::Environment& environment) {
  const pod::Identity identity = pod::identify(environment);
  boot::LockRequest request;
  request.checkout = checkout;
  request.shared_disk =
      config.lease_time || pod::Disks::read().shared(checkout) || environment.contains("RUNPOD_VOLUME_ID");
  if (config.lease_time) request.terms.lifetime = *config.lease_time;
  request.self = {identity.pod, identity.host, identity.boot, base::wall_clock_seconds()};
  return request;
}

int repair(const config::Invocation& invocation, const config::Environment& environment) {
  checkout::Request request;
  request.path = checkout_meant(invocation);
  boot::configure(request, invocation.config);
  request.deep = true;
  request.lock_trust = checkout::LockTrust::kAskProcesses;
  if (!invocation.json) request.say = [](const std::string& line) { fmt::print("{}\n", base::on_one_line(line)); };
  const auto lock = boot::lock_checkout(lock_request(request.path, invocation.config, environment));
  if (!lock) return complain(lock.error());
  const auto outcome = checkout::repair(request);
  if (invocation.json) {
    fmt::print("{}\n", checkout::to_json(outcome));
    return outcome ? 0 : 1;
  }
  if (!outcome) return complain(outcome.error());
  for (const checkout::Rescued& rescued : outcome->rescued)
    fmt::print("kept safe: {} in {}\n", base::on_one_line(rescued.what), base::on_one_line(rescued.where));
  for (const std::string& warning : outcome->warnings) fmt::print("warning: {}\n", base::on_one_line(warning));
  fmt::print("{}: {} at {}\n", base::on_one_line(outcome->path.string()),
             outcome->repaired ? "repaired" : "nothing to repair", outcome->commit);
  return 0;
}

}  // namespace commands
