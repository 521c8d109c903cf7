// The sections of a scenario's file, as tables. Each table is the only list of its keys: the parser reads by it, and
// the schema is held against it.
#pragma once

#include <map>
#include <string>

#include "harness/scenario/section.h"

namespace scenario {

// read_pod.cc: the world before anything happens
const Section<Pod>& pod_section();
const Section<Disk>& disk_section();
const Section<Pod>& gpus_section();
const Section<Repository>& repository_section();
const Section<Trainer>& trainer_section();
const Section<Provider>& provider_section();
const Section<InitialFile>& file_section();
void read_files(Reader& reader, const YAML::Node& node, std::vector<InitialFile>& files);

// read_start.cc: what PID 1 runs
const Section<Start>& start_section();
const Names& podlaunch_keys();  // the keys of `podlaunch:` that mean something here; others are flags as they stand
void read_start(Reader& reader, const YAML::Node& node, Start& start);

// read_timeline.cc: what happens to it
const Section<TimelineEntry>& timeline_section();
const Section<Moment>& moment_section();
const Section<SpotInterrupt>& spot_interrupt_section();
const Section<UpstreamCommit>& upstream_commit_section();
const Section<UserEdit>& user_edit_section();
const Section<ProviderFault>& provider_fault_section();
const Names& plain_action_names();    // actions that are a word alone
const Names& one_key_action_names();  // actions that are a map of one key
void read_timeline(Reader& reader, const YAML::Node& node, std::vector<TimelineEntry>& timeline);

// read_faults.cc: actions that are a map of several keys, known by the first of them
const Section<ClockJump>& clock_section();
const Section<FileDamage>& file_damage_section();
const Section<DiskFault>& disk_fault_section();
const Section<GpuFault>& gpu_fault_section();
const Names& wide_action_names();
bool read_wide_action(Reader& reader, const YAML::Node& node, Action& action);  // false: it is none of these
void read_environment_change(Reader& reader, const YAML::Node& node, Action& action);
void read_exec(Reader& reader, const YAML::Node& node, Action& action);
NvidiaSmiKind nvidia_smi_kind(Reader& reader, const YAML::Node& node);

// read_network.cc: what the network does
struct NetworkWords;
const Section<NetworkWords>& network_section();
Action read_network(Reader& reader, const YAML::Node& node);

// read_expect.cc: how it should end
const Section<Expect>& expect_section();
const Section<Bound>& bound_section();
const Section<Allowance>& allowance_section();
void read_allowances(Reader& reader, const YAML::Node& node, std::vector<Allowance>& allowances);

}  // namespace scenario
