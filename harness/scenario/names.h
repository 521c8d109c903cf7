// The names that scenarios may use for things which other folders bring to life. They stand here, so that a scenario
// can be checked without linking what it names; a test in each of those folders holds the lists together.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace scenario {

using Names = std::vector<std::string>;

const Names& platform_names();
const Names& damage_names();
const Names& oracle_names();
const Names& outcome_names();
const Names& disk_kind_names();
const Names& trainer_fault_names();
const Names& network_fault_names();    // besides `down`
const Names& network_service_names();  // whose answers can be spoilt
const Names& edit_kind_names();
const Names& file_damage_names();
const Names& disk_fault_names();
const Names& gpu_fault_names();
const Names& nvidia_smi_names();
const Names& provider_fault_names();
const Names& provider_api_names();
const Names& oracle_expectation_names();

// The candidate that takes the fewest edits from `word`, when there are few enough for a slip; else empty.
std::string nearest(std::string_view word, const Names& candidates);

// What to do about an unknown name: `Did you mean "steps"? Valid here: a, b, c`.
std::string suggest(std::string_view word, const Names& candidates);

}  // namespace scenario
