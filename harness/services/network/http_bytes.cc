#include "harness/services/network/http_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace services {

static constexpr std::string_view kLineEnd = "\r\n";
static constexpr std::string_view kHeadEnd = "\r\n\r\n";

static bool same_letters(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right,
                            [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

std::string header_value(std::string_view message, std::string_view name) {
  const std::string_view head = message.substr(0, message.find(kHeadEnd));
  for (std::size_t begin = head.find(kLineEnd); begin != std::string_view::npos;) {
    begin += kLineEnd.size();
    const std::size_t end = head.find(kLineEnd, begin);
    const std::string_view line = head.substr(begin, end == std::string_view::npos ? end : end - begin);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && same_letters(line.substr(0, colon), name)) {
      const std::size_t value = line.find_first_not_of(' ', colon + 1);
      return value == std::string_view::npos ? std::string() : std::string(line.substr(value));
    }
    begin = end;
  }
  return {};
}

// Takes `body` out of its chunks. Nothing: its end has not come.
static std::optional<std::string> without_chunks(std::string_view body) {
  std::string whole;
  while (true) {
    const std::size_t line_end = body.find(kLineEnd);
    if (line_end == std::string_view::npos) return std::nullopt;
    std::size_t size = 0;
    const auto parsed = std::from_chars(body.data(), body.data() + line_end, size, 16);
    if (parsed.ec != std::errc()) return std::nullopt;
    const std::size_t after = line_end + kLineEnd.size() + size + kLineEnd.size();
    if (body.size() < after) return std::nullopt;
    if (size == 0) return whole;
    whole += body.substr(line_end + kLineEnd.size(), size);
    body.remove_prefix(after);
  }
}

static bool in_chunks(std::string_view message) {
  return same_letters(header_value(message, "Transfer-Encoding"), "chunked");
}

bool request_is_whole(std::string_view bytes) {
  const std::size_t head_end = bytes.find(kHeadEnd);
  if (head_end == std::string_view::npos) return false;
  const std::string_view body = bytes.substr(head_end + kHeadEnd.size());
  if (in_chunks(bytes)) return without_chunks(body).has_value();
  return body.size() >=
         static_cast<std::size_t>(std::max(0L, std::atol(header_value(bytes, "Content-Length").c_str())));
}

std::string request_target(std::string_view request) {
  const std::string_view line = request.substr(0, request.find(kLineEnd));
  return std::string(line.substr(0, line.rfind(' ')));
}

std::optional<Answer> read_answer(std::string_view bytes) {
  const std::size_t head_end = bytes.find(kHeadEnd);
  if (head_end == std::string_view::npos) return std::nullopt;
  Answer answer{std::string(bytes.substr(0, head_end + kHeadEnd.size())),
                std::string(bytes.substr(head_end + kHeadEnd.size()))};
  if (!in_chunks(bytes)) return answer;
  // An answer whose end never came is left in its chunks.
  if (auto whole = without_chunks(answer.body)) answer.body = std::move(*whole);
  return answer;
}

std::string write_answer(const Answer& answer) {
  std::string head;
  const std::string_view lines = std::string_view(answer.head).substr(0, answer.head.size() - kLineEnd.size());
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = std::min(lines.find(kLineEnd, begin), lines.size());
    const std::string_view line = lines.substr(begin, end - begin);
    const std::string_view name = line.substr(0, line.find(':'));
    if (!same_letters(name, "Transfer-Encoding") && !same_letters(name, "Content-Length")) {
      head += line;
      head += kLineEnd;
    }
    begin = end + kLineEnd.size();
  }
  return fmt::format("{}Content-Length: {}\r\n\r\n{}", head, answer.body.size(), answer.body);
}

}  // namespace services
