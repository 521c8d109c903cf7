#include "launcher/base/own_name.h"

#include <sys/prctl.h>

#include <cstring>
#include <string_view>

namespace base {

static constexpr std::string_view kName = "podlaunch";

void hide_command_line(int count, char** arguments) {
  // Who is started from a script or under another name is called so in /proc/PID/comm, too.
  (void)::prctl(PR_SET_NAME, kName.data());
  if (count < 1) return;
  // The kernel shows the memory that the arguments lie in, one after the other; the environment behind them stays.
  char* const begin = arguments[0];
  char* end = begin;
  for (int i = 0; i < count && arguments[i] == end; ++i) end += std::strlen(arguments[i]) + 1;
  const auto room = static_cast<std::size_t>(end - begin);
  std::memset(begin, 0, room);
  if (room > kName.size()) std::memcpy(begin, kName.data(), kName.size());
}

}  // namespace base
