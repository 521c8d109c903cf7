// The conversation by the git program. Nothing of the repository's own configuration may start a program: hooks,
// fsmonitor and ssh commands are overridden, and terminal prompts are refused.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <sstream>
#include <vector>

#include "base/unique_fd.h"
#include "base/wait_status.h"
#include "launcher/checkout/git/conversation.h"
#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/library.h"
#include "launcher/checkout/git/login.h"

namespace checkout {
namespace {

struct Answer {
  base::WaitStatus status;
  std::string output;
};

[[noreturn]] void become_git(const std::vector<std::string>& arguments, int output) {
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  ::execvp("git", raw.data());
  ::_exit(127);
}

base::Result<Answer> run_git(const std::vector<std::string>& arguments, const std::function<void()>& alive) {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::fail(base::system_error(errno, "open a pipe"));
  base::UniqueFd reading(ends[0]);
  base::UniqueFd writing(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return base::fail(base::system_error(errno, "start git"));
  if (child == 0) become_git(arguments, writing.get());
  writing.reset();
  Answer answer;
  for (std::array<char, 4096> buffer;;) {
    const ssize_t got = ::read(reading.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    answer.output.append(buffer.data(), static_cast<std::size_t>(got));
    alive();
  }
  int raw = 0;
  while (::waitpid(child, &raw, 0) < 0 && errno == EINTR) {
  }
  answer.status = base::WaitStatus::from_raw(raw);
  return answer;
}

// git says that it cannot read an object of this side. What the remote says of its own comes in lines that name it.
bool tells_of_damage_here(const std::string& output) {
  std::size_t start = 0;
  while (start < output.size()) {
    const std::size_t end = std::min(output.find_first_of("\r\n", start), output.size());
    const std::string_view line(output.data() + start, end - start);
    start = end + 1;
    if (line.starts_with("remote:")) continue;
    for (const std::string_view words :
         {"loose object", "object file", "unable to unpack", "inflate: ", "garbage at end of", "packfile",
          "failed to read object", "failed to read delta", "did not receive expected object", "bad object",
          "missing blob", "missing tree", "unresolved delta"}) {
      if (line.find(words) != std::string_view::npos) return true;
    }
  }
  return false;
}

base::Error refusal(const Answer& answer, const std::string& operation, const RemoteSettings& settings) {
  base::Error error;
  error.operation = operation;
  error.path = settings.url;
  if (answer.status.value == 127) {
    error.code = base::ErrorCode::kUnsupported;
    error.detail = "there is no git program in this image";
    error.remedy = "Install git, or use --transport libgit2 without --depth.";
    return error;
  }
  const auto says = [&](std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return answer.output.find(word) != std::string::npos; });
  };
  error.code = base::ErrorCode::kNetwork;
  error.remedy = "Check the network; the launcher tries again by itself.";
  if (tells_of_damage_here(answer.output)) {
    error.code = base::ErrorCode::kDamaged;
    error.remedy = "`podlaunch doctor --full` reads every object, and `podlaunch repair` mends what is damaged.";
  } else if (says({"SSL certificate", "certificate verif", "CAfile", "Host key verification failed"})) {
    error.code = base::ErrorCode::kAuthentication;
    error.remedy = settings.url.starts_with("https://")
                       ? "Name the authorities to trust with --ca-bundle, or install ca-certificates in the image."
                       : kUnknownHostRemedy;
  } else if (says({"Authentication failed", "could not read Username", "could not read Password",
                   "Permission denied (publickey", "returned error: 401", "returned error: 403"})) {
    error.code = base::ErrorCode::kAuthentication;
    error.remedy = login_remedy(settings);
  } else if (says({"' not found", "Repository not found", "does not exist", "does not appear to be a git repository",
                   "couldn't find remote ref", "returned error: 404"})) {
    error.code = base::ErrorCode::kNotFound;
    error.remedy = "Check the repository's address.";
  } else if (says({"dubious ownership"})) {
    error.code = base::ErrorCode::kNotPermitted;
    error.remedy = "Make this user the owner of the remote's folder, or use --transport libgit2.";
  } else if (says({"No space left", "quota exceeded"})) {
    error.code = base::ErrorCode::kNoSpace;
    error.remedy = "Free some space or enlarge the disk.";
  }
  const std::size_t kept = 400;
  error.detail = answer.output.size() > kept ? answer.output.substr(answer.output.size() - kept) : answer.output;
  return error;
}

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char letter : word) text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return text + "'";
}

