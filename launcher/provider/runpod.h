// RunPod's API, as far as a pod needs it to end itself: REST version 2 first, and GraphQL where that is refused or
// fails, since reports conflict on which of the two a pod's own key may use.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "launcher/provider/http.h"

namespace provider {

enum class Ending { kStop, kTerminate };

enum class PodState {
  kUp,       // running, or on its way up: it is billed
  kStopped,  // its disks are kept
  kGone,     // terminated, or the API knows no such pod (any more)
};

// What the two APIs say, told apart without looking at the network. Whatever an answer is, the result is a value:
// kAuthentication (401, 403), kNotFound (404), kAlreadyExists (409: the pod's state does not allow it), kBusy (429),
// kNetwork (5xx), kDamaged (anything that is not what the API promises, redirects included).
base::Result<PodState> read_rest_state(const HttpAnswer& answer);
base::Result<void> read_rest_ending(const HttpAnswer& answer, Ending ending);
base::Result<PodState> read_graphql_state(const HttpAnswer& answer);
base::Result<void> read_graphql_ending(const HttpAnswer& answer, Ending ending);

class Runpod {
 public:
  struct Addresses {
    std::string rest = "https://api.runpod.io/v2";
    std::string graphql = "https://api.runpod.io/graphql";
  };
  Runpod(std::string pod, std::string key, HttpSettings settings) : Runpod(Addresses(), pod, key, settings) {}
  Runpod(Addresses addresses, std::string pod, std::string key, HttpSettings settings)
      : addresses_(std::move(addresses)), pod_(std::move(pod)), key_(std::move(key)), settings_(std::move(settings)) {}

  // Accepted, or nothing left to do. What has become of the pod is a question of its own.
  base::Result<void> end(Ending ending) const;
  base::Result<PodState> state() const;

 private:
  base::Result<HttpAnswer> ask_rest(std::string_view method, std::string_view below_pod, std::string json) const;
  base::Result<HttpAnswer> ask_graphql(const std::string& query) const;

  Addresses addresses_;
  std::string pod_;
  std::string key_;
  HttpSettings settings_;
};

std::string_view name(PodState state);
std::string_view name(Ending ending);  // "stop"

}  // namespace provider
