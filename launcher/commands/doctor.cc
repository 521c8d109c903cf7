#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "launcher/boot/phases/checkout_lock.h"
#include "launcher/boot/phases/phases.h"
#include "launcher/checkout/checkout.h"
#include "launcher/commands/commands.h"
#include "launcher/commands/find_run.h"
#include "launcher/commands/print_line.h"
#include "launcher/pod/disks.h"
#include "launcher/pod/identity.h"

namespace commands {

namespace fs = std::filesystem;

static base::Result<fs::path> checkout_meant(const config::Invocation& invocation) {
  const config::Config& config = invocation.config;
  fs::path path = invocation.path.empty() ? config.checkout : fs::path(invocation.path);
  if (path.empty()) {
    const auto note = note_meant(config);
    if (note) path = note->checkout;
    if (!note && (!config.run.empty() || !config.state.empty()))
      return base::fail(base::invalid_input("nothing here tells which checkout that run works in", "Name its folder."));
  }
  std::error_code code;
  const fs::path absolute = fs::absolute(path.empty() ? fs::path(".") : path, code).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

static int refuse(const base::Error& error, bool as_json) {
  if (!as_json) return complain(error);
  fmt::print("{}\n", checkout::to_json(base::Result<checkout::Outcome>(base::fail(error))));
  return 1;
}

static void print(const checkout::Finding& finding) {
  const bool somewhere = !finding.where.empty() && finding.where != ".";
  print_line("{:<10} {}{}{}", finding.sure == checkout::Confidence::kCertain ? "certain" : "likely",
             somewhere ? finding.where : "", somewhere ? ": " : "", finding.what);
  if (!finding.threatens.empty()) print_line("{:<10} at stake: {}", "", finding.threatens);
  print_line("{:<10} {}", "", finding.treatment.empty() ? "only reported" : "would be treated: " + finding.treatment);
}

// What `repair` could make of these, the remote would have to give.
static bool wants_address(const checkout::Survey& survey) {
  using enum checkout::FindingKind;
  constexpr std::array kNothingThere = {kCheckoutMissing, kCheckoutIsFile,    kCheckoutEmpty,
                                        kNotARepository,  kGitFolderUnusable, kGitFolderIsFileOrLink};
  return std::any_of(kNothingThere.begin(), kNothingThere.end(), [&](auto kind) { return survey.has(kind); });
}

static std::string verdict(const checkout::Survey& survey, const fs::path& path, const config::Config& config) {
  if (!survey.looked_into && !survey.wants_treatment()) return "not judged; see above";
  if (survey.sound())
    return survey.depth == checkout::Depth::kQuick ? "sound at a quick look; --deep looks closer" : "sound";
  if (const auto place = checkout::check_place(path); !place)
    return "not sound, and `podlaunch repair` refuses: " + place.error().message();
  return fmt::format("not sound; `podlaunch repair{}` mends it and keeps everything of yours",
                     config.repo.empty() && wants_address(survey) ? " --repo URL" : "");
}

int doctor(const config::Invocation& invocation) {
  const auto meant = checkout_meant(invocation);
  if (!meant) return refuse(meant.error(), invocation.json);
  const fs::path& path = *meant;
  const checkout::Depth depth = invocation.full   ? checkout::Depth::kFull
                                : invocation.deep ? checkout::Depth::kDeep
                                                  : checkout::Depth::kQuick;
  const auto survey = checkout::survey(path, depth);
  if (!survey) return refuse(survey.error(), invocation.json);
  if (invocation.json) {
    fmt::print("{}\n", checkout::to_json(*survey));
    return survey->sound() ? 0 : 3;
  }
  for (const checkout::Finding& finding : survey->findings) print(finding);
  print_line("{}: {}", path.string(), verdict(*survey, path, invocation.config));
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
  const auto meant = checkout_meant(invocation);
  if (!meant) return refuse(meant.error(), invocation.json);
  // Asked before the lock, which lies beside the checkout.
  if (const auto place = checkout::check_place(*meant); !place) return refuse(place.error(), invocation.json);
  checkout::Request request;
  request.path = *meant;
  boot::configure(request, invocation.config);
  request.deep = true;
  request.lock_trust = checkout::LockTrust::kAskProcesses;
  if (!invocation.json) request.say = [](const std::string& line) { print_line("{}", line); };
  const auto lock = boot::lock_checkout(lock_request(request.path, invocation.config, environment));
  if (!lock) return refuse(lock.error(), invocation.json);
  const auto outcome = checkout::repair(request);
  if (!outcome) return refuse(outcome.error(), invocation.json);
  if (invocation.json) {
    fmt::print("{}\n", checkout::to_json(outcome));
    return 0;
  }
  for (const checkout::Rescued& rescued : outcome->rescued)
    print_line("kept safe: {} in {}", rescued.what, rescued.where);
  for (const std::string& warning : outcome->warnings) print_line("warning: {}", warning);
  print_line("{}: {} at {}", outcome->path.string(), outcome->repaired ? "repaired" : "nothing to repair",
             outcome->commit);
  return 0;
}

}  // namespace commands