std::vector<std::string> common_arguments(const fs::path& git_folder, const RemoteSettings& settings) {
  std::string ssh = "ssh -o BatchMode=yes";
  if (!settings.credentials.ssh_key.empty())
    ssh += " -o IdentitiesOnly=yes -i " + quoted(settings.credentials.ssh_key.string());
  // Of the file alone: what the machine knows besides was not named.
  if (!settings.credentials.ssh_known_hosts.empty()) {
    ssh += " -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=none -o UserKnownHostsFile=" +
           quoted(settings.credentials.ssh_known_hosts.string());
  }
  std::vector<std::string> values = {"core.hooksPath=/dev/null",
                                     "core.fsmonitor=false",
                                     "core.sshCommand=" + ssh,
                                     "core.askPass=true",
                                     "gc.auto=0",
                                     "core.fsync=all",
                                     "fetch.unpackLimit=1",
                                     "credential.helper=",
                                     "protocol.ext.allow=never"};
  // For this place and no other, so a redirect leads to nobody who is given it. The value is in no argument list.
  if (const auto login = login_for(settings)) {
    ::setenv("PODLAUNCH_GIT_LOGIN", login->name.c_str(), 1);
    ::setenv("PODLAUNCH_GIT_PASSWORD", login->password.c_str(), 1);
    values.push_back("credential." + place_of(settings.url) +
                     ".helper=!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' "
                     "\"$PODLAUNCH_GIT_LOGIN\" \"$PODLAUNCH_GIT_PASSWORD\"; }; f");
  }
  // The variable, since one that is set already would win over a setting.
  if (!settings.credentials.ca_bundle.empty()) ::setenv("GIT_SSL_CAINFO", settings.credentials.ca_bundle.c_str(), 1);
  std::vector<std::string> arguments = {"git", "--git-dir=" + git_folder.string()};
  for (const std::string& value : values) {
    arguments.push_back("-c");
    arguments.push_back(value);
  }
  return arguments;
}

// What would lead git elsewhere, or make it ask somebody.
void clean_environment() {
  for (const char* name : {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_CONFIG",
                           "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_SHALLOW_FILE",
                           "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", "GIT_QUARANTINE_PATH", "GIT_ASKPASS",
                           "SSH_ASKPASS", "GIT_TRACE", "GIT_TRACE_CURL", "GIT_CURL_VERBOSE", "GIT_TRACE_PACKET"}) {
    ::unsetenv(name);
  }
  if (!home_is_open()) {
    ::setenv("HOME", "/nonexistent", 1);
    ::unsetenv("XDG_CONFIG_HOME");
  }
  ::setenv("GIT_TERMINAL_PROMPT", "0", 1);
  ::setenv("LC_ALL", "C", 1);
}

