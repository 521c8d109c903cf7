// Scenarios from files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "harness/scenario/names.h"
#include "harness/scenario/scenario.h"

namespace scenario {

// The scenarios of one file: one, or an instance for each value of its `for-each`. Form only: nothing but the file is
// looked at. Errors: kNotFound and other errors of reading; kInvalidInput with file, line, key and the nearest name.
base::Result<std::vector<Scenario>> load(const std::string& file);

// The same for a text that is already there; `file` is its name in messages.
base::Result<std::vector<Scenario>> parse(const std::string& text, const std::string& file);

// Every section of a scenario's file with the keys it knows, for the schema to be held against.
std::map<std::string, Names> known_keys();

}  // namespace scenario
