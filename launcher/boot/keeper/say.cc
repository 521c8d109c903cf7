#include "launcher/boot/keeper/say.h"

#include <unistd.h>

#include "launcher/training/pass_through.h"

namespace boot {

void say_line(std::string_view text) {
  // Lives as long as the process: what could not be written yet goes out with the next line.
  static training::PassThrough out(STDERR_FILENO);
  out.flush();
  std::string line = fmt::format("podlaunch: {}\n", text);
  // One line, whatever was quoted in it.
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    if (line[i] == '\n' || line[i] == '\r') line[i] = ' ';
  }
  out.write(line);
}

}  // namespace boot
