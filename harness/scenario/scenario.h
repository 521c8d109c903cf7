// A scenario as values: the story that simrun replays. Form only; nothing here has looked at the machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace scenario {

using Duration = std::chrono::nanoseconds;  // always virtual time

// --- The pod -------------------------------------------------------------------------------------------------------

enum class DiskKind {
  kContainer,      // survives an automatic restart; lost when the pod is recreated
  kVolume,         // kept until the pod is deleted; survives a spot interruption
  kNetworkVolume,  // outlives the pod; can be mounted by several pods at once
};

struct Disk {
  std::string mount_path;
  DiskKind kind = DiskKind::kVolume;
  std::uint64_t size_bytes = 20ULL << 30;
  bool operator==(const Disk&) const = default;
};

// What nvidia-smi says of each GPU of the pod.
struct GpuModel {
  std::string name = "NVIDIA H100 80GB HBM3";
  int memory_mebibytes = 81'559;
  std::string driver = "550.54.15";
  bool nvidia_smi = true;  // whether the image has the program
  bool operator==(const GpuModel&) const = default;
};

struct Pod {
  std::string platform = "runpod";  // a name from the restart policies
  int gpus = 1;
  GpuModel gpu_model;
  std::vector<Disk> disks;  // the container disk is always there and need not be named
  std::map<std::string, std::string> environment;
  std::optional<Duration> restart_tick;  // overrides the platform's polling period where it has one
  bool operator==(const Pod&) const = default;
};

// The provider's API is there, as a service of the world, and can stop and terminate the pod.
struct Provider {
  std::string key = "rpa_SIMULATED0123456789";  // the pod's own, in RUNPOD_API_KEY
  bool operator==(const Provider&) const = default;
};

// A file that lies on a disk before the first boot. It counts as the user's work unless `precious` is false.
struct InitialFile {
  std::string path;
  std::string content;
  bool precious = true;
  bool operator==(const InitialFile&) const = default;
};

struct Repository {
  std::string fixture = "gsm8k";  // folder under fixtures/repositories
  std::string branch = "DL4Math";
  std::string url = "https://github.com/nexthybrid/AReaL.git";  // what start commands name; reaches the world's server
  bool operator==(const Repository&) const = default;
};

struct Trainer {
  int steps = 200;
  Duration step_time = std::chrono::seconds(2);
  int checkpoint_every = 20;
  std::string checkpoint_folder = "/workspace/outputs";
  bool operator==(const Trainer&) const = default;
};

struct Start {
  // Exactly what PID 1 of the pod executes. `shell: "…"` is {"bash", "-c", "…"}; `podlaunch: {…}` has become flags.
  std::vector<std::string> command;
  std::string checkout = "/workspace/AReaL";  // where the oracles look for the checkout
  bool is_podlaunch = false;
  bool operator==(const Start&) const = default;
};

// --- The timeline --------------------------------------------------------------------------------------------------

// A condition on what can be seen from outside. All members that are set must hold; `after` delays the action from
// then.
struct Moment {
  std::optional<Duration> at;          // virtual time since the world began
  std::optional<int> boot;             // this boot (counted from 1); alone: just before its command starts
  std::optional<int> step;             // the trainer reports this step
  std::optional<int> attempt;          // in this attempt (counted from 1 over all boots); alone: when it begins
  std::optional<std::string> log;      // a line of the container's output matches this regular expression
  std::optional<std::string> exec;     // a program of this base name is executed
  std::optional<std::string> syscall;  // the `nth` call of this name
  int nth = 1;                         // for `syscall` and `exec`: which one, counted within the boot
  Duration after{0};
  bool every = false;  // fires each time, not only the first
  bool operator==(const Moment&) const = default;
};

