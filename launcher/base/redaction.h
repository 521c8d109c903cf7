// Takes secrets out of text that is kept. A program that truncates what it prints shows the beginning of a secret, so
// beginnings of eight letters and more count as well. Text is mostly seen a line at a time, so each line of a secret
// that has several, such as a key, is one of its own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace base {

class Redactor {
 public:
  // Lines shorter than six letters would blank ordinary text and are left out.
  void add(std::string_view value);

  std::string redact(std::string_view text) const;
  // Takes all but the last `kept` bytes of a text that goes on; fewer stay where a secret reaches into them.
  std::string take(std::string& text, std::size_t kept) const;
  bool empty() const { return secrets_.empty(); }

 private:
  std::size_t secret_length_at(std::string_view text) const;

  std::vector<std::string> secrets_;
};

}  // namespace base
