// Damage to packs keeps everything around them valid: the chunks, the lengths of git's packets and the end of the
// stream are written anew, so that a client which believes what arrives in good form believes these.
#include "harness/services/network/spoilt_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "harness/services/network/http_bytes.h"

namespace services {

using scenario::NetworkFault;

static constexpr std::string_view kLoopFolder = "/simrun-loop";

bool answers_alone(const NetworkFault& fault) {
  return fault.fault.starts_with("http-") || fault.fault == "redirect-loop" || fault.fault == "half-open";
}

bool concerns_packs(const NetworkFault& fault) {
  return fault.fault == "truncated-pack" || fault.fault == "wrong-pack";
}

// --- Answers of the proxy's own ------------------------------------------------------------------------------------

static Delivery plain_answer(int status, std::string_view reason, const std::string& more_headers) {
  const std::string body = fmt::format("{} {}\n", status, reason);
  return {.bytes = fmt::format("HTTP/1.1 {} {}\r\n{}Content-Type: text/plain\r\nContent-Length: {}\r\n"
                               "Connection: close\r\n\r\n{}",
                               status, reason, more_headers, body.size(), body)};
}

static Delivery refusal(int status) {
  switch (status) {
    case 401:
      return plain_answer(status, "Unauthorized", "WWW-Authenticate: Basic realm=\"simrun\"\r\n");
    case 403:
      return plain_answer(status, "Forbidden", {});
    case 404:
      return plain_answer(status, "Not Found", {});
    case 429:
      return plain_answer(status, "Too Many Requests", "Retry-After: 30\r\n");
    default:
      return plain_answer(status, "Internal Server Error", {});
  }
}

static std::string path_of(std::string_view request) {
  const std::string line = request_target(request);
  return line.substr(std::min(line.find(' ') + 1, line.size()));
}

bool is_in_redirect_loop(std::string_view request) {
  return path_of(request).starts_with(kLoopFolder);
}

Delivery next_redirect(std::string_view request) {
  const std::string path = path_of(request);
  const std::string next = is_in_redirect_loop(request) ? path : std::string(kLoopFolder) + path;
  return plain_answer(302, "Found", fmt::format("Location: http://{}{}\r\n", header_value(request, "Host"), next));
}

// --- Packs ---------------------------------------------------------------------------------------------------------

static constexpr std::size_t kLengthDigits = 4;
static constexpr char kPackBand = '\1';

struct Packet {
  std::string_view bytes;  // with its length; four digits alone are a mark
  bool is_pack() const { return bytes.size() > kLengthDigits && bytes[kLengthDigits] == kPackBand; }
};

static std::vector<Packet> packets_of(std::string_view body) {
  std::vector<Packet> packets;
  while (body.size() >= kLengthDigits) {
    std::size_t size = 0;
    const auto parsed = std::from_chars(body.data(), body.data() + kLengthDigits, size, 16);
    if (parsed.ec != std::errc() || parsed.ptr != body.data() + kLengthDigits) break;
    size = std::max(size, kLengthDigits);
    if (size > body.size()) break;
    packets.push_back({body.substr(0, size)});
    body.remove_prefix(size);
  }
  return packets;
}

static std::string packet(std::string_view content) {
  return fmt::format("{:04x}{}", content.size() + kLengthDigits, content);
}

bool holds_pack(std::string_view answer) {
  return header_value(answer, "Content-Type") == "application/x-git-upload-pack-result" &&
         answer.find("PACK") != std::string_view::npos;
}

static std::size_t position(const NetworkFault& fault, std::size_t size) {
  const std::size_t part = size * static_cast<std::size_t>(fault.after_percent) / 100;
  return std::min(size, std::max<std::size_t>(part, fault.after_bytes));
}

// What the packets of the pack's band say together, given anew by `change`; everything else as it was.
template <class Change>
static std::string with_pack(std::string_view body, Change change) {
  constexpr std::size_t kContentMax = 65'000;
  const auto packets = packets_of(body);
  std::string pack;
  for (const Packet& one : packets) {
    if (one.is_pack()) pack += one.bytes.substr(kLengthDigits + 1);
  }
  change(pack);
  std::string result;
  bool written = false;
  for (const Packet& one : packets) {
    if (!one.is_pack()) {
      result += one.bytes;
      continue;
    }
    if (written) continue;
    written = true;
    for (std::size_t begin = 0; begin < pack.size(); begin += kContentMax) {
      result += packet(std::string(1, kPackBand) + pack.substr(begin, kContentMax));
    }
  }
  return result;
}

static std::string spoil_pack(const NetworkFault& fault, std::string_view answer) {
  auto parts = read_answer(answer);
  if (!parts) return std::string(answer);
  parts->body = with_pack(parts->body, [&](std::string& pack) {
    const std::size_t at = position(fault, pack.size());
    if (fault.fault == "truncated-pack") {
      pack.resize(at);
    } else if (!pack.empty()) {
      char& spoilt = pack[std::min(at, pack.size() - 1)];
      spoilt = static_cast<char>(~spoilt);
    }
  });
  return write_answer(*parts);
}

// --- All of them ---------------------------------------------------------------------------------------------------

Delivery spoil(const NetworkFault& fault, std::string_view request, std::string_view answer) {
  if (fault.fault.starts_with("http-")) return refusal(std::atoi(fault.fault.c_str() + 5));
  if (fault.fault == "redirect-loop") return next_redirect(request);
  if (fault.fault == "half-open") return {.bytes = {}, .end = Delivery::End::kSilent};
  if (concerns_packs(fault)) return {.bytes = spoil_pack(fault, answer)};
  Delivery delivery{.bytes = std::string(answer)};
  const std::size_t at = position(fault, answer.size());
  if (fault.fault == "reset") {
    delivery.bytes.resize(at);
    delivery.end = Delivery::End::kReset;
  } else if (fault.fault == "stall") {
    delivery.pause_at = at;
  } else if (fault.fault == "slow") {
    delivery.bytes_per_second = fault.bytes_per_second;
  }
  return delivery;
}

}  // namespace services
