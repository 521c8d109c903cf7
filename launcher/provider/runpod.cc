#include "launcher/provider/runpod.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace provider {

using base::ErrorCode;
using base::Result;
using nlohmann::json;

namespace {

// What a stranger says is quoted in one short line.
std::string quoted(std::string text) {
  constexpr std::size_t length_max = 200;
  if (text.size() > length_max) text.resize(length_max);
  for (char& letter : text) {
    if (static_cast<unsigned char>(letter) < 0x20 || static_cast<unsigned char>(letter) > 0x7e) letter = ' ';
  }
  return text;
}

base::Error api_error(ErrorCode code, std::string detail, std::string remedy = {}) {
  return base::Error{.code = code,
                     .operation = "use the provider's API",
                     .path = {},
                     .system_errno = 0,
                     .detail = quoted(std::move(detail)),
                     .remedy = std::move(remedy)};
}

// RFC 9457's detail or title, GraphQL's first message; else nothing.
std::string reason_in(const std::string& body) {
  const json document = json::parse(body, nullptr, false);
  if (!document.is_object()) return {};
  for (const char* key : {"detail", "title", "error", "message"}) {
    const auto found = document.find(key);
    if (found != document.end() && found->is_string()) return ": " + found->get<std::string>();
  }
  const auto errors = document.find("errors");
  if (errors == document.end() || !errors->is_array() || errors->empty() || !errors->front().is_object()) return {};
  const auto message = errors->front().find("message");
  return message != errors->front().end() && message->is_string() ? ": " + message->get<std::string>() : "";
}

// Nothing for the 200s.
Result<void> check_status(const HttpAnswer& answer) {
  const int status = answer.status;
  if (status >= 200 && status < 300) return {};
  const std::string text = fmt::format("HTTP {}{}", status, reason_in(answer.body));
  if (status == 401 || status == 403) {
    return base::fail(api_error(ErrorCode::kAuthentication, text,
                                "Set RUNPOD_API_KEY to a key that may stop this pod, or stop it in the console."));
  }
  if (status == 404) return base::fail(api_error(ErrorCode::kNotFound, text));
  if (status == 409) return base::fail(api_error(ErrorCode::kAlreadyExists, text));
  if (status == 429) return base::fail(api_error(ErrorCode::kBusy, text));
  if (status >= 500 && status < 600) return base::fail(api_error(ErrorCode::kNetwork, text));
  return base::fail(api_error(ErrorCode::kDamaged, text));
}

Result<PodState> state_named(const json& word) {
  if (word.is_string()) {
    const auto& text = word.get_ref<const std::string&>();
    for (const char* up : {"PROVISIONING", "STARTING", "RUNNING", "CREATED", "RESTARTING", "PAUSED"}) {
      if (text == up) return PodState::kUp;
    }
    if (text == "EXITED") return PodState::kStopped;
    if (text == "TERMINATED" || text == "DEAD") return PodState::kGone;
    if (text == "ERROR") return PodState::kUp;  // broken, but nothing says that it is not billed
  }
  return base::fail(api_error(ErrorCode::kDamaged, "no known status of the pod in the answer: " + word.dump()));
}

// The member of `data`; a GraphQL answer with errors is refused, whatever its data are.
Result<json> graphql_data(const HttpAnswer& answer, const char* member) {
  if (const auto good = check_status(answer); !good) return base::fail(good.error());
  const json document = json::parse(answer.body, nullptr, false);
  if (!document.is_object()) return base::fail(api_error(ErrorCode::kDamaged, "the answer is not a JSON object"));
  if (const auto errors = document.find("errors"); errors != document.end() && !errors->is_null()) {
    const std::string reason = reason_in(answer.body);
    const bool unknown = reason.find("not found") != std::string::npos;
    return base::fail(api_error(unknown ? ErrorCode::kNotFound : ErrorCode::kAuthentication,
                                "GraphQL refused" + (reason.empty() ? " without a reason" : reason)));
  }
  const auto data = document.find("data");
  if (data == document.end() || !data->is_object() || !data->contains(member)) {
    return base::fail(api_error(ErrorCode::kDamaged, "the answer has no data"));
  }
  return (*data)[member];
}

const json& member_or_null(const json& object, const char* key) {
  static const json nothing;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : nothing;
}

// After these the other API may still do it. A pod in the wrong state and a limit on calls are the same there.
bool other_way_may_help(const base::Error& error) {
  return error.code != ErrorCode::kAlreadyExists && error.code != ErrorCode::kBusy;
}

base::Error both_failed(const base::Error& rest, const base::Error& graphql) {
  base::Error error = graphql.code == ErrorCode::kAuthentication ? rest : graphql;
  error.operation = "use the provider's API";
  error.path.clear();
  error.detail = fmt::format("REST: {}; GraphQL: {}", rest.detail, graphql.detail);
  if (error.remedy.empty()) error.remedy = rest.remedy.empty() ? graphql.remedy : rest.remedy;
  return error;
}

}  // namespace

