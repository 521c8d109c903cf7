#include "launcher/boot/phases/checkout_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "launcher/base/files.h"
#include "launcher/boot/keeper/say.h"

namespace boot {

namespace fs = std::filesystem;
using base::Clock;

// Somebody else's bootstrap in the same checkout.
static constexpr base::Seconds kWaitMax{20 * 60};

static void pause_for(base::Milliseconds time) {
  const timespec length{time.count() / 1000, (time.count() % 1000) * 1'000'000};
  (void)::nanosleep(&length, nullptr);
}

// The renewer: a child of the one that works on the checkout.
[[noreturn]] static void keep_renewing(lease::Tenure tenure, const lease::Terms& terms, pid_t holder) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != holder) ::_exit(0);
  base::TimePoint lawful_until = Clock::now() + terms.lifetime;
  for (bool renewed = true;;) {
    pause_for(renewed ? terms.renew_every() : terms.renew_every() / 4);
    const base::TimePoint began = Clock::now();
    const auto result = tenure.renew();
    renewed = result.has_value();
    if (renewed) lawful_until = began + terms.lifetime;
    const bool taken = !renewed && result.error().code == base::ErrorCode::kBusy;
    if (!taken && Clock::now() < lawful_until) continue;
    say_phase("checkout", "its lock is lost, so the work on it ends: {}",
              taken ? result.error().detail : "it could not be renewed in time");
    ::kill(holder, SIGKILL);
    ::_exit(1);
  }
}

CheckoutLock::CheckoutLock(CheckoutLock&& other) noexcept
    : lock_(std::move(other.lock_)),
      tenure_(std::exchange(other.tenure_, std::nullopt)),
      renewer_(std::exchange(other.renewer_, 0)) {}

CheckoutLock::~CheckoutLock() {
  if (renewer_ > 0) {
    (void)::kill(renewer_, SIGKILL);
    while (::waitpid(renewer_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (tenure_) tenure_->release();
}

static lease::Lock ask_kernel(int descriptor) {
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return lease::Lock::kHad;
  return errno == EWOULDBLOCK || errno == EINTR ? lease::Lock::kDenied : lease::Lock::kUnknown;
}

static base::Error waited_in_vain(const std::string& path, const std::string& for_whom) {
  base::Error error = base::system_error(EBUSY, "lock the checkout", path, "Look for another podlaunch that hangs.");
  error.code = base::ErrorCode::kBusy;
  error.detail = fmt::format("{} has held it for 20 minutes", for_whom);
  return error;
}

base::Result<CheckoutLock> lock_checkout(const LockRequest& request) {
  const fs::path folder = request.checkout.parent_path() / ".podlaunch";
  const std::string name = request.checkout.filename().string();
  CheckoutLock held;
  const auto made = base::make_folders(folder.string());
  const std::string path = (folder / (name + ".lock")).string();
  if (made) held.lock_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  const int open_errno = made ? errno : made.error().system_errno;
  if (!held.lock_.valid() && open_errno == EROFS) return held;
  if (!held.lock_.valid()) return base::fail(base::system_error(open_errno, "open the checkout's lock", path));

  const fs::path lease_folder = folder / (name + ".lease");
  lease::Patience patience;
  bool announced = false;
  for (const base::TimePoint until = Clock::now() + kWaitMax;; pause_for(base::Seconds(1))) {
    const lease::Lock lock = ask_kernel(held.lock_.get());
    // A file system without locks, and no other host: the lease of the run is what is left.
    if (!request.shared_disk && lock != lease::Lock::kDenied) return held;
    lease::Sight sight;
    if (request.shared_disk) {
      const auto seen = lease::look(lease_folder);
      if (!seen) return base::fail(seen.error());
      sight = *seen;
      const bool dead = !request.dead_boot.empty() && sight.holder.boot == request.dead_boot;
      const bool silent = patience.exhausted(sight, Clock::now()) || dead;
      if (lease::is_free(sight, request.self, {lock, true, silent})) {
        auto tenure = lease::Tenure::claim(lease_folder, sight, request.self, request.terms);
        if (tenure) {
          held.tenure_ = std::move(*tenure);
          break;
        }
        if (tenure.error().code != base::ErrorCode::kBusy) return base::fail(tenure.error());
        continue;
      }
    }
    const std::string other = sight.released ? "another launcher" : lease::describe(sight);
    if (!announced) say_phase("checkout", "{} is at work in {}; waiting for it", other, request.checkout.string());
    announced = true;
    if (Clock::now() >= until) return base::fail(waited_in_vain(path, other));
  }
  const pid_t holder = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return base::fail(base::system_error(errno, "start the process that renews the checkout's lock"));
  if (child == 0) {
    held.lock_.reset();
    keep_renewing(*held.tenure_, request.terms, holder);
  }
  held.renewer_ = child;
  return held;
}

}  // namespace boot
