#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "harness/scenario/sections.h"

namespace scenario {

static DiskKind disk_kind(Reader& reader, const YAML::Node& node) {
  const std::string kind = reader.choice(node, disk_kind_names());
  if (kind == name(DiskKind::kContainer)) return DiskKind::kContainer;
  return kind == name(DiskKind::kNetworkVolume) ? DiskKind::kNetworkVolume : DiskKind::kVolume;
}

const Section<Disk>& disk_section() {
  static const Section<Disk> section{
      {"kind", [](Reader& reader, const YAML::Node& node, Disk& disk) { disk.kind = disk_kind(reader, node); }, true},
      {"size", [](Reader& reader, const YAML::Node& node, Disk& disk) { disk.size_bytes = reader.size(node); }},
  };
  return section;
}

static void check_disk(Reader& reader, const YAML::Node& node, const Disk& disk) {
  if (disk.mount_path.front() != '/') {
    reader.refuse(node, "is a disk whose mount path is not absolute");
  } else if ((disk.mount_path == "/") != (disk.kind == DiskKind::kContainer)) {
    reader.refuse(node, fmt::format("is a disk of kind {}", name(disk.kind)),
                  "The container disk, and only that, is mounted at \"/\".");
  } else if (disk.size_bytes == 0) {
    reader.refuse(node, "is a disk of no size");
  }
}

static void read_disks(Reader& reader, const YAML::Node& node, Pod& pod) {
  reader.each_entry(node, [&](const std::string& mount_path, const YAML::Node& value) {
    Disk disk;
    disk.mount_path = mount_path;
    if (value.IsScalar()) {
      disk.kind = disk_kind(reader, value);
    } else {
      read_section(reader, value, disk_section(), disk);
    }
    check_disk(reader, value, disk);
    pod.disks.push_back(disk);
  });
}

static void read_environment(Reader& reader, const YAML::Node& node, Pod& pod) {
  reader.each_entry(node, [&](const std::string& variable, const YAML::Node& value) {
    if (variable.empty() || variable.find('=') != std::string::npos) {
      reader.refuse(value, "is not a name for an environment variable");
    }
    pod.environment[variable] = reader.word(value);
  });
}

// What nvidia-smi counts in.
static int mebibytes(Reader& reader, const YAML::Node& node) {
  return static_cast<int>(std::min<std::uint64_t>(reader.size(node) >> 20, 1 << 30));
}

const Section<Pod>& gpus_section() {
  static const Section<Pod> section{
      {"count", [](Reader& reader, const YAML::Node& node, Pod& pod) { pod.gpus = reader.whole_number(node, 0); },
       true},
      {"model", [](Reader& reader, const YAML::Node& node, Pod& pod) { pod.gpu_model.name = reader.text(node); }},
      {"memory", [](Reader& reader, const YAML::Node& node,
                    Pod& pod) { pod.gpu_model.memory_mebibytes = mebibytes(reader, node); }},
      {"driver", [](Reader& reader, const YAML::Node& node, Pod& pod) { pod.gpu_model.driver = reader.word(node); }},
      {"nvidia-smi",
       [](Reader& reader, const YAML::Node& node, Pod& pod) { pod.gpu_model.nvidia_smi = reader.truth(node); }},
  };
  return section;
}

static void read_gpus(Reader& reader, const YAML::Node& node, Pod& pod) {
  if (node.IsMap()) return read_section(reader, node, gpus_section(), pod);
  pod.gpus = reader.whole_number(node, 0);
}

const Section<Pod>& pod_section() {
  static const Section<Pod> section{
      {"platform",
       [](Reader& reader, const YAML::Node& node, Pod& pod) { pod.platform = reader.choice(node, platform_names()); }},
      {"gpus", read_gpus},
      {"disks", read_disks},
      {"env", read_environment},
      {"restart-tick",
       [](Reader& reader, const YAML::Node& node, Pod& pod) { pod.restart_tick = reader.positive_duration(node); }},
  };
  return section;
}

static std::string folder_name(Reader& reader, const YAML::Node& node) {
  const std::string folder = reader.text(node);
  if (folder.empty() || folder.front() == '.' || folder.find('/') != std::string::npos) {
    reader.refuse(node, fmt::format("is \"{}\", but must be the name of a folder under fixtures/repositories", folder));
  }
  return folder;
}

static std::string branch_name(Reader& reader, const YAML::Node& node) {
  const std::string branch = reader.text(node);
  if (branch.empty() || branch.front() == '-' || branch.find_first_of(" ~^:?*[\\") != std::string::npos) {
    reader.refuse(node, fmt::format("is \"{}\", which cannot name a branch", branch));
  }
  return branch;
}

static std::string repository_url(Reader& reader, const YAML::Node& node) {
  const std::string url = reader.text(node);
  const std::string secure = "https://";
  const std::string plain = "http://";
  const std::size_t host = url.starts_with(secure) ? secure.size() : url.starts_with(plain) ? plain.size() : 0;
  const std::size_t path = host == 0 ? std::string::npos : url.find('/', host);
  if (path == std::string::npos || path == host || path + 1 == url.size()) {
    reader.refuse(node, fmt::format("is \"{}\"", url), "Write https://HOST/OWNER/NAME.git.");
  }
  return url;
}

const Section<Repository>& repository_section() {
  static const Section<Repository> section{
      {"fixture", [](Reader& reader, const YAML::Node& node,
                     Repository& repository) { repository.fixture = folder_name(reader, node); }},
      {"branch", [](Reader& reader, const YAML::Node& node,
                    Repository& repository) { repository.branch = branch_name(reader, node); }},
      {"url", [](Reader& reader, const YAML::Node& node,
                 Repository& repository) { repository.url = repository_url(reader, node); }},
  };
  return section;
}

const Section<Trainer>& trainer_section() {
  static const Section<Trainer> section{
      {"steps",
       [](Reader& reader, const YAML::Node& node, Trainer& trainer) { trainer.steps = reader.whole_number(node, 1); }},
      {"step-time",
       [](Reader& reader, const YAML::Node& node, Trainer& trainer) { trainer.step_time = reader.duration(node); }},
      {"checkpoint-every", [](Reader& reader, const YAML::Node& node,
                              Trainer& trainer) { trainer.checkpoint_every = reader.whole_number(node, 1); }},
      {"checkpoints", [](Reader& reader, const YAML::Node& node,
                         Trainer& trainer) { trainer.checkpoint_folder = reader.absolute_path(node); }},
  };
  return section;
}

const Section<Provider>& provider_section() {
  static const Section<Provider> section{
      {"key",
       [](Reader& reader, const YAML::Node& node, Provider& provider) {
         provider.key = reader.text(node);
         if (provider.key.empty()) reader.refuse(node, "is empty", "Leave it out for a key that works.");
       }},
  };
  return section;
}

const Section<InitialFile>& file_section() {
  static const Section<InitialFile> section{
      {"content", [](Reader& reader, const YAML::Node& node, InitialFile& file) { file.content = reader.text(node); },
       true},
      {"precious",
       [](Reader& reader, const YAML::Node& node, InitialFile& file) { file.precious = reader.truth(node); }},
  };
  return section;
}

void read_files(Reader& reader, const YAML::Node& node, std::vector<InitialFile>& files) {
  reader.each_entry(node, [&](const std::string& path, const YAML::Node& value) {
    InitialFile file;
    file.path = path;
    if (path.empty() || path.front() != '/') {
      reader.refuse(value, "must be an absolute path in the pod");
    } else if (std::filesystem::path(path).lexically_normal() != path || path.back() == '/') {
      reader.refuse(value, "is no plain path", "Write it without \".\", \"..\", \"//\" and a \"/\" at its end.");
    }
    if (value.IsScalar()) {
      file.content = reader.text(value);
    } else {
      read_section(reader, value, file_section(), file);
    }
    files.push_back(file);
  });
}

}  // namespace scenario
