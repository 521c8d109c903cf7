#include "harness/scenario/parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "harness/scenario/input_file.h"
#include "harness/scenario/sections.h"

namespace scenario {

using base::Result;

// One instance of a `for-each`: its values, and the name it is told apart by.
struct Instance {
  Substitutions substitutions;
  std::string variant;
};

template <class T>
static auto section_into(T Scenario::*member, const Section<T>& section) {
  return [member, &section](Reader& reader, const YAML::Node& node, Scenario& scenario) {
    read_section(reader, node, section, scenario.*member);
  };
}

static auto text_into(std::string Scenario::*member) {
  return [member](Reader& reader, const YAML::Node& node, Scenario& scenario) {
    scenario.*member = reader.text(node);
    if ((scenario.*member).empty()) reader.refuse(node, "is empty");
  };
}

static const Section<Scenario>& scenario_section() {
  static const Section<Scenario> section{
      {"name", text_into(&Scenario::name), true},
      {"story", text_into(&Scenario::story)},
      {"for-each", [](Reader&, const YAML::Node&, Scenario&) {}},  // expanded before a scenario is read
      {"pod", section_into(&Scenario::pod, pod_section())},
      {"repository", section_into(&Scenario::repository, repository_section())},
      {"trainer", section_into(&Scenario::trainer, trainer_section())},
      {"provider",
       [](Reader& reader, const YAML::Node& node, Scenario& scenario) {
         read_section(reader, node, provider_section(), scenario.provider.emplace());
       }},
      {"start",
       [](Reader& reader, const YAML::Node& node, Scenario& scenario) { read_start(reader, node, scenario.start); },
       true},
      {"files",
       [](Reader& reader, const YAML::Node& node, Scenario& scenario) { read_files(reader, node, scenario.files); }},
      {"timeline", [](Reader& reader, const YAML::Node& node,
                      Scenario& scenario) { read_timeline(reader, node, scenario.timeline); }},
      {"expect", section_into(&Scenario::expect, expect_section())},
      {"allow", [](Reader& reader, const YAML::Node& node,
                   Scenario& scenario) { read_allowances(reader, node, scenario.allow); }},
      {"limit", [](Reader& reader, const YAML::Node& node,
                   Scenario& scenario) { scenario.limit = reader.positive_duration(node); }},
      {"settle", [](Reader& reader, const YAML::Node& node,
                    Scenario& scenario) { scenario.settle = reader.positive_duration(node); }},
  };
  return section;
}

// Actions on what the pod does not have.
static void check_action(Reader& reader, const Scenario& scenario, const TimelineEntry& entry,
                         const std::string& subject) {
  if (const auto* fault = std::get_if<DiskFault>(&entry.action)) {
    const auto& disks = scenario.pod.disks;
    const bool known = std::ranges::any_of(disks, [&](const Disk& disk) { return disk.mount_path == fault->disk; });
    if (!known && fault->disk != "/") {
      reader.refuse_at(entry.line, subject, fmt::format("names {}, where no disk is mounted", fault->disk),
                       "Name a disk of pod.disks, or \"/\".");
    }
  }
  if (const auto* fault = std::get_if<GpuFault>(&entry.action); fault != nullptr && fault->index >= scenario.pod.gpus) {
    reader.refuse_at(entry.line, subject,
                     fmt::format("names GPU {}, but the pod has {}", fault->index, scenario.pod.gpus),
                     "GPUs are counted from 0.");
  }
}

// Moments that cannot come, and promises that are both expected and allowed away.
static void check_across_sections(Reader& reader, const YAML::Node& root, const Scenario& scenario) {
  for (std::size_t index = 0; index < scenario.timeline.size(); ++index) {
    const TimelineEntry& entry = scenario.timeline[index];
    const std::string subject = fmt::format("timeline[{}].when", index + 1);
    if (entry.when.step && *entry.when.step > scenario.trainer.steps) {
      reader.refuse_at(entry.line, subject, fmt::format("waits for step {}, which never comes", *entry.when.step),
                       fmt::format("The training has {} steps (trainer.steps).", scenario.trainer.steps));
    }
    if (entry.when.at && *entry.when.at >= scenario.limit) {
      reader.refuse_at(entry.line, subject, "comes after the scenario's end",
                       "Choose an earlier time, or raise limit.");
    }
    check_action(reader, scenario, entry, fmt::format("timeline[{}].do", index + 1));
  }
  for (const TimelineEntry& entry : scenario.timeline) {
    const auto* network = std::get_if<NetworkFault>(&entry.action);
    if (network != nullptr && network->service == "notify" && !names_web_hook(scenario)) {
      reader.refuse_at(entry.line, "timeline", "has a fault of the web hook, and the start command names none",
                       "Let it notify http://hook.simrun/, which every world knows.");
    }
    const bool of_provider =
        std::holds_alternative<ProviderFault>(entry.action) || (network != nullptr && network->service == "provider");
    if (scenario.provider || !of_provider) continue;
    reader.refuse_at(entry.line, "timeline", "has a fault of the provider, and the world has none",
                     "Add provider: {} to the scenario.");
  }
  for (const Allowance& allowance : scenario.allow) {
    if (scenario.expect.oracles.count(allowance.oracle) == 0) continue;
    reader.refuse(root["allow"], fmt::format("names {}, and so does expect.oracles", allowance.oracle),
                  "An oracle that is allowed away is not asked. Keep one of the two.");
  }
}

static Result<Scenario> read_instance(const YAML::Node& root, const std::string& file, const Instance& instance) {
  Reader reader(file, instance.substitutions);
  Scenario scenario;
  scenario.file = file;
  scenario.variant = instance.variant;
  read_section(reader, root, scenario_section(), scenario);
  check_across_sections(reader, root, scenario);
  if (reader.error()) return base::fail(*reader.error());
  return scenario;
}

// Every combination of the values, the last key turning fastest.
static std::vector<Instance> multiply(const std::vector<Instance>& instances, const std::string& key,
                                      const std::vector<std::string>& values) {
  std::vector<Instance> product;
  for (const Instance& instance : instances) {
    for (const std::string& value : values) {
      Instance next = instance;
      next.substitutions[key] = value;
      next.variant += fmt::format("{}{}={}", next.variant.empty() ? "" : ", ", key, value);
      product.push_back(std::move(next));
    }
  }
  return product;
}

static Result<std::vector<Instance>> expand(const YAML::Node& root, const std::string& file) {
  constexpr std::size_t kInstancesMax = 10'000;
  std::vector<Instance> instances(1);
  if (!root.IsMap() || !root["for-each"].IsDefined()) return instances;
  Reader reader(file, {});
  const auto add_key = [&](const std::string& key, const YAML::Node& node) {
    const std::vector<std::string> values = reader.words(node);
    if (values.empty()) reader.refuse(node, "has no values");
    if (!reader.error()) instances = multiply(instances, key, values);
    if (instances.size() > kInstancesMax) {
      reader.refuse(node, fmt::format("makes more than {} scenarios", kInstancesMax));
    }
  };
  reader.within("for-each", [&] { reader.each_entry(root["for-each"], add_key); });
  if (reader.error()) return base::fail(*reader.error());
  return instances;
}

static base::Error yaml_error(const std::string& file, const YAML::Exception& problem) {
  return base::Error{.code = base::ErrorCode::kInvalidInput,
                     .operation = "read the scenario",
                     .path = fmt::format("{}:{}", file, problem.mark.line + 1),
                     .system_errno = 0,
                     .detail = fmt::format("this is not YAML: {}", problem.msg),
                     .remedy = {}};
}

static Result<YAML::Node> load_document(const std::string& text, const std::string& file) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() == 1 && documents.front().IsMap()) return documents.front();
    return base::fail(base::Error{
        .code = base::ErrorCode::kInvalidInput,
        .operation = "read the scenario",
        .path = file + ":1",
        .system_errno = 0,
        .detail = documents.size() > 1 ? "the file holds several YAML documents" : "the file does not hold a map",
        .remedy = "A scenario is one map with at least name and start."});
  } catch (const YAML::Exception& problem) {
    return base::fail(yaml_error(file, problem));
  }
}

