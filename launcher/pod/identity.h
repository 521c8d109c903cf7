#pragma once

#include <map>
#include <string>

namespace pod {

using Environment = std::map<std::string, std::string>;

// Who and where we are, as far as it can be told.
struct Identity {
  std::string pod;             // the platform's pod id; the host name where there is none
  std::string host;            // the kernel's boot id: another one is another host, or the host was restarted
  std::string boot;            // 16 hex digits, drawn anew: tells this launcher from every other
  bool first_process = false;  // PID 1: our exit ends the container
};

Identity identify(const Environment& environment);

Environment own_environment();

}  // namespace pod
