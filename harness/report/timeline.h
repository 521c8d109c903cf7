// The boots of a world as lines of text, for the terminal.
#pragma once

#include <string>
#include <vector>

#include "harness/pod/record.h"
#include "harness/report/style.h"

namespace report {

// Each boot is a block. Rows of boots that went alike are told once, with their number.
std::vector<std::string> timeline_lines(const pod::WorldRecord& record, const Style& style);

}  // namespace report
