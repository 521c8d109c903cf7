#include "launcher/boot/keeper/say.h"

#include <unistd.h>

#include "base/text.h"
#include "launcher/training/pass_through.h"

namespace boot {

void say_line(std::string_view text) {
  // Lives as long as the process: what could not be written yet goes out with the next line.
  static training::PassThrough out(STDERR_FILENO);
  out.flush();
  out.write(fmt::format("podlaunch: {}\n", base::on_one_line(text)));
}

}  // namespace boot
