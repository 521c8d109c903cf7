#include "harness/services/git_backend.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <vector>

namespace services {

using base::Result;
using base::UniqueFd;

static std::vector<std::string> backend_environment(const GitRequest& request) {
  const char* search_path = ::getenv("PATH");
  std::vector<std::string> environment{
      std::string("PATH=") + (search_path != nullptr ? search_path : "/usr/local/bin:/usr/bin:/bin"),
      "GIT_PROJECT_ROOT=" + request.root.string(),
      "GIT_HTTP_EXPORT_ALL=1",
      "REQUEST_METHOD=" + request.method,
      "PATH_INFO=" + request.path,
      "QUERY_STRING=" + request.query,
      "CONTENT_TYPE=" + request.content_type,
      "REMOTE_ADDR=127.0.0.1",
      // Nothing of the machine's configuration may show in an answer, and packs must come out the same each time.
      "HOME=/nonexistent",
      "GIT_CONFIG_NOSYSTEM=1",
      "GIT_CONFIG_GLOBAL=/dev/null",
      "GIT_CONFIG_COUNT=2",
      "GIT_CONFIG_KEY_0=safe.directory",
      "GIT_CONFIG_VALUE_0=*",
      "GIT_CONFIG_KEY_1=pack.threads",
      "GIT_CONFIG_VALUE_1=1",
  };
  if (!request.protocol.empty()) environment.push_back("GIT_PROTOCOL=" + request.protocol);
  return environment;
}

// The request's body as a file: the program may read it whenever it likes, and nobody has to feed it meanwhile.
static Result<UniqueFd> body_file(const std::string& body) {
  UniqueFd file(::memfd_create("request", MFD_CLOEXEC));
  if (!file.valid()) return base::fail(base::system_error(errno, "keep the request's body in memory"));
  for (std::size_t done = 0; done < body.size();) {
    const ssize_t count = ::write(file.get(), body.data() + done, body.size() - done);
    if (count < 0) return base::fail(base::system_error(errno, "keep the request's body in memory"));
    done += static_cast<std::size_t>(count);
  }
  (void)::lseek(file.get(), 0, SEEK_SET);  // cannot fail on a file in memory
  return file;
}

static int spawn_backend(const GitRequest& request, int input, int output, pid_t& process) {
  std::array<char*, 3> arguments{const_cast<char*>("git"), const_cast<char*>("http-backend"), nullptr};
  std::vector<std::string> texts = backend_environment(request);
  std::vector<char*> environment;
  for (std::string& text : texts) environment.push_back(text.data());
  environment.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);  // the server ignores it, and that would be inherited
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  const int error = ::posix_spawnp(&process, "git", &files, &attributes, arguments.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

Result<GitBackend> GitBackend::start(const GitRequest& request) {
  auto input = body_file(request.body);
  if (!input) return base::fail(input.error());
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::fail(base::system_error(errno, "make a pipe"));
  UniqueFd output(ends[0]);
  UniqueFd output_of_child(ends[1]);
  pid_t process = -1;
  if (const int error = spawn_backend(request, input->get(), output_of_child.get(), process); error != 0) {
    return base::fail(base::system_error(error, "start git http-backend"));
  }
  output_of_child.reset();
  GitBackend backend(process, std::move(output));
  if (!backend.read_headers()) {
    return base::fail(base::Error{.code = base::ErrorCode::kDamaged,
                                  .operation = "read the answer of git http-backend",
                                  .path = request.path,
                                  .system_errno = 0,
                                  .detail = "it ended before the answer's body",
                                  .remedy = {}});
  }
  return backend;
}

GitBackend::GitBackend(GitBackend&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      output_(std::move(other.output_)),
      status_(other.status_),
      headers_(std::move(other.headers_)),
      pending_(std::move(other.pending_)) {}

GitBackend::~GitBackend() {
  if (process_ <= 0) return;
  output_.reset();
  // Killed, so that the wait is bounded even when the program still has something to say.
  (void)::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string GitBackend::read_body() {
  if (!pending_.empty()) return std::exchange(pending_, {});
  std::array<char, 65536> buffer{};
  ssize_t count = 0;
  do {
    count = ::read(output_.get(), buffer.data(), buffer.size());
  } while (count < 0 && errno == EINTR);
  return count > 0 ? std::string(buffer.data(), static_cast<std::size_t>(count)) : std::string();
}

bool GitBackend::read_headers() {
  constexpr std::size_t kHeaderBytesMax = 64 << 10;
  std::string text;
  while (text.size() < kHeaderBytesMax) {
    const std::string part = read_body();
    if (part.empty()) return false;
    text += part;
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    for (std::size_t begin = 0; begin < end;) {
      const std::size_t line_end = text.find("\r\n", begin);
      take_header(text.substr(begin, line_end - begin));
      begin = line_end + 2;
    }
    pending_ = text.substr(end + 4);
    return true;
  }
  return false;
}

void GitBackend::take_header(const std::string& line) {
  const std::size_t colon = line.find(": ");
  if (colon == std::string::npos) return;
  const std::string value = line.substr(colon + 2);
  if (line.compare(0, colon, "Status") == 0) {
    status_ = std::atoi(value.c_str());
  } else {
    headers_[line.substr(0, colon)] = value;
  }
}

}  // namespace services
