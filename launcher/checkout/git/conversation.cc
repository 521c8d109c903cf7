#include "launcher/checkout/git/conversation.h"

#include <fmt/format.h>
#include <git2.h>

#include <cstdlib>
#include <string_view>
#include <vector>

#include "launcher/checkout/git/files.h"
#include "launcher/checkout/git/lent_commits.h"
#include "launcher/checkout/git/library.h"
#include "launcher/checkout/git/login.h"
#include "launcher/checkout/git/own_reader.h"
#include "launcher/checkout/git/trusted_hosts.h"

namespace checkout {
namespace {

struct Conversation {
  const RemoteSettings& settings;
  const std::function<void()>& alive;
  int credentials_asked = 0;
};

int on_sideband(const char*, int, void* payload) {
  static_cast<Conversation*>(payload)->alive();
  return 0;
}

int on_transfer(const git_indexer_progress*, void* payload) {
  static_cast<Conversation*>(payload)->alive();
  return 0;
}

int on_credentials(git_credential** out, const char* url, const char* name_in_url, unsigned allowed, void* payload) {
  auto* conversation = static_cast<Conversation*>(payload);
  const Credentials& credentials = conversation->settings.credentials;
  // Asked again means refused. Offering the same thing for ever would never end.
  if (++conversation->credentials_asked > 3) {
    git_error_set_str(GIT_ERROR_NET, "authentication was refused");
    return GIT_EAUTH;
  }
  const std::string name = name_in_url != nullptr ? name_in_url : credentials.user_name;
  if ((allowed & GIT_CREDENTIAL_USERNAME) != 0) {
    return git_credential_username_new(out, name.empty() ? "git" : name.c_str());
  }
  if ((allowed & GIT_CREDENTIAL_SSH_KEY) != 0) {
    const char* user = name.empty() ? "git" : name.c_str();
    if (conversation->credentials_asked > 2) return GIT_EAUTH;
    if (credentials.ssh_key.empty()) return git_credential_ssh_key_from_agent(out, user);
    return git_credential_ssh_key_new(out, user, nullptr, credentials.ssh_key.c_str(), "");
  }
  if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) != 0 && conversation->credentials_asked == 1) {
    // After a redirect to somebody else: what we have is not for them.
    const bool own_host = place_of(url) == place_of(conversation->settings.url);
    if (const auto login = own_host ? login_for(conversation->settings) : std::nullopt) {
      const char* user = name_in_url != nullptr ? name_in_url : login->name.c_str();
      return git_credential_userpass_plaintext_new(out, user, login->password.c_str());
    }
  }
  git_error_set_str(GIT_ERROR_NET, "authentication is required, or what was offered was refused");
  return GIT_EAUTH;
}

// What a machine that cannot be trusted needs: not a login, but somebody's word.
std::string trust_remedy(const RemoteSettings& settings) {
  if (settings.url.starts_with("https://"))
    return "Name the authorities to trust with --ca-bundle, or install ca-certificates in the image.";
  return kUnknownHostRemedy;
}

base::Error talking_error(int code, std::string operation, const RemoteSettings& settings) {
  base::Error error = library_error(code, std::move(operation), settings.url);
  const bool untrusted = code == GIT_ECERTIFICATE || error.detail.find("certificate") != std::string::npos ||
                         error.detail.find("known_hosts") != std::string::npos;
  switch (error.code) {
    case base::ErrorCode::kAuthentication:
      error.remedy = untrusted ? trust_remedy(settings) : login_remedy(settings);
      break;
    case base::ErrorCode::kNotFound:
      error.remedy = "Check the repository's address.";
      break;
    case base::ErrorCode::kNoSpace:
    case base::ErrorCode::kNotPermitted:
    case base::ErrorCode::kUnsupported:
      break;
    default:
      if (tells_of_damaged_object(error.detail)) break;
      // Whatever else goes wrong while two machines talk may go right the next time.
      error.code = base::ErrorCode::kNetwork;
      error.remedy = error.detail.find("create thread") == std::string::npos
                         ? "Check the network; the launcher tries again by itself."
                         : "Raise the container's limit of processes; the launcher tries again by itself.";
  }
  return error;
}

