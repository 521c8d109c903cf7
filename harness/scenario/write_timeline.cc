#include <fmt/format.h>

#include "harness/scenario/names.h"
#include "harness/scenario/write_parts.h"

namespace scenario {

YAML::Node moment_node(const Moment& moment) {
  YAML::Node node;
  if (moment.at) node["at"] = duration_text(*moment.at);
  if (moment.boot) node["boot"] = *moment.boot;
  if (moment.attempt) node["attempt"] = *moment.attempt;
  if (moment.step) node["step"] = *moment.step;
  if (moment.log) node["log"] = text_node(*moment.log);
  if (moment.exec) node["exec"] = text_node(*moment.exec);
  if (moment.syscall) node["syscall"] = *moment.syscall;
  if ((moment.exec || moment.syscall) && moment.nth != 1) node["nth"] = moment.nth;
  if (moment.after != Duration(0)) node["after"] = duration_text(moment.after);
  if (moment.every) node["every"] = true;
  return node;
}

static std::string lasting_text(Duration lasting) {
  return lasting == Duration(0) ? "ever" : duration_text(lasting);
}

namespace {

// One function an action; each gives the value of `do:`.
struct Writer {
  YAML::Node operator()(const SpotInterrupt& interrupt) const {
    if (!interrupt.grace) return YAML::Node("spot-interrupt");
    YAML::Node node;
    node["spot-interrupt"]["grace"] = duration_text(*interrupt.grace);
    return node;
  }
  YAML::Node operator()(const KillContainer&) const { return YAML::Node("kill-container"); }
  YAML::Node operator()(const RecreatePod&) const { return YAML::Node("recreate-pod"); }
  YAML::Node operator()(const NetworkDown& down) const {
    YAML::Node node;
    node["network"] = "down";
    node["for"] = lasting_text(down.lasting);
    return node;
  }
  YAML::Node operator()(const NetworkFault& fault) const {
    const NetworkFault usual;
    YAML::Node node;
    node["network"] = fault.fault;
    if (fault.service != usual.service) node["service"] = fault.service;
    if (fault.request != usual.request) node["request"] = fault.request;
    const bool has_length = fault.lasting != Duration(0);
    if (fault.times > 1 || (fault.times == 1 && has_length)) node["times"] = fault.times;
    if (fault.after_percent > 0) {
      node["after"] = fmt::format("{}%", fault.after_percent);
    } else if (fault.after_bytes > 0) {
      node["after"] = fault.after_bytes;
    }
    if (fault.fault == "slow") node["rate"] = fault.bytes_per_second;
    if (has_length || fault.times == 0) node["for"] = lasting_text(fault.lasting);
    return node;
  }
  YAML::Node operator()(const UpstreamCommit& commit) const {
    if (commit.path.empty()) return YAML::Node("upstream-commit");
    YAML::Node node;
    node["upstream-commit"]["path"] = text_node(commit.path);
    node["upstream-commit"]["content"] = text_node(commit.content);
    return node;
  }
  YAML::Node operator()(const UserEdit& edit) const {
    YAML::Node node;
    node["user-edit"]["kind"] = edit_kind_names()[static_cast<std::size_t>(edit.kind)];
    node["user-edit"]["path"] = text_node(edit.path);
    node["user-edit"]["content"] = text_node(edit.content);
    return node;
  }
  YAML::Node operator()(const GitDamage& damage) const { return single("damage", damage.kind); }
  YAML::Node operator()(const TrainerFault& fault) const {
    return single("trainer", trainer_fault_names()[static_cast<std::size_t>(fault.kind)]);
  }
  YAML::Node operator()(const PipFails& fails) const {
    if (fails.times == 1) return YAML::Node("pip-fails");
    return single("pip-fails", fails.times == 0 ? "always" : fmt::format("{}", fails.times));
  }
  YAML::Node operator()(const ClockJump& jump) const {
    YAML::Node node;
    node["clock"] = jump.by < Duration(0) ? "back" : "forward";
    node["by"] = duration_text(jump.by < Duration(0) ? -jump.by : jump.by);
    return node;
  }
  YAML::Node operator()(const FileDamage& damage) const {
    YAML::Node node;
    node["file"] = std::string(name(damage.kind));
    node["path"] = text_node(damage.path);
    if (damage.last) node["match"] = "last";
    if (damage.kind == FileDamageKind::kMode) node["mode"] = text_node(fmt::format("{:04o}", damage.mode));
    return node;
  }
  YAML::Node operator()(const DiskFault& fault) const {
    YAML::Node node;
    node["disk"] = std::string(name(fault.kind));
    node["path"] = text_node(fault.disk);
    node["for"] = lasting_text(fault.lasting);
    if (fault.unkillable) node["unkillable"] = true;
    return node;
  }
  YAML::Node operator()(const EnvironmentChange& change) const {
    YAML::Node node;
    for (const auto& [variable, value] : change.variables) {
      node["env"][variable] = value ? text_node(*value) : YAML::Node(YAML::NodeType::Null);
    }
    return node;
  }
  YAML::Node operator()(const Exec& exec) const {
    YAML::Node node;
    node["exec"] = text_list(exec.command);
    return node;
  }
  YAML::Node operator()(const GpuFault& fault) const {
    YAML::Node node;
    node["gpu"] = std::string(name(fault.kind));
    node["index"] = fault.index;
    return node;
  }
  YAML::Node operator()(const NvidiaSmiFault& fault) const {
    return single("nvidia-smi", std::string(name(fault.kind)));
  }
  YAML::Node operator()(const ProviderFault& fault) const {
    YAML::Node node;
    node["provider"]["fail"] = fault.kind;
    if (fault.api != ProviderApi::kBoth) node["provider"]["api"] = fault.api == ProviderApi::kRest ? "rest" : "graphql";
    node["provider"]["for"] = lasting_text(fault.lasting);
    return node;
  }

 private:
  static YAML::Node single(const char* key, const std::string& value) {
    YAML::Node node;
    node[key] = value;
    return node;
  }
};

}  // namespace

YAML::Node action_node(const Action& action) {
  return std::visit(Writer{}, action);
}

}  // namespace scenario
