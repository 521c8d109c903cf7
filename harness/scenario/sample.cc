#include "harness/scenario/sample.h"

#include <string_view>

namespace scenario {
namespace {

constexpr std::string_view kPodlaunch = R"(  podlaunch:
    repo: https://github.com/nexthybrid/AReaL.git
    ref: DL4Math
    checkout: /workspace/AReaL
    setup: [pip install -e .]
    train: [bash, examples/cloud_gsm8k/run_training_cloud.sh, 1hour]
)";

// In double quotes, where every line is written on one and nothing of the text means anything to YAML.
std::string quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') quoted += '\\';
    quoted += letter == '\n' ? "\\n" : letter == '\t' ? "\\t" : std::string(1, letter);
  }
  return quoted + "\"";
}

}  // namespace

std::string sample(const std::string& shell) {
  std::string text = R"(# yaml-language-server: $schema=../harness/scenario/schema.json
name: a container killed in the middle of training
story: The container dies at step 60; the platform starts it again and the training goes on.
pod:
  platform: runpod
  disks:
    /workspace: {kind: volume, size: 20GiB}
start:
)";
  if (shell.empty()) {
    text += kPodlaunch;
  } else {
    text += "  shell: " + quoted(shell) + "\n  checkout: /workspace/AReaL  # where that command has it\n";
  }
  return text + R"(timeline:
  - {when: {step: 60}, do: kill-container}
expect:
  outcome: completed
  boots: 2
  resumed-at-least: 40
)";
}

}  // namespace scenario