// SIGTERM, grace, SIGKILL, a new pod on the same volume.
struct SpotInterrupt {
  std::optional<Duration> grace;  // the platform's where it is not given
  bool operator==(const SpotInterrupt&) const = default;
};
// SIGKILL to everything; the platform restarts it.
struct KillContainer {
  bool operator==(const KillContainer&) const = default;
};
// A new container disk and a new pod id.
struct RecreatePod {
  bool operator==(const RecreatePod&) const = default;
};
struct NetworkDown {
  Duration lasting{0};  // zero: for good
  bool operator==(const NetworkDown&) const = default;
};
// What a service of the world does to those who ask it; docs/fault-model.md says what each name means.
struct NetworkFault {
  std::string fault;            // a name from network_fault_names()
  std::string service = "git";  // a name from network_service_names()
  int request = 1;              // the first request it strikes, counted from when the fault begins
  int times = 1;                // how many it strikes; 0: all of them
  Duration lasting{0};          // zero: until `times` is used up
  // Where in the answer: so many bytes, or this part of it.
  std::uint64_t after_bytes = 0;
  int after_percent = 0;
  std::uint64_t bytes_per_second = 1024;  // of `slow`
  bool operator==(const NetworkFault&) const = default;
};
// What the requests are that a fault strikes, and by which it counts.
enum class NetworkWay { kLookUp, kConnection, kRequest, kPack, kCall };
NetworkWay way_of(const NetworkFault& fault);
std::string_view name(NetworkWay way);
// Both empty: a default file with numbered content.
struct UpstreamCommit {
  std::string path;
  std::string content;
  bool operator==(const UpstreamCommit&) const = default;
};
enum class EditKind { kModify, kUntracked, kCommit, kStash };
struct UserEdit {
  EditKind kind;
  std::string path;  // relative to the checkout
  std::string content;
  bool operator==(const UserEdit&) const = default;
};
struct GitDamage {
  std::string kind;  // a name from the damage catalogue
  bool operator==(const GitDamage&) const = default;
};
enum class TrainerFaultKind {
  kCrash,
  kOutOfMemory,
  kSegfault,
  kExitZero,
  kHang,
  kFinishExitOne,
  kSaveExitOne,     // saves a checkpoint, then exits 1
  kKillsContainer,  // takes all memory there is: the kernel kills everything in the container, PID 1 included
};
// Only with a `step` moment.
struct TrainerFault {
  TrainerFaultKind kind;
  bool operator==(const TrainerFault&) const = default;
};
// The next `times` calls of pip fail.
struct PipFails {
  int times = 1;  // 0: all from now on
  bool operator==(const PipFails&) const = default;
};

// The wall clock jumps, the monotonic clock does not.
struct ClockJump {
  Duration by{0};  // negative: back
  bool operator==(const ClockJump&) const = default;
};
enum class FileDamageKind {
  kTear,     // its second half is gone
  kZero,     // as long as before, all zeros
  kHole,     // zeros in its middle
  kDelete,   // gone
  kGarbage,  // bytes behind its end that do not belong there
  kFolder,   // a folder in its place
  kMode,     // other permissions
};
struct FileDamage {
  FileDamageKind kind;
  std::string path;   // in the pod; may have * ? [] in its parts
  bool last = false;  // of several that match, in the order of their names, the last one and not the first
  unsigned mode = 0;  // for kMode
  bool operator==(const FileDamage&) const = default;
};
enum class DiskFaultKind {
  kFull,      // ENOSPC for content and folders; empty files can still be made
  kQuota,     // EDQUOT for content and for any new name
  kReadOnly,  // EROFS
  kFailing,   // EIO, whatever is done
  kHanging,   // whatever is done does not come back
};
struct DiskFault {
  DiskFaultKind kind;
  std::string disk;         // its mount path
  Duration lasting{0};      // zero: for good
  bool unkillable = false;  // for kHanging: not even SIGKILL ends what waits
  bool operator==(const DiskFault&) const = default;
};
// From the next boot on.
struct EnvironmentChange {
  std::map<std::string, std::optional<std::string>> variables;  // nothing: the variable is gone
  bool operator==(const EnvironmentChange&) const = default;
};
// Somebody runs this inside the pod, as over SSH: without the container's environment.
struct Exec {
  std::vector<std::string> command;
  bool operator==(const Exec&) const = default;
};
enum class GpuFaultKind {
  kMissing,  // not there
  kLost,     // fallen off the bus: nvidia-smi fails for it, and so does what uses it
  kDead,     // nvidia-smi finds it healthy, but nothing can use it
  kEcc,      // has uncorrectable memory errors
  kHealthy,  // none of these any more
};
struct GpuFault {
  GpuFaultKind kind;
  int index = 0;
  bool operator==(const GpuFault&) const = default;
};
enum class NvidiaSmiKind {
  kWorks,
  kHangs,     // answers nothing; SIGKILL ends it
  kStuck,     // not even SIGKILL does
  kFails,     // cannot talk to the driver
  kMismatch,  // its library is of another version than the driver
};
struct NvidiaSmiFault {
  NvidiaSmiKind kind;
  bool operator==(const NvidiaSmiFault&) const = default;
};

