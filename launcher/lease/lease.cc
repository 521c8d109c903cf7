// The lease, and why two launchers never work at the same time.
//
// On disk a lease is a folder with one file an epoch: 00000007.json. Whoever takes the lease creates the file of the
// next epoch, in one step that fails when the file is there already; so each epoch has one holder, and no two launchers
// ever write to the same file. The holder of the highest epoch has the lease. It renews it by replacing its own file
// with one whose beat is higher, after it has made sure that there is no higher epoch.
//
// Nobody can be asked whether it is alive, and no clock of another machine is believed. So time is only ever a length,
// measured by one clock:
//   * the holder ends its work when `lifetime` has passed since it *began* the last renewal that succeeded, and its
//   work
//     is gone `grace` later, because then it is killed;
//   * whoever wants the lease watches the beat, and takes over after it has seen no change for lifetime + grace and one
//     renewal's time more. What it saw at first was written at that moment or earlier, so the holder's work is gone.
// The terms are the holder's, read from its file: the two launchers may be configured differently.
//
// A holder that was frozen (its machine, its disk) and wakes up later finds the higher epoch at its next renewal, or
// finds that its own time is over; either way it stops before it writes anything more: that is the fence. What its
// training writes between waking up and the launcher's next look is not fenced: a file system has no way to refuse a
// writer by its epoch.
//
// A lock of the kernel goes with the lease where there is one. It speeds things up, no more: where no other host can
// reach the disk, having the lock proves that no launcher is left; on a shared disk it proves that for the same pod on
// the same host alone, since the lock may not reach other hosts, or containers with a mount of their own.
#include "launcher/lease/lease.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/unique_fd.h"
#include "launcher/base/files.h"

namespace lease {

namespace fs = std::filesystem;
using base::Result;
using nlohmann::json;

static fs::path file_of(const fs::path& folder, std::uint64_t epoch) {
  return folder / fmt::format("{:08}.json", epoch);
}

static std::uint64_t epoch_of(const fs::path& file) {
  const std::string name = file.filename().string();
  std::uint64_t epoch = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), epoch);
  if (code != std::errc() || std::string_view(end) != ".json") return 0;
  return epoch;
}

static Result<std::vector<std::uint64_t>> epochs_in(const fs::path& folder) {
  std::vector<std::uint64_t> epochs;
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    if (const std::uint64_t epoch = epoch_of(entry->path()); epoch > 0) epochs.push_back(epoch);
  }
  if (code && code != std::errc::no_such_file_or_directory)
    return base::fail(base::system_error(code.value(), "look at the lease", folder.string()));
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

// A lease that cannot be read is somebody's all the same; only its silence says more.
static Sight parse(std::uint64_t epoch, const std::string& text) {
  Sight sight;
  sight.epoch = epoch;
  sight.released = false;
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return sight;
  try {
    sight.beat = document.value("beat", std::uint64_t{0});
    sight.released = document.value("released", false);
    sight.holder.pod = document.value("pod", "");
    sight.holder.host = document.value("host", "");
    sight.holder.boot = document.value("boot", "");
    sight.holder.since_wall_clock = document.value("since", std::int64_t{0});
    constexpr std::int64_t kDay = 86400;  // nobody waits longer for a number that makes no sense
    sight.terms.lifetime = base::Seconds(std::clamp<std::int64_t>(document.value("lifetime", 120), 1, kDay));
    sight.terms.grace = base::Seconds(std::clamp<std::int64_t>(document.value("grace", 15), 0, kDay));
  } catch (const json::exception&) {
    return sight;
  }
  return sight;
}

Result<Sight> look(const fs::path& folder) {
  const auto epochs = epochs_in(folder);
  if (!epochs) return base::fail(epochs.error());
  if (epochs->empty()) return Sight();
  const std::uint64_t epoch = epochs->back();
  return parse(epoch, base::read_file(file_of(folder, epoch).string(), 8192).value_or(""));
}

bool is_free(const Sight& sight, const Holder& self, const Circumstances& circumstances) {
  if (circumstances.lock == Lock::kDenied) {
    // Where the lock is the truth, its holder lives, however silent it is. Elsewhere a dead client's lock may linger.
    const bool lingers = circumstances.shared_disk && sight.holder.host != self.host;
    return lingers && (sight.released || circumstances.silent);
  }
  if (sight.released || circumstances.silent || sight.holder.boot == self.boot) return true;
  if (circumstances.lock == Lock::kUnknown) return false;
  if (!circumstances.shared_disk) return true;
  return sight.holder.pod == self.pod && sight.holder.host == self.host;
}

bool Patience::exhausted(const Sight& sight, base::TimePoint now) {
  if (!looking_ || !sight.same_beat(last_) || sight.holder != last_.holder) {
    last_ = sight;
    since_ = now;
    looking_ = true;
  }
  return now - since_ > sight.terms.patience();
}

Tenure::Tenure(fs::path folder, std::uint64_t epoch, Holder self, Terms terms)
    : folder_(std::move(folder)), epoch_(epoch), self_(std::move(self)), terms_(terms) {}

