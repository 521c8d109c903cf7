// A second opinion on the fault points of a boot: the boot is played twice more from the disks that it begins with,
// once on the stage and once under strace, and what either counted must agree.
//
// Two programs cannot trace one process, and strace can arrange nothing: no clock, no mount table, no timeline. So
// neither play has them. Both see the machine's own mounts, the trainer does not sleep, and the boot goes on until it
// ends or rests. What the stage is asked is what it counts in any play: which calls of which process change a disk.
// Only opens are counted wider, by what they may do, since strace does not tell whether an open has created its file.
// And a file that takes another program's output is written in pieces that depend on who runs when: there the bytes
// must agree where the calls do not.
#pragma once

#include <string>
#include <vector>

#include "harness/sweep/zygote.h"
#include "harness/witness/strace_log.h"

namespace sweep {

struct Testimony {
  std::string text;                      // "boot 1: strace and the stage both count 412 calls of 9 processes"
  std::vector<std::string> not_covered;  // where they disagree, or why strace said nothing
};

// Within the recorded play, at the beginning of a boot. `strace` is its path.
Testimony witness_boot(const Backstage& backstage, int boot, const std::string& strace);

Testimony compare(int boot, const witness::Counts& stage, const witness::Counts& strace);

}  // namespace sweep
