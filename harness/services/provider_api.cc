#include "harness/services/provider_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

namespace services {

using nlohmann::json;

namespace {

ApiAnswer problem(int status, const std::string& title, const std::string& detail) {
  ApiAnswer answer;
  answer.status = status;
  answer.content_type = "application/problem+json";
  answer.body = json{{"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}}.dump();
  return answer;
}

ApiAnswer malformed(int status, const std::string& what) {
  ApiAnswer answer = problem(status, "Bad Request", what);
  answer.complaint = what;
  return answer;
}

std::string header(const ApiRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

// The edge before both APIs.
std::string edge_complaint(const ApiRequest& request) {
  const std::string agent = header(request, "user-agent");
  if (agent.empty()) return "there is no User-Agent";
  for (const char* library :
       {"cpp-httplib", "python-", "Python-", "curl/", "libcurl", "Go-http-client", "node-fetch"}) {
    if (agent.starts_with(library)) return "the User-Agent is a library's own: " + agent;
  }
  if (header(request, "host") != "api.runpod.io") return "the Host is " + header(request, "host");
  const std::string type = header(request, "content-type");
  if (!request.body.empty() && type != "application/json") return "the Content-Type is \"" + type + "\"";
  return "";
}

// --- REST ----------------------------------------------------------------------------------------------------------

ApiAnswer pod_answer(const ApiPod& pod) {
  ApiAnswer answer;
  answer.body = json{{"id", pod.id}, {"name", "simulated"}, {"status", pod.status}, {"costPerHr", 2.5}}.dump();
  return answer;
}

ApiAnswer state_conflict(const ApiPod& pod, const std::string& action) {
  return problem(409, "Conflict", fmt::format("the pod is {}: it cannot {}", pod.status, action));
}

ApiAnswer rest_end(const ApiPod& pod, ApiDeed deed) {
  ApiAnswer answer = pod_answer(pod);
  if (deed == ApiDeed::kStop && pod.status != "RUNNING") {
    answer = state_conflict(pod, "stop");
  } else {
    answer.deed = deed;
  }
  if (deed == ApiDeed::kTerminate) {
    answer.status = 204;
    answer.body.clear();
  }
  answer.wanted = deed;
  return answer;
}

ApiAnswer rest_action(const ApiRequest& request, const ApiPod& pod) {
  const json body = json::parse(request.body, nullptr, false);
  if (!body.is_object() || body.size() != 1 || !body.contains("action") || !body["action"].is_string())
    return malformed(400, "the body is not {\"action\": …}");
  const std::string action = body["action"];
  if (action == "stop") return rest_end(pod, ApiDeed::kStop);
  if (action == "terminate") return rest_end(pod, ApiDeed::kTerminate);
  if (action == "start" || action == "restart") return state_conflict(pod, action);
  return malformed(400, "no such action: " + action);
}

ApiAnswer answer_rest(const ApiRequest& request, const ApiPod& pod, const std::string& key) {
  static const std::regex paths("/v2/pods/([A-Za-z0-9_-]+)(/action)?");
  std::smatch match;
  if (!std::regex_match(request.path, match, paths)) return malformed(404, "no such path: " + request.path);
  const bool action = match[2].matched;
  const std::string wanted = action ? "POST" : "GET or DELETE";
  const bool method_fits = action ? request.method == "POST" : request.method == "GET" || request.method == "DELETE";
  if (!method_fits) return malformed(405, fmt::format("{} takes {}, not {}", request.path, wanted, request.method));
  if (!request.query.empty()) return malformed(400, "a query where there is none: " + request.path);
  if (!action && !request.body.empty()) return malformed(400, request.method + " with a body");
  if (header(request, "authorization") != "Bearer " + key) return problem(401, "Unauthorized", "no such key");
  if (match.str(1) != pod.id || pod.status == "TERMINATED") return problem(404, "Not Found", "no such pod");
  if (action) return rest_action(request, pod);
  return request.method == "GET" ? pod_answer(pod) : rest_end(pod, ApiDeed::kTerminate);
}

// --- GraphQL -------------------------------------------------------------------------------------------------------

ApiAnswer graphql_errors(int status, const std::string& message) {
  ApiAnswer answer;
  answer.status = status;
  answer.body = json{{"errors", json::array({{{"message", message}}})}, {"data", nullptr}}.dump();
  return answer;
}

ApiAnswer graphql_malformed(const std::string& what) {
  ApiAnswer answer = graphql_errors(400, what);
  answer.complaint = "GraphQL: " + what;
  return answer;
}

ApiAnswer graphql_data(const char* member, json value) {
  ApiAnswer answer;
  answer.body = json{{"data", {{member, std::move(value)}}}}.dump();
  return answer;
}

// Blanks mean nothing in GraphQL, but between two names.
std::string squeezed(const std::string& query) {
  std::string text;
  for (const char letter : query) text += std::isspace(static_cast<unsigned char>(letter)) != 0 ? ' ' : letter;
  text = std::regex_replace(text, std::regex(" *([{}():,]) *"), "$1");
  return std::regex_replace(text, std::regex("^ +| +$"), "");
}

ApiAnswer answer_query(const std::string& text, const ApiPod& pod) {
  static const std::regex stop(R"re(mutation\{podStop\(input:\{podId:"([^"]*)"\}\)\{id desiredStatus\}\})re");
  static const std::regex terminate(R"re(mutation\{podTerminate\(input:\{podId:"([^"]*)"\}\)\})re");
  static const std::regex look(R"re(query\{pod\(input:\{podId:"([^"]*)"\}\)\{id desiredStatus\}\})re");
  const std::string query = squeezed(text);
  std::smatch match;
  const bool is_stop = std::regex_match(query, match, stop);
  const bool is_terminate = !is_stop && std::regex_match(query, match, terminate);
  const bool is_look = !is_stop && !is_terminate && std::regex_match(query, match, look);
  if (!is_stop && !is_terminate && !is_look) return graphql_malformed("no such operation: " + query);
  const bool there = match.str(1) == pod.id && pod.status != "TERMINATED";
  if (is_look) {
    return graphql_data("pod", there ? json{{"id", pod.id}, {"desiredStatus", pod.status}} : json());
  }
  ApiAnswer answer = there ? is_stop ? graphql_data("podStop", {{"id", pod.id}, {"desiredStatus", "EXITED"}})
                                     : graphql_data("podTerminate", nullptr)
                           : graphql_errors(200, "pod not found");
  answer.wanted = is_stop ? ApiDeed::kStop : ApiDeed::kTerminate;
  if (there) answer.deed = answer.wanted;
  return answer;
}

ApiAnswer answer_graphql(const ApiRequest& request, const ApiPod& pod, const std::string& key) {
  if (request.method != "POST") return malformed(405, "GraphQL takes POST, not " + request.method);
  if (request.query != "api_key=" + key) {
    if (!request.query.starts_with("api_key=")) return malformed(400, "GraphQL without api_key");
    return graphql_errors(401, "Unauthorized");
  }
  const json body = json::parse(request.body, nullptr, false);
  if (!body.is_object() || !body.contains("query") || !body["query"].is_string())
    return graphql_malformed("the body has no query");
  return answer_query(body["query"], pod);
}

}  // namespace

bool is_graphql(const ApiRequest& request) {
  return request.path == "/graphql";
}

ApiAnswer answer_api(const ApiRequest& request, const ApiPod& pod, const std::string& key) {
  if (const std::string complaint = edge_complaint(request); !complaint.empty()) return malformed(403, complaint);
  return is_graphql(request) ? answer_graphql(request, pod, key) : answer_rest(request, pod, key);
}

ApiAnswer spoil(ApiAnswer answer, const std::string& kind, bool graphql) {
  const auto with = [&](int status, std::string body, const char* type = "application/json") {
    answer.status = status;
    answer.body = std::move(body);
    answer.content_type = type;
    answer.deed = ApiDeed::kNothing;
    return answer;
  };
  if (kind.size() == 3 && kind.find_first_not_of("0123456789") == std::string::npos) {
    const int status = std::stoi(kind);
    const ApiAnswer error = graphql ? graphql_errors(status, "simulated") : problem(status, "Simulated", "simulated");
    return with(status, error.body, graphql ? "application/json" : "application/problem+json");
  }
  if (kind == "not-json") return with(200, "<html><body>Welcome</body></html>", "text/html");
  if (kind == "wrong-types") return with(200, graphql ? R"({"data": [7]})" : R"(["RUNNING"])");
  if (kind == "redirect") return with(307, "");
  if (kind == "huge") return with(200, "{\"id\": \"" + std::string(400U << 10, 'x') + "\"}");
  return answer;
}

ApiAnswer lie(const ApiRequest& request, ApiPod pod, const std::string& key) {
  ApiAnswer answer = answer_api(request, pod, key);
  if (answer.wanted != ApiDeed::kNothing) {
    answer.deed = ApiDeed::kNothing;
    return answer;
  }
  pod.status = "EXITED";
  return answer_api(request, pod, key);
}

}  // namespace services