static base::Error taken(const fs::path& folder, const Sight& by) {
  return base::Error{.code = base::ErrorCode::kBusy,
                     .operation = "keep the lease",
                     .path = folder.string(),
                     .system_errno = 0,
                     .detail = "it was taken over by " + describe(by),
                     .remedy = {}};
}

// With its contents, or not at all where hard links exist; elsewhere an empty file shows for a moment, which reads as a
// holder that has not beaten yet.
static Result<void> create(const fs::path& folder, const fs::path& path, const std::string& text,
                           const std::string& boot) {
  const fs::path beside = folder / ("claim." + boot);
  if (auto written = base::write_file_durably(beside.string(), text); !written) return written;
  const int linked = ::link(beside.c_str(), path.c_str());
  const int link_errno = errno;
  (void)::unlink(beside.c_str());
  if (linked == 0) return {};
  if (link_errno == EEXIST) return base::fail(base::system_error(EBUSY, "take the lease", path.string()));
  base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid())
    return base::fail(base::system_error(errno == EEXIST ? EBUSY : errno, "take the lease", path.string()));
  if (!base::write_all(fd.get(), text) || ::fsync(fd.get()) != 0)
    return base::fail(base::system_error(errno, "write the lease", path.string()));
  return {};
}

static std::string text_of(const Holder& holder, const Terms& terms, std::uint64_t beat, bool released) {
  const json document{{"pod", holder.pod},
                      {"host", holder.host},
                      {"boot", holder.boot},
                      {"since", holder.since_wall_clock},
                      {"beat", beat},
                      {"released", released},
                      {"lifetime", terms.lifetime.count()},
                      {"grace", terms.grace.count()}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<Tenure> Tenure::claim(fs::path folder, const Sight& over, const Holder& self, const Terms& terms) {
  if (auto made = base::make_folders(folder.string()); !made) return base::fail(made.error());
  Tenure tenure(std::move(folder), over.epoch + 1, self, terms);
  const fs::path path = file_of(tenure.folder_, tenure.epoch_);
  if (auto made = create(tenure.folder_, path, text_of(self, terms, tenure.beat_, false), self.boot); !made) {
    base::Error error = made.error();
    if (error.system_errno == EBUSY) error.code = base::ErrorCode::kBusy;
    return base::fail(error);
  }
  // Somebody may have been even further than what we saw.
  const auto epochs = epochs_in(tenure.folder_);
  if (!epochs) return base::fail(epochs.error());
  if (epochs->empty() || epochs->back() != tenure.epoch_) {
    (void)::unlink(path.c_str());
    return base::fail(base::system_error(EBUSY, "take the lease", path.string()));
  }
  for (const std::uint64_t epoch : *epochs) {
    if (epoch < tenure.epoch_) (void)::unlink(file_of(tenure.folder_, epoch).c_str());
  }
  return tenure;
}

Result<Tenure> Tenure::go_on(fs::path folder, std::uint64_t epoch, const Holder& self, const Terms& terms) {
  Tenure tenure(std::move(folder), epoch, self, terms);
  const auto sight = look(tenure.folder_);
  if (!sight) return base::fail(sight.error());
  if (sight->epoch < epoch)
    return base::fail(base::system_error(ENOENT, "renew the lease", file_of(tenure.folder_, epoch).string()));
  if (sight->epoch != epoch || sight->holder.boot != self.boot) return base::fail(taken(tenure.folder_, *sight));
  tenure.beat_ = sight->beat;
  if (auto renewed = tenure.renew(); !renewed) return base::fail(renewed.error());
  return tenure;
}

Result<void> Tenure::write(bool released) {
  return base::write_file_durably(file_of(folder_, epoch_).string(), text_of(self_, terms_, beat_, released));
}

Result<void> Tenure::renew() {
  const auto epochs = epochs_in(folder_);
  if (!epochs) return base::fail(epochs.error());
  // Without our file somebody has removed the state, or has come and gone: we cannot know that we are alone.
  const bool ours_is_newest = !epochs->empty() && epochs->back() == epoch_;
  if (!ours_is_newest && !epochs->empty() && epochs->back() > epoch_) {
    const auto sight = look(folder_);
    return base::fail(taken(folder_, sight ? *sight : Sight()));
  }
  if (!ours_is_newest)
    return base::fail(base::system_error(ENOENT, "renew the lease", file_of(folder_, epoch_).string()));
  ++beat_;
  return write(false);
}

bool Tenure::is_lost() const {
  const auto there = [this](std::uint64_t epoch) { return ::access(file_of(folder_, epoch).c_str(), F_OK) == 0; };
  return there(epoch_ + 1) || !there(epoch_);
}

void Tenure::release() {
  // Whoever waits then waits for the silence instead.
  if (!is_lost()) (void)write(true);
}

std::string describe(const Sight& sight) {
  const std::string pod = sight.holder.pod.empty() ? "an unknown pod" : "pod " + sight.holder.pod;
  if (sight.holder.since_wall_clock <= 0) return fmt::format("{} (epoch {})", pod, sight.epoch);
  const auto since = fmt::gmtime(static_cast<std::time_t>(sight.holder.since_wall_clock));
  return fmt::format("{} (since {:%Y-%m-%d %H:%M:%S} UTC, epoch {})", pod, since, sight.epoch);
}

}  // namespace lease
