// What the timeline does to clocks, files, disks and GPUs, and what people do from outside.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/check.h"
#include "harness/pod/virtual_time.h"
#include "harness/pod/world/play.h"

namespace pod {

using scenario::DiskFaultKind;
using scenario::GpuFaultKind;
using scenario::NvidiaSmiKind;

void World::Play::heals_after(Duration lasting, std::string words, std::function<void()> heal) {
  if (lasting <= Duration::zero()) return;
  ++due_later_;
  stage_->at((now() + lasting).count(), [this, words = std::move(words), heal = std::move(heal)] {
    --due_later_;
    disturbed_ = true;
    heal();
    event(EventKind::kHeal, words);
    note_activity();
  });
}

// Which calls the pod's processes must stop at.
stage::FaultPoints World::Play::traps() const {
  if (disks_can_fail_) return stage::FaultPoints::kAll;
  return materials_.points != nullptr ? stage::FaultPoints::kWatched : stage::FaultPoints::kIgnored;
}

void World::Play::do_action(const scenario::ClockJump& action) {
  stage_->step_wall_clock(action.by.count());
}

void World::Play::do_action(const scenario::FileDamage& action) {
  take_with_it([&] {
    auto damaged = materials_.hands.damage_file(disks_->host_path(action.path), action);
    if (!damaged) return pass_over(damaged.error());
    event(EventKind::kNote, "damaged: " + damaged->substr(damaged->rfind('/') + 1));
  });
}

static stage::DiskFault disk_fault(DiskFaultKind kind) {
  switch (kind) {
    case DiskFaultKind::kFull:
      return stage::DiskFault::kFull;
    case DiskFaultKind::kQuota:
      return stage::DiskFault::kQuota;
    case DiskFaultKind::kReadOnly:
      return stage::DiskFault::kReadOnly;
    case DiskFaultKind::kFailing:
      return stage::DiskFault::kFailing;
    case DiskFaultKind::kHanging:
      break;
  }
  return stage::DiskFault::kHanging;
}

void World::Play::do_action(const scenario::DiskFault& action) {
  stage_->fail_disk(action.disk, disk_fault(action.kind), action.unkillable);
  heals_after(action.lasting, fmt::format("the disk {} is well again", action.disk),
              [this, disk = action.disk] { stage_->heal_disk(disk); });
}

void World::Play::do_action(const scenario::EnvironmentChange& action) {
  for (const auto& [name, value] : action.variables) {
    if (value) {
      materials_.environment[name] = *value;
    } else {
      materials_.environment.erase(name);
    }
  }
}

// --- People in the pod ----------------------------------------------------------------------------------------------

void World::Play::do_action(const scenario::Exec& action) {
  if (!container_) return event(EventKind::kNote, "no container runs at this moment");
  std::array<int, 2> output{};
  CHECK(::pipe2(output.data(), O_CLOEXEC) == 0);
  ::fcntl(output[0], F_SETFL, O_NONBLOCK);
  Visit visit{base::UniqueFd(output[0]), {}};
  const base::UniqueFd write_end(output[1]);
  const std::map<std::string, std::string> environment{
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"HOME", "/root"}, {"LANG", "C.UTF-8"}};
  auto visitor = launch_inside(container_->id, action.command, environment, write_end.get(), traps());
  if (!visitor) return give_up(visitor.error());
  if (auto adopted = stage_->adopt(visitor->id, stage::Troupe::kPod, /*is_first=*/false); !adopted) {
    return give_up(adopted.error());
  }
  visitor->go();
  visits_.emplace(visitor->id, std::move(visit));
}

bool World::Play::drain_visits() {
  std::array<char, 4096> buffer;
  std::vector<std::string> lines;  // an action on one of them may change the visits
  bool some = false;
  for (auto& [id, visit] : visits_) {
    ssize_t size = 0;
    while ((size = ::read(visit.output.get(), buffer.data(), buffer.size())) > 0) {
      some = true;
      visit.unfinished_line.append(buffer.data(), static_cast<std::size_t>(size));
    }
    std::size_t end = 0;
    while ((end = visit.unfinished_line.find('\n')) != std::string::npos) {
      lines.push_back("exec: " + visit.unfinished_line.substr(0, end));
      visit.unfinished_line.erase(0, end + 1);
    }
  }
  for (std::string& line : lines) take_line(std::move(line));
  return some;
}

void World::Play::end_visit(pid_t visitor, base::WaitStatus status) {
  if (!visits_.contains(visitor)) return;
  (void)drain_visits();
  auto visit = visits_.extract(visitor);
  if (visit.empty()) return;
  if (!visit.mapped().unfinished_line.empty()) take_line("exec: " + visit.mapped().unfinished_line);
  take_line("exec: ended: " + status.describe());
  note_activity();
}

// --- GPUs -----------------------------------------------------------------------------------------------------------

// The form is fixtures/README.md's. Another pod has other GPUs: their UUIDs carry its number.
void World::Play::publish_gpus() {
  const scenario::GpuModel& model = scenario_.pod.gpu_model;
  std::string text = fmt::format("nvidia-smi {}\ndriver {}\nmemory {}\nmodel {}\n", name(nvidia_smi_), model.driver,
                                 model.memory_mebibytes, model.name);
  for (int index = 0; index < scenario_.pod.gpus; ++index) {
    const auto fault = gpu_faults_.find(index);
    text += fmt::format("gpu {} GPU-5f0c1d6e-{:04}-4000-8000-{:012} {}\n", index, pod_number_, index + 1,
                        name(fault == gpu_faults_.end() ? GpuFaultKind::kHealthy : fault->second));
  }
  // In place, since the pod has this very file mounted.
  const base::UniqueFd file(::open(gpus_file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid() || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    give_up(base::system_error(errno, "write", gpus_file_));
  }
}

void World::Play::do_action(const scenario::GpuFault& action) {
  gpu_faults_[action.index] = action.kind;
  publish_gpus();
}

void World::Play::do_action(const scenario::NvidiaSmiFault& action) {
  nvidia_smi_ = action.kind;
  publish_gpus();
  if (action.kind == NvidiaSmiKind::kStuck) {
    stage_->fail_disk(stage::kDriverPlace, stage::DiskFault::kHanging, /*unkillable=*/true);
  } else {
    stage_->heal_disk(stage::kDriverPlace);
  }
}

}  // namespace pod