Result<PodState> read_rest_state(const HttpAnswer& answer) {
  if (answer.status == 404) return PodState::kGone;
  if (const auto good = check_status(answer); !good) return base::fail(good.error());
  const json document = json::parse(answer.body, nullptr, false);
  const json& status = member_or_null(document, "status");
  return state_named(status.is_null() ? member_or_null(document, "desiredStatus") : status);
}

Result<void> read_rest_ending(const HttpAnswer& answer, Ending ending) {
  if (const auto good = check_status(answer); !good) {
    // What is to be gone is not there.
    if (ending == Ending::kTerminate && good.error().code == ErrorCode::kNotFound) return {};
    return good;
  }
  if (ending == Ending::kTerminate && answer.status == 204) return {};
  const json document = json::parse(answer.body, nullptr, false);
  if (!document.is_object()) return base::fail(api_error(ErrorCode::kDamaged, "the answer is not a JSON object"));
  return {};
}

Result<PodState> read_graphql_state(const HttpAnswer& answer) {
  const auto pod = graphql_data(answer, "pod");
  if (!pod && pod.error().code == ErrorCode::kNotFound) return PodState::kGone;
  if (!pod) return base::fail(pod.error());
  if (pod->is_null()) return PodState::kGone;
  return state_named(member_or_null(*pod, "desiredStatus"));
}

Result<void> read_graphql_ending(const HttpAnswer& answer, Ending ending) {
  const auto data = graphql_data(answer, ending == Ending::kStop ? "podStop" : "podTerminate");
  if (!data) {
    if (ending == Ending::kTerminate && data.error().code == ErrorCode::kNotFound) return {};
    return base::fail(data.error());
  }
  // podTerminate answers nothing; podStop answers the pod.
  if (ending == Ending::kStop && !data->is_object()) {
    return base::fail(api_error(ErrorCode::kDamaged, "the answer does not say which pod was stopped"));
  }
  return {};
}

Result<HttpAnswer> Runpod::ask_rest(std::string_view method, std::string_view below_pod, std::string body) const {
  return exchange({.method = std::string(method),
                   .url = fmt::format("{}/pods/{}{}", addresses_.rest, percent_encode(pod_), below_pod),
                   .headers = {{"Authorization", "Bearer " + key_}},
                   .json = std::move(body)},
                  settings_);
}

Result<HttpAnswer> Runpod::ask_graphql(const std::string& query) const {
  return exchange({.method = "POST",
                   .url = addresses_.graphql + "?api_key=" + percent_encode(key_),
                   .headers = {},
                   .json = json{{"query", query}}.dump(-1, ' ', false, json::error_handler_t::replace)},
                  settings_);
}

// As a string within a query: JSON's way of writing one is GraphQL's.
static std::string literal(const std::string& text) {
  return json(text).dump(-1, ' ', true, json::error_handler_t::replace);
}

Result<void> Runpod::end(Ending ending) const {
  const std::string action = json{{"action", name(ending)}}.dump();
  const auto rest_answer = ask_rest("POST", "/action", action);
  const Result<void> rest = rest_answer ? read_rest_ending(*rest_answer, ending) : base::fail(rest_answer.error());
  if (rest) return {};
  // The state does not allow it: most likely it is what was asked for. The caller looks.
  if (rest.error().code == ErrorCode::kAlreadyExists) return {};
  if (!other_way_may_help(rest.error())) return rest;
  const std::string query =
      ending == Ending::kStop
          ? fmt::format("mutation {{ podStop(input: {{podId: {}}}) {{ id desiredStatus }} }}", literal(pod_))
          : fmt::format("mutation {{ podTerminate(input: {{podId: {}}}) }}", literal(pod_));
  const auto graphql_answer = ask_graphql(query);
  const Result<void> graphql =
      graphql_answer ? read_graphql_ending(*graphql_answer, ending) : base::fail(graphql_answer.error());
  if (graphql) return {};
  return base::fail(both_failed(rest.error(), graphql.error()));
}

Result<PodState> Runpod::state() const {
  const auto rest_answer = ask_rest("GET", "", "");
  const Result<PodState> rest = rest_answer ? read_rest_state(*rest_answer) : base::fail(rest_answer.error());
  if (rest || !other_way_may_help(rest.error())) return rest;
  const auto graphql_answer =
      ask_graphql(fmt::format("query {{ pod(input: {{podId: {}}}) {{ id desiredStatus }} }}", literal(pod_)));
  const Result<PodState> graphql =
      graphql_answer ? read_graphql_state(*graphql_answer) : base::fail(graphql_answer.error());
  if (graphql) return graphql;
  return base::fail(both_failed(rest.error(), graphql.error()));
}

std::string_view name(PodState state) {
  switch (state) {
    case PodState::kUp:
      return "running";
    case PodState::kStopped:
      return "stopped";
    case PodState::kGone:
      return "gone";
  }
  return "unknown";
}

std::string_view name(Ending ending) {
  return ending == Ending::kStop ? "stop" : "terminate";
}

}  // namespace provider
