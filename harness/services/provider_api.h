// RunPod's API as its documentation describes it, for one pod: what each request answers. It takes what the real one
// takes and nothing else; whatever is no such request is refused with a complaint, which fails the scenario.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace services {

struct ApiRequest {
  std::string method;
  std::string path;
  std::string query;                           // behind the question mark, as it was sent
  std::map<std::string, std::string> headers;  // names in small letters
  std::string body;
};

struct ApiPod {
  std::string id;
  std::string status = "RUNNING";  // or EXITED, TERMINATED
};

// What it has to do besides answering.
enum class ApiDeed { kNothing, kStop, kTerminate };

struct ApiAnswer {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  ApiDeed deed = ApiDeed::kNothing;    // asked for with a good key, for this pod, in a state that allows it
  ApiDeed wanted = ApiDeed::kNothing;  // what it was asked for, whatever came of it
  std::string complaint;               // why it is no request of this API at all
};

// The version 2 of REST, and GraphQL; told apart by the path.
ApiAnswer answer_api(const ApiRequest& request, const ApiPod& pod, const std::string& key);

bool is_graphql(const ApiRequest& request);

// An answer spoiled in the way that a scenario names: an error status, or a body that no client expects. An empty
// `kind` or one that needs more than another answer leaves it as it is.
ApiAnswer spoil(ApiAnswer answer, const std::string& kind, bool graphql);

// Says yes whatever happens, and that the pod is down; nothing is done.
ApiAnswer lie(const ApiRequest& request, ApiPod pod, const std::string& key);

}  // namespace services
