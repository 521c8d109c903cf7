// A lease: who may work on something that several pods can reach (a run, a checkout), for as long as it says so.
// How it works, and what it cannot do, stands in lease.cc.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"
#include "launcher/base/time.h"

namespace lease {

struct Terms {
  base::Seconds lifetime{120};  // a holder that could not renew it for so long ends its work
  base::Seconds grace{15};      // and this is how long that may take

  base::Milliseconds renew_every() const { return base::Milliseconds(lifetime) / 4; }
  // Silence of this length, seen by one clock, proves that the holder's work has ended.
  base::Milliseconds patience() const { return base::Milliseconds(lifetime) + grace + renew_every(); }

  bool operator==(const Terms&) const = default;
};

struct Holder {
  std::string pod;
  std::string host;                   // the kernel's boot id
  std::string boot;                   // drawn by every launcher anew
  std::int64_t since_wall_clock = 0;  // seconds since 1970, for people only

  bool operator==(const Holder&) const = default;
};

// What lies on the disk.
struct Sight {
  std::uint64_t epoch = 0;  // 0: nobody has ever had it
  std::uint64_t beat = 0;   // grows with each renewal
  bool released = true;
  Holder holder;
  Terms terms;

  bool same_beat(const Sight& other) const { return epoch == other.epoch && beat == other.beat; }
};

// Errors: those of reading a folder; a folder that is not there is nobody's lease.
base::Result<Sight> look(const std::filesystem::path& folder);

// How the kernel answered when asked for the lock that goes with the lease.
enum class Lock {
  kHad,      // no process of this host has it
  kDenied,   // a living process of this host has it, or a server believes so
  kUnknown,  // this file system knows no locks
};

struct Circumstances {
  Lock lock = Lock::kUnknown;
  bool shared_disk = false;  // other hosts can reach it, and the lock may not reach them
  bool silent = false;       // it has not beaten for as long as its terms ask
};

// May `self` take it now?
bool is_free(const Sight& sight, const Holder& self, const Circumstances& circumstances);

// Since when a lease has shown the same beat, by the clock of the one who looks. Starts anew with every change.
class Patience {
 public:
  bool exhausted(const Sight& sight, base::TimePoint now);

 private:
  Sight last_;
  base::TimePoint since_;
  bool looking_ = false;
};

// A lease that is held.
class Tenure {
 public:
  // Takes it over what was seen. Errors: kBusy when somebody else was faster; those of writing a file.
  static base::Result<Tenure> claim(std::filesystem::path folder, const Sight& over, const Holder& self,
                                    const Terms& terms);
  // Goes on with what the same boot claimed before. Errors: as for renew.
  static base::Result<Tenure> go_on(std::filesystem::path folder, std::uint64_t epoch, const Holder& self,
                                    const Terms& terms);

  // Errors: kBusy when it was taken over, which is final; others when it could not be written, which may pass.
  base::Result<void> renew();
  // Somebody has taken it over, or removed it. Two looks at the disk, to be taken before anything is written.
  bool is_lost() const;
  void release();

  std::uint64_t epoch() const { return epoch_; }

 private:
  Tenure(std::filesystem::path folder, std::uint64_t epoch, Holder self, Terms terms);
  base::Result<void> write(bool released);

  std::filesystem::path folder_;
  std::uint64_t epoch_ = 0;
  std::uint64_t beat_ = 0;
  Holder self_;
  Terms terms_;
};

// "pod abc (since 2026-01-31 12:00:00 UTC, epoch 3)"
std::string describe(const Sight& sight);

}  // namespace lease
