// The ladder: which findings are treated first, and when to stop.
//
// Findings hide and feign each other: with a pack's index gone every branch seems to dangle, with HEAD gone the index
// seems to be of no commit. So each round treats the findings of one stage only, the lowest that has any, and then
// surveys anew. A finding that was treated twice and is still there is given up.
//
// Every treatment either replaces a file in one rename, or moves a bad one to quarantine before writing the good one.
// A kill in between leaves the second for the next call, which finds the file missing; and every file that is treated
// this way can be made again when it is missing.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "launcher/checkout/treatment/treatment.h"

namespace checkout {
namespace {

using enum FindingKind;

constexpr int kNoStage = 100;

int stage_of(FindingKind kind) {
  switch (kind) {
    case kNoPermission:
      return -1;  // what cannot be read seems to be missing, and cannot be rescued
    case kStaleLock:
    case kFolderInTheWay:
    case kObjectsFolderMissing:
    case kRefsFolderMissing:
    case kConfigDamaged:
    case kRemoteMissing:
    case kCommitGraphDamaged:
    case kMultiPackIndexDamaged:
    case kPackCacheDamaged:
    case kLeftoverFile:
      return 0;
    case kLooseObjectDamaged:
    case kPackIndexDamaged:
    case kPackIndexOrphaned:
    case kPackDamaged:
      return 1;
    case kPackedRefsDamaged:
      return 2;
    case kRefDamaged:
      return 3;
    case kHeadDamaged:
      return 4;
    case kShallowDamaged:
      return 5;
    case kRefDangling:
    case kObjectMissing:
      return 6;
    case kHeadUnborn:
      return 7;
    case kReflogDamaged:
      return 8;
    case kIndexMissing:
    case kIndexDamaged:
    case kOperationDamaged:
    case kGraftsDamaged:
      return 9;
    case kFileZeroed:
    case kFileDamaged:
      return 10;
    case kAlternatesDamaged:
      return 11;  // the folder may come back, and what it has is not lost before all is here
    default:
      return kNoStage;
  }
}

base::Result<bool> treat(Workshop& workshop, const Finding& finding) {
  switch (stage_of(finding.kind)) {
    case 1:
      return treat_object_file(workshop, finding);
    case 2:
    case 3:
      return treat_reference(workshop, finding);
    case 4:
    case 7:
      return treat_head(workshop, finding);
    case 8:
      return treat_log(workshop, finding);
    case 10:
      return treat_file(workshop, finding);
    default:
      break;
  }
  if (finding.kind == kIndexMissing || finding.kind == kIndexDamaged) return treat_index(workshop);
  return treat_git_folder(workshop, finding);
}

// Treating these can hurt nothing but what they name.
bool is_harmless(const Finding& finding) {
  return finding.treatment.empty() || finding.kind == kNoPermission || finding.kind == kStaleLock ||
         finding.kind == kLeftoverFile || finding.kind == kRemoteDiffers || finding.kind == kUpdateInterrupted ||
         finding.kind == kRemoteMissing || finding.kind == kFileZeroed || finding.kind == kFileDamaged ||
         finding.kind == kCommitGraphDamaged || finding.kind == kMultiPackIndexDamaged ||
         finding.kind == kPackCacheDamaged;
}

class Ladder {
 public:
  Ladder(Workshop& workshop, Survey survey) : workshop_(workshop), survey_(std::move(survey)) {}

  base::Result<Survey> climb() {
    for (;;) {
      const auto batch = next_batch();
      if (batch.empty()) return survey_;
      const auto changed = treat_batch(batch);
      if (!changed) return base::fail(changed.error());
      survey_ = survey_scene(workshop_.scene);
    }
  }

 private:
  std::vector<Finding> next_batch() const {
    int lowest = kNoStage;
    for (const Finding& finding : survey_.findings) {
      if (may_treat(finding)) lowest = std::min(lowest, stage_of(finding.kind));
    }
    std::vector<Finding> batch;
    if (lowest == kNoStage) return batch;
    for (const Finding& finding : survey_.findings) {
      if (may_treat(finding) && stage_of(finding.kind) == lowest) batch.push_back(finding);
    }
    return batch;
  }

  bool may_treat(const Finding& finding) const {
    if (finding.treatment.empty() || stage_of(finding.kind) == kNoStage) return false;
    const auto tried = tries_.find({finding.kind, finding.where});
    // What is missing has three places to come from, or to be let go (missing.cc).
    const int tries_max = stage_of(finding.kind) == stage_of(kObjectMissing) ? 3 : 2;
    return tried == tries_.end() || tried->second < tries_max;
  }

  base::Result<void> rescue_first(const std::vector<Finding>& batch) {
    if (rescued_ || std::all_of(batch.begin(), batch.end(), is_harmless)) return {};
    rescued_ = true;
    return rescue_references(workshop_);
  }

  base::Result<bool> treat_batch(const std::vector<Finding>& batch) {
    for (const Finding& finding : batch) ++tries_[{finding.kind, finding.where}];
    if (auto rescued = rescue_first(batch); !rescued) return base::fail(rescued.error());
    if (stage_of(batch.front().kind) == stage_of(kObjectMissing)) return treat_missing(workshop_, survey_);
    bool changed = false;
    for (const Finding& finding : batch) {
      const auto treated = treat(workshop_, finding);
      if (!treated) return treated;
      changed = changed || *treated;
    }
    return changed;
  }

  Workshop& workshop_;
  Survey survey_;
  std::map<std::pair<FindingKind, std::string>, int> tries_;
  bool rescued_ = false;
};

}  // namespace

base::Result<Survey> climb_ladder(Workshop& workshop, Survey survey) {
  auto last = Ladder(workshop, std::move(survey)).climb();
  if (!last) return last;
  if (workshop.references_were_lost && History::open(workshop.scene.git_folder)) {
    if (auto rescued = rescue_unreachable(workshop); !rescued) return base::fail(rescued.error());
  }
  return last;
}

}  // namespace checkout