// The wanted ref among "id<TAB>name" lines; branches win over tags.
base::Result<Upstream> choose(const std::string& listing, const RemoteSettings& settings) {
  Upstream upstream;
  std::istringstream lines(listing);
  std::vector<std::pair<std::string, git_oid>> heads;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("ref: refs/heads/") && line.ends_with("\tHEAD")) {
      upstream.default_branch = line.substr(16, line.size() - 16 - 5);
    } else if (line.size() > 41 && line[40] == '\t') {
      if (const auto id = id_of(line.substr(0, 40))) heads.emplace_back(line.substr(41), *id);
    }
  }
  const std::string wanted = settings.ref.empty() ? upstream.default_branch : settings.ref;
  for (const auto& [prefix, form] : {std::pair{std::string("refs/heads/"), Upstream::Form::kBranch},
                                     std::pair{std::string("refs/tags/"), Upstream::Form::kTag}}) {
    for (const auto& [name, id] : heads) {
      if (name != prefix + wanted) continue;
      upstream.form = form;
      upstream.name = wanted;
      upstream.commit = id;
      return upstream;
    }
  }
  if (const auto id = id_of(wanted)) {
    upstream.form = Upstream::Form::kCommit;
    upstream.name = wanted;
    upstream.commit = *id;
    return upstream;
  }
  base::Error error;
  error.code = base::ErrorCode::kNotFound;
  error.operation = fmt::format("find {} in", wanted.empty() ? "a default branch" : wanted);
  error.path = settings.url;
  error.detail = "the remote answered and has no such branch, tag or commit";
  error.remedy = "Check the ref's spelling, or push it.";
  return base::fail(error);
}

// A tag's commit is listed beside the tag.
Upstream peeled_in(const std::string& listing, Upstream upstream) {
  const std::size_t found = listing.find("\trefs/tags/" + upstream.name + "^{}\n");
  if (upstream.form != Upstream::Form::kTag || found == std::string::npos || found < GIT_OID_HEXSZ) return upstream;
  upstream.commit = id_of(listing.substr(found - GIT_OID_HEXSZ, GIT_OID_HEXSZ)).value_or(upstream.commit);
  return upstream;
}

}  // namespace

base::Result<Upstream> converse_with_git(const fs::path& git_folder, const RemoteSettings& settings, Fetch what,
                                         const std::function<void()>& alive) {
  clean_environment();
  const auto common = common_arguments(git_folder, settings);
  auto listing_arguments = common;
  listing_arguments.insert(listing_arguments.end(), {"ls-remote", "--symref", "--", settings.url});
  const auto listing = run_git(listing_arguments, alive);
  if (!listing) return base::fail(listing.error());
  if (!listing->status.success()) return base::fail(refusal(*listing, "ask", settings));
  auto upstream = choose(listing->output, settings);
  if (!upstream) return upstream;
  if (what == Fetch::kNothing) return peeled_in(listing->output, *upstream);

  auto arguments = common;
  arguments.insert(arguments.end(), {"fetch", "--no-write-fetch-head", "--progress", "--no-auto-maintenance"});
  if (settings.history_depth > 0) arguments.push_back(fmt::format("--depth={}", settings.history_depth));
  if (what == Fetch::kEverything && settings.history_depth == 0) arguments.push_back("--tags");
  arguments.insert(arguments.end(), {"--", settings.url});
  const std::string& name = upstream->name;
  if (upstream->form == Upstream::Form::kTag) arguments.push_back(fmt::format("+refs/tags/{0}:refs/tags/{0}", name));
  if (upstream->form == Upstream::Form::kCommit && settings.history_depth > 0) arguments.push_back(name);
  if (settings.history_depth > 0 && upstream->form == Upstream::Form::kBranch) {
    arguments.push_back(fmt::format("+refs/heads/{0}:refs/remotes/origin/{0}", name));
  } else if (settings.history_depth == 0) {
    arguments.push_back("+refs/heads/*:refs/remotes/origin/*");
  }
  const auto fetched = run_git(arguments, alive);
  if (!fetched) return base::fail(fetched.error());
  if (!fetched->status.success()) return base::fail(refusal(*fetched, "download from", settings));
  upstream->downloaded = true;

  auto peeling = common;
  peeling.insert(peeling.end(), {"rev-parse", "--verify", "--quiet", hex_of(upstream->commit) + "^{commit}"});
  const auto peeled = run_git(peeling, alive);
  if (!peeled) return base::fail(peeled.error());
  const auto commit = id_of(peeled->output.substr(0, GIT_OID_HEXSZ));
  if (!commit) return base::fail(refusal(*peeled, "find the commit in", settings));
  upstream->commit = *commit;
  return upstream;
}

}  // namespace checkout
