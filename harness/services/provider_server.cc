#include "harness/services/provider_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"
#include "harness/services/http_service.h"
#include "harness/services/provider_api.h"

namespace services {

using nlohmann::json;

namespace {

struct State {
  ApiPod pod;
  std::string rest_fault;
  std::string graphql_fault;
};

// A name that does not exist; the world notices the look.
void mark(const std::string& what) {
  (void)::access(("/.simrun/mark/provider/" + what.substr(0, 200)).c_str(), F_OK);
}

std::string text_of(ApiDeed deed) {
  return deed == ApiDeed::kStop ? "stop" : "terminate";
}

class Front {
 public:
  explicit Front(const ProviderServer& server) : server_(server) {}

  template <class Server>
  void install(Server& http) {
    const auto handler = [this](const httplib::Request& request, httplib::Response& response) {
      answer(request, response);
    };
    http.Get(".*", handler);
    http.Post(".*", handler);
    http.Put(".*", handler);
    http.Patch(".*", handler);
    http.Delete(".*", handler);
  }

 private:
  State read_state() const {
    std::ifstream file(server_.state);
    const json document = json::parse(file, nullptr, false);
    if (!document.is_object()) return {};
    return {.pod = {.id = document.value("pod", ""), .status = document.value("status", "")},
            .rest_fault = document.value("rest", ""),
            .graphql_fault = document.value("graphql", "")};
  }

  static ApiRequest understand(const httplib::Request& request) {
    ApiRequest asked{.method = request.method, .path = request.path, .query = {}, .headers = {}, .body = request.body};
    const std::size_t question = request.target.find('?');
    if (question != std::string::npos) asked.query = request.target.substr(question + 1);
    for (const auto& [name, value] : request.headers) {
      std::string small = name;
      std::transform(small.begin(), small.end(), small.begin(),
                     [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
      asked.headers[small] = value;
    }
    return asked;
  }

  void answer(const httplib::Request& request, httplib::Response& response) {
    const ApiRequest asked = understand(request);
    const State state = read_state();
    const bool graphql = is_graphql(asked);
    const std::string& fault = graphql ? state.graphql_fault : state.rest_fault;
    ApiAnswer given =
        fault == "lie" ? lie(asked, state.pod, server_.api_key) : answer_api(asked, state.pod, server_.api_key);
    if (given.complaint.empty()) given = spoil(std::move(given), fault, graphql);
    tell(given, fault, graphql);
    constexpr int slow_milliseconds = 120'000;
    if (fault == "slow") (void)::poll(nullptr, 0, slow_milliseconds);
    response.status = given.status;
    if (given.status == 307) response.set_header("Location", "https://api.runpod.io/elsewhere");
    response.set_content(given.body, given.content_type);
    log(fmt::format("{} {} {}\n", asked.method, asked.path, given.status));
  }

  // Before the answer goes out: the world must know by then.
  static void tell(const ApiAnswer& given, const std::string& fault, bool graphql) {
    const char* api = graphql ? "GraphQL" : "REST";
    if (!given.complaint.empty()) return mark("malformed/" + given.complaint);
    if (given.wanted == ApiDeed::kNothing) return;
    const std::string wanted = text_of(given.wanted);
    if (given.deed != ApiDeed::kNothing) return mark("does/" + wanted);
    if (fault == "lie" && given.status < 300) return mark("lied/" + wanted);
    mark(fmt::format("refused/{} the pod through {}, and answers {}", wanted, api,
                     given.status < 300 ? fault : std::to_string(given.status)));
  }

  void log(const std::string& line) {
    const base::UniqueFd file(::open(server_.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    (void)!::write(file.get(), line.data(), line.size());  // there is nobody to tell
  }

  const ProviderServer& server_;
};

}  // namespace

template <class Server>
static void serve(Adopting<Server>& http, const ProviderServer& server) {
  constexpr int stall_seconds = 300;
  Front front(server);
  front.install(http);
  serve_one_at_a_time(http, server.descriptor, stall_seconds);
  fmt::print(stderr, "provider: the listening socket has failed\n");
}

int run_provider_server(const ProviderServer& server) {
  if (server.certificate.empty()) {
    Adopting<httplib::Server> http;
    serve(http, server);
    return 1;
  }
  Adopting<httplib::SSLServer> http(server.certificate.c_str(), server.key_file.c_str());
  if (!http.is_valid()) {
    fmt::print(stderr, "provider: the certificate cannot be used\n");
    return 1;
  }
  serve(http, server);
  return 1;
}

}  // namespace services
