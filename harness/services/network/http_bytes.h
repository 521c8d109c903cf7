// HTTP/1.1 as bytes: where a request ends, and what an answer holds. Only what the world's clients and servers say to
// each other is understood; everything else is passed on as it stands.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace services {

// True when `bytes` hold the whole of a request: its head, and its body by length or in chunks.
bool request_is_whole(std::string_view bytes);

// "GET /path?query" of a request's first line.
std::string request_target(std::string_view request);
// The value of a header, without regard to case; empty where there is none.
std::string header_value(std::string_view message, std::string_view name);

struct Answer {
  std::string head;  // with the empty line at its end
  std::string body;  // as it was meant, out of its chunks
};
// Nothing: there is no whole head in it.
std::optional<Answer> read_answer(std::string_view bytes);
// The same answer with another body, its length said plainly.
std::string write_answer(const Answer& answer);

}  // namespace services
