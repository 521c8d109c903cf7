#include "launcher/boot/waiting.h"

#include "launcher/boot/keeper/say.h"
#include "launcher/config/duration.h"

namespace boot {

base::StillWaiting say_still_at_work(std::string phase, std::string on_what) {
  return [phase = std::move(phase), on_what = std::move(on_what)](base::Seconds so_far, bool in_kernel) {
    say_phase(phase, "at work on {} for {} so far{}", on_what, config::rough_duration(so_far),
              in_kernel ? "; just now its disk does not answer" : "");
  };
}

}  // namespace boot