Result<std::vector<Scenario>> parse(const std::string& text, const std::string& file) {
  const auto root = load_document(text, file);
  if (!root) return base::fail(root.error());
  const auto instances = expand(*root, file);
  if (!instances) return base::fail(instances.error());
  std::vector<Scenario> scenarios;
  for (const Instance& instance : *instances) {
    auto scenario = read_instance(*root, file, instance);
    if (!scenario) return base::fail(scenario.error());
    scenarios.push_back(std::move(*scenario));
  }
  return scenarios;
}

Result<std::vector<Scenario>> load(const std::string& file) {
  const auto text = read_input(file, "scenario", kScenarioBytesMax);
  return text ? parse(*text, file) : base::fail(text.error());
}

std::map<std::string, Names> known_keys() {
  return {
      {"scenario", keys_of(scenario_section())},
      {"pod", keys_of(pod_section())},
      {"gpus", keys_of(gpus_section())},
      {"disk", keys_of(disk_section())},
      {"repository", keys_of(repository_section())},
      {"trainer", keys_of(trainer_section())},
      {"provider", keys_of(provider_section())},
      {"provider-fault", keys_of(provider_fault_section())},
      {"file", keys_of(file_section())},
      {"start", keys_of(start_section())},
      {"podlaunch", podlaunch_keys()},
      {"timeline-entry", keys_of(timeline_section())},
      {"moment", keys_of(moment_section())},
      {"action", one_key_action_names()},
      {"spot-interrupt", keys_of(spot_interrupt_section())},
      {"network", keys_of(network_section())},
      {"upstream-commit", keys_of(upstream_commit_section())},
      {"user-edit", keys_of(user_edit_section())},
      {"clock", keys_of(clock_section())},
      {"file-damage", keys_of(file_damage_section())},
      {"disk-fault", keys_of(disk_fault_section())},
      {"gpu-fault", keys_of(gpu_fault_section())},
      {"expect", keys_of(expect_section())},
      {"bound", keys_of(bound_section())},
      {"allowance", keys_of(allowance_section())},
  };
}

}  // namespace scenario
