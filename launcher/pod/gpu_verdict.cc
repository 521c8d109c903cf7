#include "launcher/pod/gpu_verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"

namespace pod {

using Kind = GpuVerdict::Kind;
using State = GpuReport::State;

static void warn(const GpuReport& report, GpuVerdict& verdict) {
  constexpr long kUsedMax = 1024;  // MiB; a driver alone takes some hundreds
  long memory_max = 0;
  for (const Gpu& gpu : report.gpus) memory_max = std::max(memory_max, gpu.memory_mebibytes);
  for (const Gpu& gpu : report.gpus) {
    if (gpu.uncorrected_errors > 0) {
      verdict.warnings.push_back(
          fmt::format("{} ({}) reports {} uncorrected memory errors", gpu.uuid, gpu.name, gpu.uncorrected_errors));
    }
    if (gpu.memory_used_mebibytes > kUsedMax) {
      verdict.warnings.push_back(fmt::format("{} MiB of {} ({}) are in use before the training begins",
                                             gpu.memory_used_mebibytes, gpu.uuid, gpu.name));
    }
    if (gpu.memory_mebibytes < memory_max) {
      verdict.warnings.push_back(
          fmt::format("{} ({}) has {} MiB, another has {}", gpu.uuid, gpu.name, gpu.memory_mebibytes, memory_max));
    }
  }
}

static std::string said_by(const std::vector<std::string>& troubles) {
  return troubles.empty() ? "" : fmt::format("; {}", fmt::join(troubles, "; "));
}

// Of those that could be used, the ones without a past, where they are enough.
static std::vector<std::string> without_a_past(const std::vector<std::string>& usable, const GpuNeed& need,
                                               GpuVerdict& verdict) {
  std::vector<std::string> good;
  for (const std::string& uuid : usable) {
    const auto faults = need.faults.find(uuid);
    if (faults == need.faults.end() || faults->second < kFaultsMax) good.push_back(uuid);
  }
  if (good.size() == usable.size() || static_cast<int>(good.size()) < std::max(1, need.least)) return usable;
  for (const std::string& uuid : usable) {
    if (std::ranges::find(good, uuid) != good.end()) continue;
    verdict.troubles.push_back(
        fmt::format("{}: has failed in {} of this run", uuid, base::counted(need.faults.at(uuid), "boot")));
  }
  return good;
}

static GpuVerdict judge_answer(const GpuReport& report, const GpuNeed& need) {
  GpuVerdict verdict;
  std::vector<std::string> usable;
  for (const Gpu& gpu : report.gpus) {
    if (gpu.trouble.empty()) {
      usable.push_back(gpu.uuid);
    } else {
      verdict.troubles.push_back(fmt::format("{}: {}", gpu.uuid, gpu.trouble));
    }
  }
  for (const std::string& line : report.lost) verdict.troubles.push_back("a GPU without a name: " + line);
  usable = without_a_past(usable, need, verdict);
  warn(report, verdict);
  verdict.usable = static_cast<int>(usable.size());
  const int there = static_cast<int>(report.gpus.size());
  const std::string troubles = said_by(verdict.troubles);
  if (verdict.usable < need.least) {
    verdict.kind = Kind::kMissing;
    verdict.text = fmt::format("{} of {} can be used{}", verdict.usable, base::counted(need.wanted, "GPU"), troubles);
    return verdict;
  }
  verdict.kind = Kind::kReady;
  verdict.text = fmt::format("{} of {} there{}{}", there, need.wanted,
                             report.driver.empty() ? "" : ", driver " + report.driver, troubles);
  if (verdict.usable < std::max(there, need.wanted) || !report.lost.empty()) {
    verdict.text += fmt::format("; training on {}", verdict.usable);
    verdict.masked = std::move(usable);
  }
  return verdict;
}

GpuVerdict judge(const GpuReport& report, const GpuNeed& need) {
  GpuVerdict verdict;
  if (need.wanted == 0) return verdict;
  switch (report.state) {
    case State::kNoProgram:
      verdict.kind = need.by_user ? Kind::kMissing : Kind::kUnchecked;
      verdict.text =
          need.by_user
              ? fmt::format("{} asked for, but nvidia-smi is not in this image", base::counted(need.wanted, "GPU"))
              : fmt::format("warning: the platform promises {}, but nvidia-smi is not in this image; not checked",
                            base::counted(need.wanted, "GPU"));
      return verdict;
    case State::kHung:
      verdict.kind = Kind::kHung;
      verdict.text = "nvidia-smi does not answer: " + report.detail;
      return verdict;
    case State::kFailed:
      verdict.kind = Kind::kFailed;
      verdict.text = "nvidia-smi failed: " + report.detail;
      return verdict;
    case State::kAnswered:
      break;
  }
  return judge_answer(report, need);
}

}  // namespace pod
