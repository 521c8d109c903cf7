// The certificates of a world's HTTPS services: an authority made for this world, which its pod trusts instead of the
// public ones, and a certificate that it signed. They are valid by the world's clock, so a clock that jumps far enough
// breaks them as it would outside.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace services {

struct Certificates {
  std::string authority;    // PEM, for the pod
  std::string certificate;  // PEM, for the service
  std::string key;          // PEM, for the service
};

// Valid from a day before `now_seconds` (since 1970) until ten years after it.
base::Result<Certificates> make_certificates(const std::vector<std::string>& hosts, std::int64_t now_seconds);

}  // namespace services
