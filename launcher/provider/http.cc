#include "launcher/provider/http.h"

#include <fmt/format.h>
#include <httplib.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>

namespace provider {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::Result;

namespace {

// A default library's name is refused at some providers' edges.
constexpr const char* user_agent = "podlaunch/0.1.0";

struct Url {
  std::string origin;  // scheme, host and port
  std::string host;
  std::string target;
  bool secure = false;
};

base::Error http_error(ErrorCode code, const std::string& host, std::string detail, std::string remedy = {}) {
  return base::Error{.code = code,
                     .operation = "talk to",
                     .path = host,
                     .system_errno = 0,
                     .detail = std::move(detail),
                     .remedy = std::move(remedy)};
}

Result<Url> parse_url(const std::string& text) {
  Url url;
  url.secure = text.starts_with("https://");
  const std::size_t begin = url.secure ? 8 : text.starts_with("http://") ? 7 : 0;
  const std::size_t path = std::min(text.find_first_of("/?#", begin), text.size());
  url.origin = text.substr(0, path);
  url.host = text.substr(begin, path - begin);
  const bool strange = url.host.find_first_not_of(
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]_") != std::string::npos;
  if (begin == 0 || url.host.empty() || strange) {
    return base::fail(base::invalid_input("the URL is not of the form https://HOST/PATH", "Correct the URL."));
  }
  url.target = text.substr(path, text.find('#', path) - path);
  if (url.target.empty() || url.target.front() != '/') url.target.insert(0, "/");
  return url;
}

base::Error describe(httplib::Error error, const Url& url) {
  switch (error) {
    case httplib::Error::SSLServerVerification:
    case httplib::Error::SSLConnection:
      return http_error(
          ErrorCode::kAuthentication, url.host, "its certificate was not accepted",
          "Check the pod's clock, and that the image's certificates are current; --ca-bundle FILE names others.");
    case httplib::Error::SSLLoadingCerts:
      return http_error(ErrorCode::kNotFound, url.host, "the certificates to trust cannot be read",
                        "Give a PEM file with --ca-bundle.");
    case httplib::Error::ConnectionTimeout:
    case httplib::Error::Connection:
      return http_error(ErrorCode::kNetwork, url.host, "no connection");
    case httplib::Error::Canceled:
      return http_error(ErrorCode::kDamaged, url.host,
                        fmt::format("its answer is longer than {} bytes", answer_bytes_max));
    default:
      return http_error(ErrorCode::kNetwork, url.host, "no answer: " + httplib::to_string(error));
  }
}

Result<HttpAnswer> send(const HttpRequest& request, const Url& url, const HttpSettings& settings) {
  httplib::Client client(url.origin);
  if (url.secure) {
    const auto bundle = find_ca_bundle(settings);
    if (!bundle) return base::fail(bundle.error());
    client.set_ca_cert_path(bundle->string());
    client.enable_server_certificate_verification(true);
  }
  client.set_keep_alive(false);
  client.set_follow_location(false);
  client.set_connection_timeout(settings.patience.count());
  client.set_read_timeout(settings.patience.count());
  client.set_write_timeout(settings.patience.count());

  HttpAnswer answer;
  httplib::Request out;
  out.method = request.method;
  out.path = url.target;
  out.headers = {{"User-Agent", user_agent}, {"Accept", "application/json"}};
  for (const auto& [name, value] : request.headers) out.headers.emplace(name, value);
  out.body = request.json;
  if (!request.json.empty()) out.headers.emplace("Content-Type", "application/json");
  out.content_receiver = [&answer](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    if (answer.body.size() + size > answer_bytes_max) return false;
    answer.body.append(data, size);
    return true;
  };
  const auto result = client.send(out);
  if (!result) return base::fail(describe(result.error(), url));
  answer.status = result->status;
  return answer;
}

}  // namespace

Result<fs::path> find_ca_bundle(const HttpSettings& settings) {
  std::vector<fs::path> places;
  if (!settings.ca_bundle.empty()) {
    places = {settings.ca_bundle};
  } else {
    if (const char* named = std::getenv("SSL_CERT_FILE"); named != nullptr && *named != '\0')
      places.emplace_back(named);
    for (const char* usual :
         {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
          "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}) {
      places.emplace_back(usual);
    }
  }
  for (const fs::path& place : places) {
    if (::access(place.c_str(), R_OK) == 0) return place;
  }
  const bool named = !settings.ca_bundle.empty();
  return base::fail(
      base::Error{.code = ErrorCode::kNotFound,
                  .operation = "find the certificates to trust",
                  .path = named ? settings.ca_bundle.string() : "",
                  .system_errno = 0,
                  .detail = named ? "the file cannot be read" : "the image has none",
                  .remedy = "Install ca-certificates in the image, or give a PEM file with --ca-bundle."});
}

Result<HttpAnswer> exchange(const HttpRequest& request, const HttpSettings& settings) {
  const auto url = parse_url(request.url);
  if (!url) return base::fail(url.error());
  try {
    return send(request, *url, settings);
  } catch (const std::exception& exception) {  // of the library
    return base::fail(http_error(ErrorCode::kSystem, url->host, exception.what()));
  }
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       letter == '-' || letter == '_' || letter == '.' || letter == '~';
    encoded += plain ? std::string(1, letter) : fmt::format("%{:02X}", byte);
  }
  return encoded;
}

}  // namespace provider
