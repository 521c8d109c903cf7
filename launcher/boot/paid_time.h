// What the budgets count: time by the monotonic clock, written down now and then, so that the next boot knows what was
// spent. A boot that is killed loses what it had not written; between boots nobody knows what was paid.
#pragma once

#include "launcher/boot/boot.h"

namespace boot {

// At the latest so often is it written: while training or setting up, and while nothing goes on.
inline constexpr base::Seconds kRecordTimeEvery{600};
inline constexpr base::Seconds kRecordIdleTimeEvery{3600};

// Writes down that the wall clock has jumped, if it has.
void look_at_clock(Boot& boot);

base::Seconds unrecorded_time(const Boot& boot);

// The time since the last call of either of these, for a record of another kind to tell.
base::Seconds take_unrecorded_time(Boot& boot);

// Writes it down. A budget that it uses up makes the decision a hold.
policy::Decision record_time(Boot& boot);

bool budget_is_spent(const Boot& boot);  // the unrecorded time included

}  // namespace boot
