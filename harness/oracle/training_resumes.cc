#include <fmt/format.h>

#include <algorithm>

#include "harness/oracle/pod_files.h"
#include "harness/oracle/promises.h"
#include "harness/oracle/words.h"

// Two questions about a training that was interrupted. Did every attempt go on from the newest checkpoint that its
// disks still held? And did the training, once finished, end with exactly the weights of one that nobody interrupted?
// The second needs no interruption to be worth asking: a checkout that was updated wrongly shows there, too.
//
// A checkpoint that lay on the container disk is gone with the pod; only those of the same pod then count.

namespace oracle {

namespace {

constexpr auto oracle_name = "training-resumes";

Verdict verdict(Status status, std::string reason) {
  return {oracle_name, status, std::move(reason), false, {}};
}

std::string pod_id_of_boot(const pod::WorldRecord& record, int number) {
  for (const auto& boot : record.boots) {
    if (boot.number == number) return boot.pod_id;
  }
  return "";
}

bool survives_the_pod(const scenario::Scenario& scenario, const std::string& folder) {
  return std::any_of(scenario.pod.disks.begin(), scenario.pod.disks.end(), [&](const scenario::Disk& disk) {
    return disk.kind != scenario::DiskKind::kContainer && lies_within(folder, disk.mount_path);
  });
}

// The newest step that a checkpoint from before the attempt holds, on a disk that the attempt could read; else 0.
int newest_checkpoint_before(const scenario::Scenario& scenario, const pod::WorldRecord& record,
                             const pod::Attempt& attempt) {
  const bool on_volume = survives_the_pod(scenario, scenario.trainer.checkpoint_folder);
  const auto pod_id = pod_id_of_boot(record, attempt.boot);
  int newest = 0;
  for (const auto& event : record.events) {
    if (event.kind != pod::EventKind::kCheckpoint || event.at > attempt.start) continue;
    if (on_volume || pod_id_of_boot(record, event.boot) == pod_id) newest = std::max(newest, event.step);
  }
  return newest;
}

// Nothing when the weights are as they should be.
std::string weights_complaint(const pod::WorldRecord& record) {
  const auto host = host_path(record, record.final_path);
  const auto content = host ? read_file(*host) : std::nullopt;
  if (!content) return fmt::format("the training finished, but its weights at {} cannot be read", record.final_path);
  if (*content == record.reference_final) return "";
  const auto differing =
      std::mismatch(content->begin(), content->end(), record.reference_final.begin(), record.reference_final.end());
  return fmt::format("the weights in {} differ from those of an uninterrupted training, from byte {} on",
                     record.final_path, differing.first - content->begin());
}

Verdict check(const scenario::Scenario& scenario, const pod::WorldRecord& record) {
  std::size_t resumptions = 0;
  for (std::size_t i = 0; i < record.attempts.size(); ++i) {
    const auto& attempt = record.attempts[i];
    if (i > 0 && record.attempts[i - 1].finished) break;  // running again what is finished is another oracle's matter
    resumptions = i;
    const int newest = newest_checkpoint_before(scenario, record, attempt);
    if (attempt.from_step < newest) {
      return verdict(Status::kFail,
                     fmt::format("attempt {} (boot {}, {}) began at step {}, although a checkpoint of "
                                 "step {} lay on its disks",
                                 i + 1, attempt.boot, clock_text(attempt.start), attempt.from_step, newest));
    }
  }
  const bool finished = std::any_of(record.attempts.begin(), record.attempts.end(),
                                    [](const pod::Attempt& attempt) { return attempt.finished; });
  if (!finished) {
    return resumptions > 0 ? verdict(Status::kPass, "every attempt went on from the newest checkpoint")
                           : verdict(Status::kNotApplicable, "no training was interrupted, and none finished");
  }
  if (record.reference_final.empty()) {
    return verdict(Status::kUnknown, "the training finished, but there is no uninterrupted one to compare it with");
  }
  if (const auto complaint = weights_complaint(record); !complaint.empty()) return verdict(Status::kFail, complaint);
  const auto history = resumptions > 0 ? "resumed " + count_text(resumptions, "time") : "never interrupted";
  return verdict(Status::kPass, history + "; the final weights equal those of an uninterrupted training, bit for bit");
}

}  // namespace

Oracle training_resumes() {
  return {oracle_name, "training goes on from its newest checkpoint and ends with the right weights", check};
}

}  // namespace oracle
