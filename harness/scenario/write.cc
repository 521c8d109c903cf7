#include "harness/scenario/write.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "harness/scenario/reader.h"
#include "harness/scenario/write_parts.h"

namespace scenario {

static constexpr const char* kQuoted = "!";  // YAML's tag for a string, whatever it looks like

YAML::Node text_node(const std::string& text) {
  YAML::Node node(text);
  if (text.empty() || is_number(text) || is_truth(text) || is_nothing(text)) node.SetTag(kQuoted);
  return node;
}

YAML::Node text_list(const std::vector<std::string>& texts) {
  YAML::Node list(YAML::NodeType::Sequence);
  for (const std::string& text : texts) list.push_back(text_node(text));
  list.SetStyle(YAML::EmitterStyle::Flow);
  return list;
}

std::string duration_text(Duration duration) {
  using namespace std::chrono_literals;
  if (duration % 1s == 0s) return fmt::format("{}s", duration / 1s);
  if (duration % 1ms == 0ms) return fmt::format("{}ms", duration / 1ms);
  return fmt::format("{}.{:06}ms", duration / 1ms, (duration % 1ms).count());
}

static YAML::Node pod_node(const Pod& pod) {
  const Pod usual;
  YAML::Node node;
  node["platform"] = pod.platform;
  if (pod.gpu_model == usual.gpu_model) {
    node["gpus"] = pod.gpus;
  } else {
    YAML::Node gpus;
    gpus["count"] = pod.gpus;
    gpus["model"] = text_node(pod.gpu_model.name);
    gpus["memory"] = fmt::format("{}MiB", pod.gpu_model.memory_mebibytes);
    gpus["driver"] = text_node(pod.gpu_model.driver);
    gpus["nvidia-smi"] = pod.gpu_model.nvidia_smi;
    node["gpus"] = gpus;
  }
  for (const Disk& disk : pod.disks) {
    YAML::Node one;
    one["kind"] = std::string(name(disk.kind));
    one["size"] = disk.size_bytes;
    one.SetStyle(YAML::EmitterStyle::Flow);
    node["disks"][disk.mount_path] = one;
  }
  for (const auto& [variable, value] : pod.environment) node["env"][variable] = text_node(value);
  if (pod.restart_tick) node["restart-tick"] = duration_text(*pod.restart_tick);
  return node;
}

static YAML::Node repository_node(const Repository& repository) {
  YAML::Node node;
  node["fixture"] = text_node(repository.fixture);
  node["branch"] = text_node(repository.branch);
  node["url"] = repository.url;
  return node;
}

static YAML::Node trainer_node(const Trainer& trainer) {
  YAML::Node node;
  node["steps"] = trainer.steps;
  node["step-time"] = duration_text(trainer.step_time);
  node["checkpoint-every"] = trainer.checkpoint_every;
  node["checkpoints"] = trainer.checkpoint_folder;
  node.SetStyle(YAML::EmitterStyle::Flow);
  return node;
}

// The flags of podlaunch as keys again, in the order in which each came first.
static YAML::Node podlaunch_node(const Start& start) {
  YAML::Node node;
  auto word = start.command.begin() + 1;
  for (; word != start.command.end() && *word != "--"; ++word) {
    const std::string key = word->substr(2);
    const bool alone = word + 1 == start.command.end() || (word + 1)->starts_with("--");
    if (alone) {
      node[key] = true;
      continue;
    }
    ++word;
    if (!node[key].IsDefined()) {
      node[key] = text_node(*word);
      continue;
    }
    if (!node[key].IsSequence()) {
      YAML::Node list(YAML::NodeType::Sequence);
      list.push_back(YAML::Clone(node[key]));
      node[key] = list;
    }
    node[key].push_back(text_node(*word));
  }
  if (word != start.command.end()) node["train"] = text_list({word + 1, start.command.end()});
  return node;
}

static YAML::Node start_node(const Start& start) {
  YAML::Node node;
  if (start.is_podlaunch) {
    node["podlaunch"] = podlaunch_node(start);
    return node;
  }
  if (start.command.size() == 3 && start.command[0] == "bash" && start.command[1] == "-c") {
    node["shell"] = text_node(start.command[2]);
  } else {
    node["exec"] = text_list(start.command);
  }
  if (start.checkout != Start{}.checkout) node["checkout"] = start.checkout;
  return node;
}

static YAML::Node file_node(const InitialFile& file) {
  if (file.precious) return text_node(file.content);
  YAML::Node node;
  node["content"] = text_node(file.content);
  node["precious"] = false;
  return node;
}

static YAML::Node bound_node(const Bound& bound) {
  YAML::Node node;
  if (bound.at_least) node["at-least"] = fmt::format("{}", *bound.at_least);
  if (bound.at_most) node["at-most"] = fmt::format("{}", *bound.at_most);
  return node;
}

static const char* expectation_name(OracleExpectation expectation) {
  switch (expectation) {
    case OracleExpectation::kPass:
      return "passes";
    case OracleExpectation::kFail:
      return "fails";
    case OracleExpectation::kFailProven:
      return "fails-proven";
    case OracleExpectation::kFailObserved:
      return "fails-observed";
  }
  return "passes";
}

static YAML::Node expect_node(const Expect& expect) {
  YAML::Node node(YAML::NodeType::Map);
  if (expect.outcome) node["outcome"] = std::string(name(*expect.outcome));
  if (expect.boots) node["boots"] = bound_node(*expect.boots);
  if (expect.attempts) node["attempts"] = bound_node(*expect.attempts);
  if (expect.boot_spacing_seconds) node["boot-spacing"] = bound_node(*expect.boot_spacing_seconds);
  if (expect.resumed_at_least) node["resumed-at-least"] = fmt::format("{}", *expect.resumed_at_least->at_least);
  if (expect.stop_calls) node["stop-calls"] = bound_node(*expect.stop_calls);
  if (expect.billed_hours) node["billed-hours"] = bound_node(*expect.billed_hours);
  if (!expect.log.empty()) node["log"] = text_list(expect.log);
  if (!expect.never_log.empty()) node["never-log"] = text_list(expect.never_log);
  for (const auto& [oracle, expectation] : expect.oracles) node["oracles"][oracle] = expectation_name(expectation);
  return node;
}

static YAML::Node scenario_node(const Scenario& scenario) {
  const Scenario usual;
  YAML::Node node;
  node["name"] = text_node(scenario.name);
  if (!scenario.story.empty()) node["story"] = text_node(scenario.story);
  node["pod"] = pod_node(scenario.pod);
  if (scenario.repository != usual.repository) node["repository"] = repository_node(scenario.repository);
  if (scenario.trainer != usual.trainer) node["trainer"] = trainer_node(scenario.trainer);
  if (scenario.provider) node["provider"]["key"] = text_node(scenario.provider->key);
  node["start"] = start_node(scenario.start);
  for (const InitialFile& file : scenario.files) node["files"][file.path] = file_node(file);
  for (const TimelineEntry& entry : scenario.timeline) {
    YAML::Node one;
    one["when"] = moment_node(entry.when);
    one["do"] = action_node(entry.action);
    one.SetStyle(YAML::EmitterStyle::Flow);
    node["timeline"].push_back(one);
  }
  if (scenario.expect != usual.expect) node["expect"] = expect_node(scenario.expect);
  for (const Allowance& allowance : scenario.allow) {
    YAML::Node one;
    one["oracle"] = allowance.oracle;
    one["reason"] = text_node(allowance.reason);
    node["allow"].push_back(one);
  }
  if (scenario.limit != usual.limit) node["limit"] = duration_text(scenario.limit);
  if (scenario.settle != usual.settle) node["settle"] = duration_text(scenario.settle);
  return node;
}

// The library's own way to write a node forgets which scalars must be quoted.
static void emit(YAML::Emitter& emitter, const YAML::Node& node) {
  if (node.IsMap() || node.IsSequence()) {
    emitter << (node.Style() == YAML::EmitterStyle::Flow ? YAML::Flow : YAML::Block);
    emitter << (node.IsMap() ? YAML::BeginMap : YAML::BeginSeq);
    for (const auto& entry : node) {
      if (node.IsMap()) emitter << YAML::Key << entry.first.Scalar() << YAML::Value;
      emit(emitter, node.IsMap() ? entry.second : YAML::Node(entry));
    }
    emitter << (node.IsMap() ? YAML::EndMap : YAML::EndSeq);
  } else if (node.IsScalar()) {
    if (node.Tag() == kQuoted) emitter << YAML::DoubleQuoted;
    emitter << node.Scalar();
  } else {
    emitter << YAML::Null;
  }
}

static std::string emit(const YAML::Node& node) {
  YAML::Emitter emitter;
  emit(emitter, node);
  return emitter.c_str();
}

std::string write(const Scenario& scenario, const std::string& schema) {
  return fmt::format("# yaml-language-server: $schema={}\n{}\n", schema, emit(scenario_node(scenario)));
}

static std::string in_one_line(YAML::Node node) {
  if (!node.IsScalar()) node.SetStyle(YAML::EmitterStyle::Flow);
  return emit(node);
}

std::string write_action(const Action& action) {
  return in_one_line(action_node(action));
}

std::string write_moment(const Moment& moment) {
  return in_one_line(moment_node(moment));
}

}  // namespace scenario
