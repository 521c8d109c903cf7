// Takes secrets out of text that is kept. A program that truncates what it prints shows the beginning of a secret, so
// beginnings of eight letters and more count as well.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace base {

class Redactor {
 public:
  // Values shorter than six letters would blank ordinary text and are left out.
  void add(std::string value);

  std::string redact(std::string_view text) const;
  bool empty() const { return secrets_.empty(); }

 private:
  std::size_t secret_length_at(std::string_view text) const;

  std::vector<std::string> secrets_;
};

}  // namespace base