base::Error no_such_ref(const RemoteSettings& settings) {
  base::Error error;
  error.code = base::ErrorCode::kNotFound;
  error.operation = fmt::format("find {} in", settings.ref.empty() ? "a default branch" : settings.ref);
  error.path = settings.url;
  error.detail = "the remote answered and has no such branch, tag or commit";
  error.remedy = "Check the ref's spelling, or push it.";
  return error;
}

// Which advertised head is meant; branches win over tags, as they do for git clone -b.
std::optional<Upstream> choose(const RemoteSettings& settings, const git_remote_head** heads, std::size_t count,
                               const std::string& default_branch) {
  Upstream upstream;
  upstream.default_branch = default_branch;
  const std::string wanted = settings.ref.empty() ? default_branch : settings.ref;
  if (wanted.empty()) return std::nullopt;
  for (const auto& [prefix, form] :
       {std::pair{"refs/heads/", Upstream::Form::kBranch}, std::pair{"refs/tags/", Upstream::Form::kTag}}) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view name = heads[i]->name;
      if (name != prefix + wanted && name != wanted) continue;
      if (!name.starts_with(prefix)) continue;
      upstream.form = form;
      upstream.name = name.substr(std::string_view(prefix).size());
      upstream.commit = heads[i]->oid;
      return upstream;
    }
  }
  if (const auto id = id_of(wanted)) {
    upstream.form = Upstream::Form::kCommit;
    upstream.name = wanted;
    upstream.commit = *id;
    return upstream;
  }
  return std::nullopt;
}

bool already_here(git_repository* repository, const Upstream& upstream) {
  git_odb* opened = nullptr;
  if (git_repository_odb(&opened, repository) < 0) return false;
  const Database database(opened);
  if (git_odb_exists(database.get(), &upstream.commit) == 0) return false;
  if (upstream.form == Upstream::Form::kCommit) return true;
  const std::string tracking =
      upstream.form == Upstream::Form::kBranch ? "refs/remotes/origin/" + upstream.name : "refs/tags/" + upstream.name;
  git_oid known;
  return git_reference_name_to_id(&known, repository, tracking.c_str()) == 0 && git_oid_equal(&known, &upstream.commit);
}

git_fetch_options options_for(Conversation& conversation) {
  git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
  options.callbacks.payload = &conversation;
  options.callbacks.sideband_progress = on_sideband;
  options.callbacks.transfer_progress = on_transfer;
  options.callbacks.credentials = on_credentials;
  options.proxy_opts.type = GIT_PROXY_AUTO;
  return options;
}

base::Result<Upstream> connect_and_choose(git_remote* remote, const git_fetch_options& options,
                                          const RemoteSettings& settings, const std::function<void()>& alive) {
  int code = git_remote_connect(remote, GIT_DIRECTION_FETCH, &options.callbacks, &options.proxy_opts, nullptr);
  if (code < 0) return base::fail(talking_error(code, "reach", settings));
  alive();
  const git_remote_head** heads = nullptr;
  std::size_t count = 0;
  code = git_remote_ls(&heads, &count, remote);
  if (code < 0) return base::fail(talking_error(code, "ask", settings));

  git_buf branch = GIT_BUF_INIT;
  std::string default_branch;
  if (git_remote_default_branch(&branch, remote) == 0) default_branch = branch.ptr;
  git_buf_dispose(&branch);
  if (default_branch.starts_with("refs/heads/")) default_branch.erase(0, std::string_view("refs/heads/").size());

  const auto upstream = choose(settings, heads, count, default_branch);
  if (!upstream) return base::fail(no_such_ref(settings));
  return *upstream;
}

