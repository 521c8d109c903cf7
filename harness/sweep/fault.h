// One fault at one point: what a world of a sweep is about, and what a saved case holds.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "harness/scenario/scenario.h"
#include "harness/sweep/fault_address.h"

namespace sweep {

enum class Kind { kKill, kErrno, kShortWrite, kPower, kDouble, kNetwork };

inline constexpr Kind kAllKinds[] = {Kind::kKill,  Kind::kErrno,  Kind::kShortWrite,
                                     Kind::kPower, Kind::kDouble, Kind::kNetwork};

std::string_view name(Kind kind);
std::optional<Kind> find_kind(std::string_view name);

// A persistent error is healed after this long, in virtual time, or when its boot ends.
inline constexpr int kPersistentSeconds = 120;

struct Fault {
  Kind kind = Kind::kKill;
  Address point;
  bool after = false;              // kKill, kDouble: once the call has returned, else in its place
  int error = 0;                   // kErrno
  bool persistent = false;         // kErrno: every such call on the same disk from there on, else this one
  std::string model;               // kPower
  unsigned image = 0;              // kPower: which of the model's images at this point
  std::uint64_t seed = 0;          // kPower: of the choice of images where there are many
  int second = 0;                  // kDouble: this many fault points into the boot that follows, it is killed again
  scenario::NetworkFault network;  // kNetwork: begins with the point's boot, and counts from there

  bool replays_boot() const { return kind == Kind::kErrno || kind == Kind::kShortWrite || kind == Kind::kNetwork; }

  // "ENOSPC, from there on, at …"
  std::string text() const;
};

std::string to_json(const Fault& fault);
base::Result<Fault> fault_from_json(const std::string& text);

std::string error_name(int error);
// The errors that this call can return for reasons that lie outside the program.
std::vector<int> errors_of(long syscall, bool network_volume);
bool can_return(long syscall, int error, bool network_volume);
// Whether an error may last: a call that is interrupted each time it is made is no fair world.
bool can_last(int error);

}  // namespace sweep
