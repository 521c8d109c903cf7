#include "launcher/boot/checkout_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <ctime>

#include "launcher/base/files.h"
#include "launcher/boot/say.h"

namespace boot {

namespace fs = std::filesystem;

// Somebody else's bootstrap in the same checkout.
static constexpr int kLockWaitSeconds = 20 * 60;

base::Result<base::UniqueFd> lock_checkout(const fs::path& checkout) {
  const fs::path folder = checkout.parent_path() / ".podlaunch";
  if (auto made = base::make_folders(folder.string()); !made) return base::fail(made.error());
  const std::string path = (folder / (checkout.filename().string() + ".lock")).string();
  base::UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.valid()) return base::fail(base::system_error(errno, "open the checkout's lock", path));
  for (int waited = 0; ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0; ++waited) {
    // A file system without locks: the lease of the run is what is left.
    if (errno != EWOULDBLOCK && errno != EINTR) return lock;
    if (waited == 0) say_phase("checkout", "another launcher is at work in {}; waiting for it", checkout.string());
    if (waited >= kLockWaitSeconds) {
      base::Error error =
          base::system_error(EBUSY, "lock the checkout", path, "Look for another podlaunch that hangs.");
      error.detail = "another launcher has held it for 20 minutes";
      return base::fail(error);
    }
    const timespec second{1, 0};
    (void)::nanosleep(&second, nullptr);
  }
  return lock;
}

}  // namespace boot
