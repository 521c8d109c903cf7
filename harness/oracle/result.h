// The end of one scenario: what happened, what each oracle says, and whether that was expected.
#pragma once

#include <string>
#include <vector>

#include "harness/oracle/oracle.h"
#include "harness/pod/record.h"
#include "harness/scenario/scenario.h"

namespace oracle {

enum class Judgement { kPass, kFail, kUnknown, kSetupError };  // exit status 0, 1, 2, 3

// One expectation of the scenario, or one oracle, held against what happened.
struct Finding {
  std::string subject;  // "outcome", "boots", "never-loops", …
  Judgement judgement = Judgement::kUnknown;
  std::string text;  // "2 boots, as expected", "never-loops fails (proven), as expected: …"
};

struct ScenarioResult {
  std::string name;
  std::string file;
  std::string variant;
  std::string story;
  Judgement judgement = Judgement::kUnknown;
  std::string reason;  // one line: the first thing that decides
  std::vector<Finding> findings;
  std::vector<Verdict> verdicts;
  pod::WorldRecord record;      // without disks once the world is gone
  std::string kept_folder;      // after a failure: where disks and logs were kept
  std::string replay;           // a command line
  std::string launcher_status;  // where it was asked for: what `podlaunch status --json` tells of the run at the end
};

// Pure: asks every oracle that is not allowed away, checks every expectation. UNKNOWN beats PASS, FAIL beats UNKNOWN.
ScenarioResult judge(const scenario::Scenario& scenario, const pod::WorldRecord& record);

int exit_status(Judgement judgement);
std::string_view name(Judgement judgement);

}  // namespace oracle
