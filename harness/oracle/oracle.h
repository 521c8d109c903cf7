// An oracle checks one promise from outside, after the fact. One file each; `all()` lists them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/pod/record.h"
#include "harness/scenario/scenario.h"

namespace oracle {

enum class Status {
  kPass,
  kFail,
  kUnknown,        // it could not see enough to say
  kNotApplicable,  // the scenario never came to where the promise matters
};

struct Verdict {
  std::string oracle;  // "never-loops"
  Status status = Status::kUnknown;
  std::string reason;                    // for people; never empty
  bool proven = false;                   // for a failure of never-loops: proven, not only observed
  std::vector<std::string> assumptions;  // what a proof rests on
};

struct Oracle {
  std::string name;
  std::string promise;  // one line
  std::function<Verdict(const scenario::Scenario&, const pod::WorldRecord&)> check;
};

const std::vector<Oracle>& all();

std::string_view name(Status status);

}  // namespace oracle
