#include "harness/services/git_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <httplib.h>
#include <unistd.h>

#include <memory>
#include <regex>
#include <string>

#include "base/unique_fd.h"
#include "harness/services/answer_digest.h"
#include "harness/services/git_backend.h"
#include "harness/services/http_service.h"

namespace services {

static constexpr int kExitFailure = 1;

using HttpServer = Adopting<httplib::Server>;

// What the log tells of an answer, besides its body's digest.
struct Told {
  std::string method;
  std::string target;
  int status = 0;
};

// An answer while it is sent.
struct Answer {
  explicit Answer(GitBackend started)
      : backend(std::move(started)), digest(content_type() == "application/x-git-upload-pack-result") {}
  std::string content_type() const {
    const auto header = backend.headers().find("Content-Type");
    return header == backend.headers().end() ? "text/plain" : header->second;
  }

  GitBackend backend;
  AnswerDigest digest;
  bool complete = false;
};

class Front {
 public:
  Front(std::filesystem::path root, base::UniqueFd log) : root_(std::move(root)), log_(std::move(log)) {}

  void install(HttpServer& server) {
    server.Get(".*",
               [this](const httplib::Request& request, httplib::Response& response) { answer(request, {}, response); });
    server.Post(
        ".*", [this](const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& read) {
          std::string body;  // the library has undone chunks and compression
          const bool whole = read([&](const char* data, std::size_t size) {
            body.append(data, size);
            return true;
          });
          if (whole) answer(request, std::move(body), response);
        });
  }

 private:
  void answer(const httplib::Request& request, std::string body, httplib::Response& response) {
    const std::size_t question = request.target.find('?');
    auto backend = GitBackend::start({.root = root_,
                                      .method = request.method,
                                      .path = repository_path(request.path),
                                      .query = question == std::string::npos ? "" : request.target.substr(question + 1),
                                      .content_type = request.get_header_value("Content-Type"),
                                      .protocol = request.get_header_value("Git-Protocol"),
                                      .body = std::move(body)});
    if (!backend) {
      response.status = 500;
      response.set_content(backend.error().message() + "\n", "text/plain");
      write_log({request.method, request.target, 500}, "-");
      return;
    }
    pass_on(request, std::make_shared<Answer>(std::move(*backend)), response);
  }

  void pass_on(const httplib::Request& request, const std::shared_ptr<Answer>& answer, httplib::Response& response) {
    response.status = answer->backend.status();
    for (const auto& [name, value] : answer->backend.headers()) {
      // The length is not needed where chunks are sent.
      if (name != "Content-Type" && name != "Content-Length") response.set_header(name, value);
    }
    const Told told{request.method, request.target, response.status};
    response.set_chunked_content_provider(
        answer->content_type(),
        [this, answer, told](std::size_t, httplib::DataSink& sink) {
          const std::string part = answer->backend.read_body();
          answer->digest.add(part);
          if (!part.empty()) return sink.write(part.data(), part.size());
          // Before the body's end goes out: once the client has it, the log must have its line.
          write_log(told, answer->digest.finish());
          answer->complete = true;
          sink.done();
          return true;
        },
        [this, answer, told](bool) {
          if (!answer->complete) write_log(told, "incomplete");
        });
  }

  // The public hosts know a repository with and without ".git".
  std::string repository_path(const std::string& path) const {
    static const std::regex parts("(/.+?)(/info/refs|/git-upload-pack|/git-receive-pack|/HEAD|/objects/.*)");
    std::smatch match;
    if (!std::regex_match(path, match, parts)) return path;
    const std::string with_suffix = match.str(1) + ".git";
    std::error_code ignored;  // what cannot be looked at is not there
    const bool short_form = !std::filesystem::is_directory(root_ / match.str(1).substr(1), ignored) &&
                            std::filesystem::is_directory(root_ / with_suffix.substr(1), ignored);
    return short_form ? with_suffix + match.str(2) : path;
  }

  void write_log(const Told& told, const std::string& digest) {
    const std::string line = fmt::format("{} {} {} {}\n", told.method, told.target, told.status, digest);
    (void)!::write(log_.get(), line.data(), line.size());  // there is nobody to tell
  }

  std::filesystem::path root_;
  base::UniqueFd log_;
};

static int give_up(const std::string& what) {
  fmt::print(stderr, "git server: {}\n", what);
  return kExitFailure;
}

int run_git_server(const GitServer& server) {
  base::UniqueFd log(::open(server.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log.valid()) return give_up(base::system_error(errno, "open the log", server.log).message());
  Front front(server.root, std::move(log));

  constexpr int kStallSeconds = 300;
  HttpServer http;
  front.install(http);
  serve_one_at_a_time(http, server.descriptor, kStallSeconds);
  return give_up("the listening socket has failed");
}

}  // namespace services