enum class ProviderApi { kBoth, kRest, kGraphql };
// The provider's API does not do what it should.
struct ProviderFault {
  std::string kind;  // a name from provider_fault_names()
  ProviderApi api = ProviderApi::kBoth;
  Duration lasting{0};  // zero: for good
  bool operator==(const ProviderFault&) const = default;
};

using Action = std::variant<SpotInterrupt, KillContainer, RecreatePod, NetworkDown, NetworkFault, UpstreamCommit,
                            UserEdit, GitDamage, TrainerFault, PipFails, ClockJump, FileDamage, DiskFault,
                            EnvironmentChange, Exec, GpuFault, NvidiaSmiFault, ProviderFault>;

struct TimelineEntry {
  Moment when;
  Action action;
  int line = 0;  // in the scenario's file
  bool operator==(const TimelineEntry&) const = default;
};

// --- Expectations --------------------------------------------------------------------------------------------------

struct Bound {
  std::optional<double> at_least;
  std::optional<double> at_most;
  bool operator==(const Bound&) const = default;
};

enum class Outcome {
  kCompleted,   // the training finished and was not run again
  kHeld,        // the command stays alive without training, unfinished
  kLooped,      // boots follow each other without progress
  kExited,      // the platform does not restart it any more
  kRunning,     // still training at the limit
  kStopped,     // the provider stopped the pod, as it was asked to; the container disk is gone
  kTerminated,  // the same, and of the disks network volumes alone are left
};

// How an oracle is expected to end. Everything not named in `oracles:` is expected to pass.
enum class OracleExpectation { kPass, kFail, kFailProven, kFailObserved };

struct Expect {
  std::optional<Outcome> outcome;
  std::optional<Bound> boots;
  std::optional<Bound> attempts;
  std::optional<Bound> boot_spacing_seconds;  // median from start to start
  std::optional<Bound> resumed_at_least;      // the step from which the last attempt went on
  std::optional<Bound> stop_calls;            // requests to stop or terminate that the provider answered with success
  std::optional<Bound> billed_hours;
  std::vector<std::string> log;        // each must match a line of the container's output
  std::vector<std::string> never_log;  // none may
  std::map<std::string, OracleExpectation> oracles;
  bool operator==(const Expect&) const = default;
};

struct Allowance {
  std::string oracle;
  std::string reason;
  bool operator==(const Allowance&) const = default;
};

struct Scenario {
  std::string name;
  std::string file;     // as given on the command line
  std::string variant;  // "damage=index-lock" for an instance of a `for-each` scenario, else empty
  std::string story;    // a sentence
  Pod pod;
  Repository repository;
  Trainer trainer;
  std::optional<Provider> provider;
  Start start;
  std::vector<InitialFile> files;
  std::vector<TimelineEntry> timeline;
  Expect expect;
  std::vector<Allowance> allow;
  Duration limit = std::chrono::hours(24);  // the world ends then at the latest
  Duration settle = std::chrono::hours(1);  // how long an outcome is watched before it is believed
  bool operator==(const Scenario&) const = default;
};

std::string_view name(Outcome outcome);
std::string_view name(DiskKind kind);
std::string_view name(FileDamageKind kind);
std::string_view name(DiskFaultKind kind);
std::string_view name(GpuFaultKind kind);
std::string_view name(NvidiaSmiKind kind);

// Whether the start command says http://hook.simrun/, somebody's web hook; then the world has it.
bool names_web_hook(const Scenario& scenario);

}  // namespace scenario
