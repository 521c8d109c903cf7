// Exclusive, beside the checkout, for as long as it is changed. Where no other host can reach the disk it is a lock of
// the kernel, which goes with its holder, however that ends. On a shared disk a lease goes with it, since that lock may
// end at the host: a process renews it, and ends the holder when it was taken over or could not be renewed in time.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "launcher/lease/lease.h"

namespace boot {

struct LockRequest {
  std::filesystem::path checkout;
  bool shared_disk = false;
  lease::Holder self;
  lease::Terms terms;
  std::string dead_boot;  // of a launcher that was found dead: what it still holds is free
};

class CheckoutLock {
 public:
  CheckoutLock() = default;
  CheckoutLock(CheckoutLock&& other) noexcept;
  CheckoutLock& operator=(CheckoutLock&&) = delete;
  ~CheckoutLock();

 private:
  friend base::Result<CheckoutLock> lock_checkout(const LockRequest& request);

  base::UniqueFd lock_;
  std::optional<lease::Tenure> tenure_;
  pid_t renewer_ = 0;  // ends with this object, or with its process
};

// Waits up to 20 minutes. On a read-only file system there is nothing to lock and nothing to be changed.
// Errors: kBusy; those of opening a file. Not for PID 1: its disk may hang.
base::Result<CheckoutLock> lock_checkout(const LockRequest& request);

}  // namespace boot
