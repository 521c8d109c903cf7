#include "launcher/boot/phases/setup_stamps.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "launcher/base/files.h"
#include "launcher/base/glob.h"
#include "launcher/base/hash.h"
#include "launcher/boot/pointer.h"

namespace boot {

namespace fs = std::filesystem;

static const char* const kManifests[] = {
    "setup.py",         "setup.cfg",        "pyproject.toml", "requirements*.txt", "requirements/*.txt",
    "constraints*.txt", "uv.lock",          "poetry.lock",    "pdm.lock",          "Pipfile",
    "Pipfile.lock",     "environment.y*ml", "conda-lock.yml", "pylock.toml",       ".python-version"};

static std::string digest_of_manifests(const fs::path& checkout) {
  base::Hash hash;
  for (const char* pattern : kManifests) {
    for (const std::string& file : base::glob((checkout / pattern).string())) {
      const auto content = base::read_file(file);
      hash.add(file).add(content ? *content : content.error().message());
    }
  }
  return hash.hex();
}

// Which python a step would use: another image or environment is another place to install to.
static std::string interpreter(const config::Environment& environment) {
  std::string found;
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const auto value = environment.find(name); value != environment.end()) found += value->second + "\n";
  }
  const auto path = environment.find("PATH");
  std::string folders = path == environment.end() ? "/usr/local/bin:/usr/bin:/bin" : path->second;
  for (std::size_t start = 0; start <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', start), folders.size());
    for (const char* name : {"python3", "python"}) {
      std::error_code code;
      const fs::path real = fs::canonical(fs::path(folders.substr(start, end - start)) / name, code);
      if (!code) return found + real.string();
    }
    start = end + 1;
  }
  return found;
}

static std::string stamp_path(const config::Config& config, std::size_t index) {
  return fmt::format("{}/stamps/{}-{}", container_folder(), base::Hash().add(config.checkout.string()).hex(),
                     index + 1);
}

// A checkout that was cloned anew has lost what a step left in it: an egg-info, a virtual environment.
static std::string inode_of(const fs::path& folder) {
  struct stat status {};
  return ::stat(folder.c_str(), &status) == 0 ? std::to_string(status.st_ino) : "";
}

std::vector<std::string> setup_stamps(const config::Config& config, const config::Environment& environment) {
  base::Hash hash;
  hash.add(digest_of_manifests(config.checkout))
      .add(interpreter(environment))
      .add(config.checkout.string())
      .add(inode_of(config.checkout));
  for (const auto& [name, value] : config.environment) hash.add(name).add(value);
  std::vector<std::string> stamps;
  for (const std::string& step : config.setup) stamps.push_back(hash.add(step).hex());
  return stamps;
}

bool is_stamped(const config::Config& config, std::size_t index, const std::string& stamp) {
  const auto content = base::read_file(stamp_path(config, index), 256);
  return content && *content == stamp;
}

void write_stamp(const config::Config& config, std::size_t index, const std::string& stamp) {
  const std::string path = stamp_path(config, index);
  // Without a stamp the step is run once more next time; no more than that.
  if (base::make_folders(fs::path(path).parent_path().string())) (void)base::write_file_durably(path, stamp);
}

}  // namespace boot
