#include "harness/oracle/oracle.h"

#include "harness/oracle/promises.h"

namespace oracle {

const std::vector<Oracle>& all() {
  static const std::vector<Oracle> oracles = {never_loops(), work_preserved(), checkout_sound(), training_resumes(),
                                              completion_sticks()};
  return oracles;
}

std::string_view name(Status status) {
  switch (status) {
    case Status::kPass:
      return "pass";
    case Status::kFail:
      return "fail";
    case Status::kUnknown:
      return "unknown";
    case Status::kNotApplicable:
      return "not-applicable";
  }
  return "unknown";
}

}  // namespace oracle
