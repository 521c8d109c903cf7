#include "harness/oracle/repository.h"

#include <stdlib.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <system_error>

#include "harness/oracle/git_witness.h"
#include "harness/oracle/pod_files.h"

// Git refuses to open a repository that lacks HEAD, and `git rev-list --all` gives up at the first broken reference.
// Work in such a repository is not lost: a person with patience would find it. So nothing is asked of the repository
// itself. A bare side repository is made that borrows its objects, and every object name that stands anywhere in HEAD,
// refs/, packed-refs or, where those count, logs/ is a starting point for a walk there; the index adds what is staged.
// When the walk from all of them fails, because an object in between is missing, each starting point is walked alone.

namespace oracle {

namespace fs = std::filesystem;

namespace {

// A repository in a temporary folder that owns nothing; it ends with this object.
class SideRepository {
 public:
  static base::Result<SideRepository> borrowing_from(const fs::path& git_folder) {
    std::string name = (fs::temp_directory_path() / "simrun-witness-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return base::fail(base::system_error(errno, "make the folder", name));
    SideRepository side{fs::path(name)};
    const auto made = ask_git({{"init", "--quiet", "--bare", name}, "", {}});
    if (!made) return base::fail(made.error());
    std::ofstream(side.path_ / "objects/info/alternates") << (git_folder / "objects").string() << '\n';
    return side;
  }
  const fs::path& path() const { return path_; }
  SideRepository(SideRepository&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  SideRepository& operator=(SideRepository&&) = delete;
  ~SideRepository() {
    std::error_code ignored;  // a folder that is left in /tmp is the least of anybody's problems
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  base::Result<GitAnswer> ask(std::vector<std::string> arguments, std::string input,
                              std::map<std::string, std::string> environment = {}) const {
    arguments.insert(arguments.begin(), "--git-dir=" + path_.string());
    return ask_git({std::move(arguments), std::move(input), std::move(environment)});
  }

 private:
  explicit SideRepository(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

void add_object_names(const fs::path& file, std::set<std::string>& names) {
  static const std::regex object_name("\\b[0-9a-f]{40}\\b");
  const auto content = read_file(file).value_or("");
  for (std::sregex_iterator match(content.begin(), content.end(), object_name), end; match != end; ++match) {
    if (match->str().find_first_not_of('0') != std::string::npos) names.insert(match->str());
  }
}

std::set<std::string> starting_points(const fs::path& git_folder, Reflogs reflogs) {
  std::set<std::string> names;
  std::error_code error;
  std::vector<std::string> files{"HEAD", "packed-refs", "MERGE_HEAD", "logs/refs/stash"};
  std::vector<std::string> folders{"refs"};
  if (reflogs == Reflogs::kCount) {
    files.emplace_back("ORIG_HEAD");
    folders.emplace_back("logs");
  }
  for (const auto& file : files) add_object_names(git_folder / file, names);
  for (const auto& folder : folders) {
    for (fs::recursive_directory_iterator entry(git_folder / folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->is_regular_file(error)) add_object_names(entry->path(), names);
    }
  }
  return names;
}

std::string lines(const std::set<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += word + '\n';
  return text;
}

// Adds the first word of every line, which is an object name in all that is asked here.
void add_first_words(const std::string& text, std::set<std::string>& words) {
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) words.insert(line.substr(0, line.find(' ')));
}

base::Result<std::set<std::string>> reachable_objects(const SideRepository& side,
                                                      const std::set<std::string>& starting_points) {
  const std::vector<std::string> walk = {"rev-list", "--objects", "--ignore-missing", "--missing=allow-any", "--stdin"};
  std::set<std::string> objects;
  const auto together = side.ask(walk, lines(starting_points));
  if (!together) return base::fail(together.error());
  add_first_words(together->output, objects);
  if (together->exit_code == 0) return objects;
  for (const auto& point : starting_points) {
    const auto alone = side.ask(walk, point + '\n');
    if (!alone) return base::fail(alone.error());
    add_first_words(alone->output, objects);
  }
  return objects;
}

// "<mode> <object> <stage>\t<path>" a line.
void add_staged_objects(const SideRepository& side, const fs::path& index, std::set<std::string>& objects) {
  std::error_code error;
  if (!fs::exists(index, error)) return;
  const auto entries = side.ask({"ls-files", "--stage"}, "", {{"GIT_INDEX_FILE", index.string()}});
  if (!entries || entries->exit_code != 0) return;  // an index that git cannot read stages nothing
  std::istringstream stream(entries->output);
  for (std::string mode, object, rest; stream >> mode >> object && std::getline(stream, rest);) objects.insert(object);
}

// From "<object> <type> <size>" lines, the blobs that are large enough.
std::set<std::string> large_blobs(const std::string& answers, std::size_t size_min) {
  std::set<std::string> blobs;
  std::istringstream stream(answers);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string object;
    std::string type;
    std::size_t size = 0;
    if (words >> object >> type >> size && type == "blob" && size >= size_min) blobs.insert(object);
  }
  return blobs;
}

// The output of cat-file --batch: "<object> <type> <size>\n<content>\n", or "<object> missing\n".
void visit_batch(const std::string& output, const std::function<void(const std::string&)>& visit) {
  std::size_t at = 0;
  while (at < output.size()) {
    const auto end_of_header = output.find('\n', at);
    if (end_of_header == std::string::npos) return;
    const auto header = std::string_view(output).substr(at, end_of_header - at);
    at = end_of_header + 1;
    const auto size_text = header.substr(header.rfind(' ') + 1);
    std::size_t size = 0;
    if (std::from_chars(size_text.data(), size_text.data() + size_text.size(), size).ec != std::errc{}) continue;
    visit(output.substr(at, size));
    at += size + 1;
  }
}

}  // namespace

bool looks_like_git_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder / "objects", error)) return false;
  const auto has = [&](const char* name) { return fs::exists(folder / name, error); };
  return folder.filename() == ".git" || has("HEAD") || has("refs") || has("packed-refs");
}

base::Result<void> visit_reachable_blobs(const fs::path& git_folder, Reflogs reflogs, std::size_t size_min,
                                         const std::function<void(const std::string&)>& visit) {
  const auto side = SideRepository::borrowing_from(git_folder);
  if (!side) return base::fail(side.error());
  auto objects = reachable_objects(*side, starting_points(git_folder, reflogs));
  if (!objects) return base::fail(objects.error());
  add_staged_objects(*side, git_folder / "index", *objects);

  const auto sizes = side->ask({"cat-file", "--batch-check"}, lines(*objects));
  if (!sizes) return base::fail(sizes.error());
  // One at a time: a damaged object ends a whole batch.
  const auto blobs = large_blobs(sizes->output, size_min);
  const auto contents = side->ask({"cat-file", "--batch"}, lines(blobs));
  if (!contents) return base::fail(contents.error());
  visit_batch(contents->output, visit);
  if (contents->exit_code == 0) return {};
  for (const auto& blob : blobs) {
    const auto content = side->ask({"cat-file", "--batch"}, blob + '\n');
    if (!content) return base::fail(content.error());
    if (content->exit_code == 0) visit_batch(content->output, visit);
  }
  return {};
}

bool looks_like_bundle(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string line;
  return std::getline(stream, line) && line.starts_with("# v") && line.ends_with(" git bundle");
}

base::Result<void> visit_bundled_blobs(const fs::path& bundle, const fs::path& upstream, std::size_t size_min,
                                       const std::function<void(const std::string&)>& visit) {
  const auto side = SideRepository::borrowing_from(upstream);
  if (!side) return base::fail(side.error());
  // Git takes a bundle only where what it builds on is reachable.
  for (const auto& [source, names] :
       {std::pair{upstream, "+refs/*:refs/upstream/*"}, {bundle, "+refs/*:refs/bundle/*"}}) {
    const auto fetched = side->ask({"fetch", "--quiet", "--no-tags", source.string(), names}, "");
    if (!fetched) return base::fail(fetched.error());
    if (fetched->exit_code != 0) {
      return base::fail({base::ErrorCode::kDamaged, "fetch from the bundle", bundle.string(), 0, fetched->errors, ""});
    }
  }
  return visit_reachable_blobs(side->path(), Reflogs::kCount, size_min, visit);
}

}  // namespace oracle
