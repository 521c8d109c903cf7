#pragma once

#include <string>

namespace checkout {

struct Rescued {
  std::string what;   // "3 local commits of branch DL4Math"
  std::string where;  // a ref name or a path in quarantine
};

}  // namespace checkout
