#include "launcher/config/words.h"

#include <cctype>

namespace config {

base::Result<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char letter = line[i];
    const bool escapes = letter == '\\' && quote != '\'' && i + 1 < line.size();
    if (escapes) {
      word += line[++i];
      in_word = true;
    } else if (quote != '\0') {
      if (letter == quote) {
        quote = '\0';
      } else {
        word += letter;
      }
    } else if (letter == '\'' || letter == '"') {
      quote = letter;
      in_word = true;
    } else if (std::isspace(static_cast<unsigned char>(letter)) != 0) {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += letter;
      in_word = true;
    }
  }
  if (quote != '\0') {
    return base::fail(base::invalid_input("a quote is opened and never closed in: " + std::string(line)));
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace config
