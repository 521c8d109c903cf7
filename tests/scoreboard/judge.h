// What the scoreboard asks of a checkout after a start command has run on it: the same of every contestant.
#pragma once

#include <set>
#include <string>

#include "../launcher/lived_in.h"

namespace scoreboard {

// The training ran, and git finds nothing wrong with what it ran on: the whole database passes fsck, status and HEAD
// can be read, no lock is left, and each file of HEAD lies in the work tree with its contents, but for the one that the
// user had changed.
bool recovered(const checkout::LivedIn& world, bool trained);

// Marks that are lost by the widest reading: in no file below the disk, and in no object that git can still read,
// reachable or not.
std::set<std::string> lost_marks(const checkout::LivedIn& world);

}  // namespace scoreboard
