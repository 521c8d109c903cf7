// Colours and the width of the page.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "harness/oracle/result.h"

namespace report {

inline constexpr std::size_t page_width = 100;  // columns

class Style {
 public:
  explicit Style(bool colour) : colour_(colour) {}

  std::string bold(std::string_view text) const { return in("1", text); }
  std::string dim(std::string_view text) const { return in("2", text); }
  std::string fault(std::string_view text) const { return in("1;33", text); }
  std::string good(std::string_view text) const { return in("32", text); }

  std::string verdict(oracle::Judgement judgement, std::string_view text) const {
    switch (judgement) {
      case oracle::Judgement::kPass:
        return in("1;32", text);
      case oracle::Judgement::kUnknown:
        return in("1;33", text);
      case oracle::Judgement::kFail:
      case oracle::Judgement::kSetupError:
        return in("1;31", text);
    }
    return std::string(text);
  }

 private:
  std::string in(std::string_view code, std::string_view text) const {
    if (!colour_) return std::string(text);
    return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
  }

  bool colour_;
};

}  // namespace report
