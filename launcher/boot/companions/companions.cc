#include "launcher/boot/companions/companions.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "launcher/base/process.h"
#include "launcher/boot/companions/companions_process.h"
#include "launcher/boot/keeper/say.h"

namespace boot {

static constexpr const char* kImagesOwn = "/start.sh";

static std::vector<std::string> commands_of(const config::Config& config, bool first_process) {
  if (config.alongside == std::vector<std::string>{"none"}) return {};
  if (!config.alongside.empty()) return config.alongside;
  if (first_process && ::access(kImagesOwn, X_OK) == 0) return {kImagesOwn};
  return {};
}

void Companions::begin(const config::Config& config, bool first_process, base::Waiter& waiter) {
  commands_ = commands_of(config, first_process);
  if (commands_.empty()) return;
  for (const std::string& command : commands_) say("alongside: {}", command);
  start(waiter);
}

void Companions::start(base::Waiter& waiter) {
  process_ = 0;
  if (starts_left_-- <= 0) return;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return;
  base::UniqueFd reading(ends[0]);
  base::UniqueFd writing(ends[1]);
  const auto child = base::fork_patiently(waiter, "start what runs alongside");
  if (!child) return say("alongside: {}", child.error().message());
  if (*child == 0) watch_companions(commands_, reading.get());
  (void)::setpgid(*child, *child);
  waiter.expect(*child);
  process_ = *child;
  alive_ = std::move(writing);
}

void Companions::tend(base::Waiter& waiter) {
  if (process_ == 0 || !waiter.take_status(process_)) return;
  say("alongside: the process that watches over it was killed; starting it again");
  start(waiter);
}

void Companions::close(base::Waiter& waiter, base::Milliseconds patience) {
  if (process_ == 0) return;
  alive_.reset();
  const base::TimePoint until = base::Clock::now() + patience;
  while (!waiter.take_status(process_)) {
    if (base::Clock::now() >= until) {
      waiter.abandon(process_);
      break;
    }
    waiter.wait({}, until);
  }
  process_ = 0;
}

}  // namespace boot
