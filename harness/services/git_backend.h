// One run of git's http-backend: a CGI program that answers one request.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace services {

struct GitRequest {
  std::filesystem::path root;
  std::string method;
  std::string path;  // decoded
  std::string query;
  std::string content_type;
  std::string protocol;  // the Git-Protocol header
  std::string body;      // not compressed
};

class GitBackend {
 public:
  // Starts the program and reads its answer up to the body. Errors: kSystem when it cannot be started, kDamaged when it
  // ends without an answer.
  static base::Result<GitBackend> start(const GitRequest& request);

  GitBackend(GitBackend&& other) noexcept;
  GitBackend& operator=(GitBackend&&) = delete;
  ~GitBackend();  // ends the program if it still runs

  int status() const { return status_; }
  const std::map<std::string, std::string>& headers() const { return headers_; }  // without Status
  // The next part of the body; empty at its end.
  std::string read_body();

 private:
  GitBackend(pid_t process, base::UniqueFd output) : process_(process), output_(std::move(output)) {}
  bool read_headers();
  void take_header(const std::string& line);

  pid_t process_ = -1;
  base::UniqueFd output_;
  int status_ = 200;
  std::map<std::string, std::string> headers_;
  std::string pending_;  // read beyond the headers
};

}  // namespace services
