// The promises that are checked today, one file each.
#pragma once

#include "harness/oracle/oracle.h"

namespace oracle {

Oracle never_loops();
Oracle work_preserved();
// For each piece of the record's work whether it is on none of its disks, however hard somebody looks: what a reflog
// leads to, and what might lie where nothing can be read, counts as there.
std::vector<bool> missing_work(const pod::WorldRecord& record);
Oracle checkout_sound();
Oracle training_resumes();
Oracle completion_sticks();

}  // namespace oracle
