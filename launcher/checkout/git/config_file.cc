// Format: git-config(1), "Syntax".
#include "launcher/checkout/git/config_file.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace checkout {
namespace {

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  bool parse(std::map<std::string, std::string>& values) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    for (skip_blank(); !ended(); skip_blank()) {
      if (peek() == '[') {
        if (!section()) return false;
      } else if (!assignment(values)) {
        return false;
      }
    }
    return true;
  }
  int line() const { return 1 + static_cast<int>(std::count(text_.begin(), text_.begin() + position(), '\n')); }

 private:
  std::string_view::difference_type position() const { return static_cast<std::string_view::difference_type>(at_); }
  bool ended() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }

  void skip_line() {
    while (!ended() && peek() != '\n') ++at_;
  }
  void skip_spaces() {
    while (!ended() && (peek() == ' ' || peek() == '\t' || peek() == '\r')) ++at_;
  }
  // White space, line ends and comments.
  void skip_blank() {
    while (!ended()) {
      if (std::isspace(static_cast<unsigned char>(peek())) != 0) {
        ++at_;
      } else if (peek() == '#' || peek() == ';') {
        skip_line();
      } else {
        return;
      }
    }
  }

  // [name], [name "any text"], or the old [name.lower]
  bool section() {
    ++at_;
    section_.clear();
    while (!ended() && (is_name_character(peek()) || peek() == '.')) section_ += lower(text_[at_++]);
    if (section_.empty()) return false;
    skip_spaces();
    if (!ended() && peek() == '"') {
      section_ += '.';
      if (!quoted_subsection()) return false;
    }
    if (ended() || peek() != ']') return false;
    ++at_;
    return true;
  }
  bool quoted_subsection() {
    for (++at_; !ended() && peek() != '"'; ++at_) {
      if (peek() == '\\') ++at_;
      if (ended() || peek() == '\n') return false;
      section_ += peek();
    }
    if (ended()) return false;
    ++at_;
    return true;
  }

  bool assignment(std::map<std::string, std::string>& values) {
    if (section_.empty() || std::isalpha(static_cast<unsigned char>(peek())) == 0) return false;
    std::string key = section_ + ".";
    while (!ended() && is_name_character(peek())) key += lower(text_[at_++]);
    skip_spaces();
    if (ended() || peek() == '\n' || peek() == '#' || peek() == ';') {
      values[key] = "true";
      return true;
    }
    if (peek() != '=') return false;
    ++at_;
    skip_spaces();
    return value(values[key]);
  }

  bool value(std::string& into) {
    into.clear();
    bool quoted = false;
    std::size_t kept = 0;  // up to here it is not white space at the end
    for (; !ended() && (quoted || peek() != '\n'); ++at_) {
      const char c = peek();
      if (quoted && c == '\n') return false;
      if (!quoted && (c == '#' || c == ';')) {
        skip_line();
        break;
      }
      if (c == '"') {
        quoted = !quoted;
        kept = into.size();
      } else if (c == '\\') {
        if (!escape(into)) return false;
        kept = into.size();
      } else {
        into += c;
        if (quoted || std::isspace(static_cast<unsigned char>(c)) == 0) kept = into.size();
      }
    }
    into.resize(kept);
    return !quoted;
  }
  bool escape(std::string& into) {
    if (++at_ >= text_.size()) return false;
    switch (peek()) {
      case '\n':
        return true;
      case 'n':
        into += '\n';
        return true;
      case 't':
        into += '\t';
        return true;
      case 'b':
        into += '\b';
        return true;
      case '"':
      case '\\':
        into += peek();
        return true;
      default:
        return false;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string section_;
};

}  // namespace

std::optional<ConfigFile> ConfigFile::parse(std::string_view contents, std::string* complaint) {
  ConfigFile file;
  Parser parser(contents);
  if (parser.parse(file.values_)) return file;
  if (complaint != nullptr) *complaint = "line " + std::to_string(parser.line()) + " makes no sense";
  return std::nullopt;
}

std::optional<std::string> ConfigFile::value(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

bool ConfigFile::flag(const std::string& key) const {
  std::string text = value(key).value_or("false");
  std::transform(text.begin(), text.end(), text.begin(), lower);
  return text == "true" || text == "yes" || text == "on" || (!text.empty() && number(key).value_or(0) != 0);
}

std::optional<long> ConfigFile::number(const std::string& key) const {
  const auto text = value(key);
  long number = 0;
  if (!text || text->empty()) return std::nullopt;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text->data() + text->size() ? std::optional(number) : std::nullopt;
}

}  // namespace checkout
