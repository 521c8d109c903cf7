// A remote, a checkout and git itself as the witness, in a temporary folder.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "launcher/checkout/checkout.h"

namespace checkout {

namespace fs = std::filesystem;

inline void write_file(const fs::path& path, const std::string& contents) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << contents;
}

inline std::string read_text(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

struct Said {
  int status = 0;
  std::string output;
};

inline Said shell(const std::string& command) {
  Said said;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
    said.output.append(buffer.data(), got);
  said.status = ::pclose(pipe);
  return said;
}

class World {
 public:
  World() {
    std::string pattern = (fs::temp_directory_path() / "podlaunch-test-XXXXXX").string();
    root = ::mkdtemp(pattern.data());
    home = shared_home();
    write_file(home / ".gitconfig",
               "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n"
               "\tallow = always\n[gc]\n\tauto = 0\n[advice]\n\tdetachedHead = false\n[safe]\n\tdirectory = *\n");
    ::setenv("HOME", home.c_str(), 1);
    remote = root / "remote.git";
    author = root / "author";
    path = root / "disk" / "project";
    fs::create_directories(path.parent_path());
    must("git init -q --bare -b DL4Math " + remote.string() + " && git init -q -b DL4Math " + author.string());
    write_file(author / "train.py", "print('step')\n");
    write_file(author / "examples/run.sh", "#!/bin/sh\necho run\n");
    write_file(author / "README.md", "# project\n");
    must("cd " + author.string() +
         " && git add train.py && git commit -qm first && git add examples && git commit -qm second && git add -A && "
         "git commit -qm third && git push -q " +
         remote.string() + " HEAD:DL4Math");
  }
  ~World() {
    if (::testing::Test::HasFailure()) {
      std::fprintf(stderr, "kept for a look: %s\n", root.c_str());
      return;
    }
    (void)std::system(("chmod -R u+rwX " + root.string() + "; rm -rf " + root.string()).c_str());
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // libgit2 asks for $HOME once a process.
  static const fs::path& shared_home() {
    static const fs::path folder = [] {
      std::string pattern = (fs::temp_directory_path() / "podlaunch-test-home-XXXXXX").string();
      const fs::path made = ::mkdtemp(pattern.data());
      std::atexit([] { fs::remove_all(std::getenv("HOME")); });
      return made;
    }();
    return folder;
  }
  static std::string must(const std::string& command) {
    const Said said = shell(command);
    EXPECT_EQ(said.status, 0) << command << "\n" << said.output;
    return said.output;
  }
  std::string git(const std::string& arguments) const { return must("git -C " + path.string() + " " + arguments); }
  std::string commit_upstream(const std::string& file, const std::string& contents, const std::string& message) const {
    write_file(author / file, contents);
    const std::string at = "git -C " + author.string() + " ";
    must(at + "add -A && " + at + "commit -qm '" + message + "' && " + at + "push -q " + remote.string() +
         " HEAD:DL4Math");
    return tip();
  }
  std::string tip() const { return trimmed(must("git -C " + author.string() + " rev-parse HEAD")); }
  std::string head() const { return trimmed(git("rev-parse HEAD")); }
  std::string fsck() const {
    return shell("git -C " + path.string() + " fsck --full --no-progress --no-dangling").output;
  }
  bool fsck_is_clean() const { return shell("git -C " + path.string() + " fsck --full --no-progress").status == 0; }
  static std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
  }

  Request request() const {
    Request request;
    request.url = "file://" + remote.string();
    request.ref = "DL4Math";
    request.path = path;
    request.network_attempts = 1;
    return request;
  }
  void go_offline() const { fs::rename(remote, remote.string() + ".gone"); }
  void go_online() const { fs::rename(remote.string() + ".gone", remote); }

  fs::path quarantine() const { return private_folder_of(path) / "quarantine"; }
  // Do these bytes lie in any file there?
  static bool holds(const fs::path& folder, const std::string& bytes) {
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->is_regular_file() && read_text(entry->path()).find(bytes) != std::string::npos) return true;
    }
    return false;
  }

  fs::path root;
  fs::path home;
  fs::path remote;
  fs::path author;
  fs::path path;
};

inline bool slow_tests() {
  return std::getenv("PODLAUNCH_SLOW_TESTS") != nullptr;
}

inline Outcome must_bring_up(const Request& request) {
  const auto outcome = bring_up(request);
  EXPECT_TRUE(outcome.has_value()) << (outcome ? "" : outcome.error().message());
  return outcome.value_or(Outcome());
}

inline std::string all_of(const Outcome& outcome) {
  return to_json(base::Result<Outcome>(outcome));
}

}  // namespace checkout
