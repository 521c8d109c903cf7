// One HTTP exchange, with a bound on everything: how long it waits, how much it reads. Redirects are answers like any
// other and are not followed. It blocks, so PID 1 has it done by a helper process with a deadline of its own.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "launcher/base/time.h"

namespace provider {

struct HttpSettings {
  std::filesystem::path ca_bundle;  // PEM; empty: where images keep theirs
  base::Seconds patience{20};       // for the connection, and for each part of the answer
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;                                           // http:// or https://
  std::vector<std::pair<std::string, std::string>> headers;  // besides User-Agent and Content-Type
  std::string json;                                          // the body; empty: none
};

struct HttpAnswer {
  int status = 0;
  std::string body;  // at most `answer_bytes_max`
};

inline constexpr std::size_t answer_bytes_max = 256U << 10;

// An answer of any status is an answer. Errors name the host and never the rest of the URL, which may hold a key:
// kInvalidInput for a URL that is none, kNotFound for missing certificates, kAuthentication for a certificate that was
// refused, kDamaged for an answer that is too large, kNetwork for the rest. Never throws.
base::Result<HttpAnswer> exchange(const HttpRequest& request, const HttpSettings& settings);

// The authorities that are trusted: the configured file, SSL_CERT_FILE, or the first of the places where images keep
// them. Error: kNotFound, with what to do.
base::Result<std::filesystem::path> find_ca_bundle(const HttpSettings& settings);

// For a part of a path or of a query.
std::string percent_encode(std::string_view text);

}  // namespace provider