// A tag's commit is advertised beside the tag, so nothing need be fetched to know it.
base::Result<Upstream> ask(git_remote* remote, const RemoteSettings& settings, const std::function<void()>& alive) {
  Conversation conversation{settings, alive};
  auto upstream = connect_and_choose(remote, options_for(conversation), settings, alive);
  if (!upstream || upstream->form != Upstream::Form::kTag) return upstream;
  const git_remote_head** heads = nullptr;
  std::size_t count = 0;
  if (git_remote_ls(&heads, &count, remote) < 0) return upstream;
  const std::string peeled = "refs/tags/" + upstream->name + "^{}";
  for (std::size_t i = 0; i < count; ++i) {
    if (heads[i]->name == peeled) upstream->commit = heads[i]->oid;
  }
  return upstream;
}

base::Result<void> peel(git_repository* repository, const RemoteSettings& settings, Upstream& upstream) {
  git_object* found = nullptr;
  if (git_object_lookup(&found, repository, &upstream.commit, GIT_OBJECT_ANY) < 0) {
    return base::fail(no_such_ref(settings));
  }
  const Object object(found);
  git_object* commit = nullptr;
  if (git_object_peel(&commit, object.get(), GIT_OBJECT_COMMIT) < 0) return base::fail(no_such_ref(settings));
  upstream.commit = *git_object_id(commit);
  git_object_free(commit);
  return {};
}

}  // namespace

base::Result<Upstream> converse(const std::filesystem::path& git_folder, const RemoteSettings& settings, Fetch what,
                                const std::function<void()>& alive) {
  start_library();
  if (!settings.credentials.ca_bundle.empty()) {
    if (auto trusted = trust_certificates(settings.credentials.ca_bundle); !trusted) return base::fail(trusted.error());
  }
  const bool goes_over_ssh = !settings.url.starts_with("http");
  const auto hosts = TrustedHosts::make(goes_over_ssh ? settings.credentials.ssh_known_hosts : std::filesystem::path());
  if (!hosts) return base::fail(hosts.error());
  git_repository* opened = nullptr;
  int code = git_repository_open_ext(&opened, git_folder.c_str(),
                                     GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE, nullptr);
  if (code < 0) return base::fail(library_error(code, "open the repository", git_folder));
  const Repository repository(opened);
  if (auto reads = read_with_own_reader(repository.get(), git_folder); !reads) return base::fail(reads.error());
  if (settings.lent != nullptr) {
    if (auto lent = lend_commits(repository.get(), settings.lent); !lent) return base::fail(lent.error());
  }

  // Anonymous: the address comes from the launcher's settings, url.<base>.insteadOf included, and nothing that the
  // repository's own configuration says about a remote is used.
  git_remote* made = nullptr;
  code = git_remote_create_anonymous(&made, repository.get(), settings.url.c_str());
  if (code < 0) return base::fail(library_error(code, "use the address", settings.url));
  const Remote remote(made);
  if (what == Fetch::kNothing) return ask(remote.get(), settings, alive);

  Conversation conversation{settings, alive};
  git_fetch_options options = options_for(conversation);
  options.download_tags = what == Fetch::kEverything ? GIT_REMOTE_DOWNLOAD_TAGS_ALL : GIT_REMOTE_DOWNLOAD_TAGS_AUTO;
  auto upstream = connect_and_choose(remote.get(), options, settings, alive);
  if (!upstream) return upstream;
  if (what == Fetch::kEverything || !already_here(repository.get(), *upstream)) {
    std::string branches = "+refs/heads/*:refs/remotes/origin/*";
    std::string tag = fmt::format("+refs/tags/{0}:refs/tags/{0}", upstream->name);
    std::vector<char*> names = {branches.data()};
    if (upstream->form == Upstream::Form::kTag) names.push_back(tag.data());
    const git_strarray refspecs = {names.data(), names.size()};
    code = git_remote_download(remote.get(), &refspecs, &options);
    if (code < 0) return base::fail(talking_error(code, "download from", settings));
    code = git_remote_update_tips(remote.get(), &options.callbacks, 0, options.download_tags, "fetch: podlaunch");
    if (code < 0) return base::fail(talking_error(code, "note what was downloaded from", settings));
    upstream->downloaded = true;
  }
  if (auto peeled = peel(repository.get(), settings, *upstream); !peeled) return base::fail(peeled.error());
  return *upstream;
}

}  // namespace checkout
