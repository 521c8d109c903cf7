#include "launcher/checkout/git/remote.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <git2.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>
#include <sstream>
#include <thread>

#include "base/unique_fd.h"
#include "launcher/base/seed.h"
#include "launcher/checkout/git/conversation.h"
#include "launcher/checkout/git/library.h"

// The talking process writes lines to a pipe: "." for every sign of life, then one result of tab-separated fields.
// The waiting process reads them, and kills the talker when the pipe is silent for longer than the stall limit.

namespace checkout {
namespace {

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t' || c == '\r'; }, ' ');
  return text;
}

std::string encode(const base::Result<Upstream>& result) {
  if (!result) {
    const base::Error& error = result.error();
    return fmt::format("error\t{}\t{}\t{}\t{}\t{}\n", static_cast<int>(error.code), one_line(error.operation),
                       one_line(error.path), one_line(error.detail), one_line(error.remedy));
  }
  return fmt::format("ok\t{}\t{}\t{}\t{}\t{}\n", static_cast<int>(result->form), one_line(result->name),
                     hex_of(result->commit), one_line(result->default_branch), result->downloaded ? 1 : 0);
}

std::optional<base::Result<Upstream>> decode(const std::string& line) {
  std::vector<std::string> fields;
  std::stringstream stream(line);
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  fields.resize(6);
  if (fields[0] == "ok") {
    Upstream upstream;
    upstream.form = static_cast<Upstream::Form>(std::stoi(fields[1]));
    upstream.name = fields[2];
    upstream.commit = id_of(fields[3]).value_or(git_oid{});
    upstream.default_branch = fields[4];
    upstream.downloaded = fields[5] == "1";
    return upstream;
  }
  if (fields[0] == "error") {
    base::Error error;
    error.code = static_cast<base::ErrorCode>(std::stoi(fields[1]));
    error.operation = fields[2];
    error.path = fields[3];
    error.detail = fields[4];
    error.remedy = fields[5];
    return base::fail(error);
  }
  return std::nullopt;
}

void write_fully(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;  // nobody listens any more; the parent has given this talker up
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

[[noreturn]] void talk(int pipe, pid_t parent, const std::filesystem::path& git_folder, const RemoteSettings& settings,
                       Fetch what) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  ::setpgid(0, 0);
  ::signal(SIGPIPE, SIG_IGN);
  const auto alive = [pipe] { write_fully(pipe, ".\n"); };
  const auto result = settings.transport == Transport::kGit ? converse_with_git(git_folder, settings, what, alive)
                                                            : converse(git_folder, settings, what, alive);
  write_fully(pipe, encode(result));
  ::_exit(0);
}

base::Error network_error(const RemoteSettings& settings, std::string detail) {
  base::Error error;
  error.code = base::ErrorCode::kNetwork;
  error.operation = "fetch from";
  error.path = settings.url;
  error.detail = std::move(detail);
  error.remedy = "Check the network; the launcher tries again by itself.";
  return error;
}

// Reads until the result line, end of file or silence.
base::Result<Upstream> listen(int pipe, const RemoteSettings& settings) {
  std::string pending;
  const int limit_ms = static_cast<int>(std::chrono::milliseconds(settings.stall_limit).count());
  for (;;) {
    struct pollfd waiting = {pipe, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, limit_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      return base::fail(network_error(settings, fmt::format("no byte came for {} s", settings.stall_limit.count())));
    }
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(pipe, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return base::fail(network_error(settings, "the process that fetched ended without an answer"));
    pending.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
      if (auto result = decode(pending.substr(0, end))) return *result;
    }
  }
}

base::Result<Upstream> fetch_once(const std::filesystem::path& git_folder, const RemoteSettings& settings, Fetch what) {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::fail(base::system_error(errno, "open a pipe"));
  base::UniqueFd reading(ends[0]);
  base::UniqueFd writing(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return base::fail(base::system_error(errno, "start the process that fetches"));
  if (child == 0) talk(writing.get(), parent, git_folder, settings, what);
  ::setpgid(child, child);
  writing.reset();
  auto result = listen(reading.get(), settings);
  ::kill(-child, SIGKILL);
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return result;
}

}  // namespace

base::Result<Upstream> fetch(const std::filesystem::path& git_folder, const RemoteSettings& settings, Fetch what) {
  start_library();
  std::mt19937_64 random(base::seed_from_kernel());
  std::chrono::milliseconds pause(1000);
  for (int attempt = 1;; ++attempt) {
    auto result = fetch_once(git_folder, settings, what);
    if (result || result.error().code != base::ErrorCode::kNetwork || attempt >= settings.attempts) return result;
    if (settings.say) settings.say(fmt::format("{}; trying again", result.error().message()));
    // Full pause plus up to half of it, so that many pods do not come back in step.
    const auto jitter = std::uniform_int_distribution<long>(0, pause.count() / 2)(random);
    std::this_thread::sleep_for(pause + std::chrono::milliseconds(jitter));
    pause = std::min(pause * 2, std::chrono::milliseconds(30000));
  }
}

}  // namespace checkout
