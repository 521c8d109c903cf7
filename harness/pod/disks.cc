#include "harness/pod/disks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "harness/pod/isolation.h"

namespace pod {

namespace fs = std::filesystem;

static constexpr std::uint64_t kContainerSize = 15ULL << 30;  // the incident's template

static base::Error filesystem_error(const std::error_code& code, std::string operation, const std::string& path) {
  return base::system_error(code.value(), std::move(operation), path);
}

static base::Result<void> make_folders(const std::string& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) return base::fail(filesystem_error(code, "create the folder", path));
  return {};
}

base::Result<void> place_file(const std::string& path, const std::string& content, unsigned mode) {
  if (auto made = make_folders(fs::path(path).parent_path()); !made) return made;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  if (!file || ::chmod(path.c_str(), mode) != 0) return base::fail(base::system_error(errno, "write", path));
  return {};
}

base::Result<Disks> Disks::mount_volumes(std::string folder, const std::vector<scenario::Disk>& disks,
                                         std::string image) {
  Disks result;
  result.folder_ = std::move(folder);
  result.image_ = std::move(image);
  for (std::size_t i = 0; i < disks.size(); ++i) {
    if (disks[i].kind == scenario::DiskKind::kContainer) continue;
    const std::string path = fmt::format("{}/volume-{}", result.folder_, i + 1);
    if (auto made = make_folders(path); !made) return base::fail(made.error());
    if (auto mounted = mount_tmpfs(path, disks[i].size_bytes); !mounted) return base::fail(mounted.error());
    result.volumes_.push_back({disks[i].mount_path, path, disks[i].kind});
  }
  // Outer mounts first, so that /workspace/outputs can lie within /workspace.
  std::ranges::sort(result.volumes_, {}, [](const DiskView& view) { return view.mount_path.size(); });
  return result;
}

base::Result<Disks> Disks::create(std::string folder, const std::vector<scenario::Disk>& disks, std::string image) {
  auto result = mount_volumes(std::move(folder), disks, std::move(image));
  if (!result) return result;
  if (auto done = result->renew_container(); !done) return base::fail(done.error());
  return result;
}

base::Result<Disks> Disks::create_empty(std::string folder, const std::vector<scenario::Disk>& disks,
                                        std::string image) {
  auto result = mount_volumes(std::move(folder), disks, std::move(image));
  if (!result) return result;
  if (auto done = result->mount_container(); !done) return base::fail(done.error());
  if (auto done = make_folders(result->container_root_); !done) return base::fail(done.error());
  if (auto done = result->lay_layers(/*with_places=*/false); !done) return base::fail(done.error());
  return result;
}

base::Result<void> Disks::mount_container() {
  if (!container_.empty()) ::umount2(container_.c_str(), MNT_DETACH);
  container_ = fmt::format("{}/container-{}", folder_, ++container_number_);
  container_root_ = container_ + "/root";
  if (auto made = make_folders(container_); !made) return made;
  return mount_tmpfs(container_, kContainerSize);
}

base::Result<void> Disks::renew_container() {
  if (auto mounted = mount_container(); !mounted) return mounted;
  return furnish_container();
}

// The host's configuration must not reach into the pod: /etc holds what programs need to start, and nothing else.
static base::Result<void> furnish_etc(const std::string& etc) {
  const std::pair<const char*, const char*> files[] = {
      {"passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
      {"group", "root:x:0:\nnogroup:x:65534:\n"},
      {"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"},
      {"hosts", "127.0.0.1 localhost\n::1 localhost\n"},
      {"shells", "/bin/sh\n/bin/bash\n"},
  };
  for (const auto& [name, content] : files) {
    if (auto placed = place_file(etc + "/" + name, content); !placed) return placed;
  }
  for (const char* name : {"ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "ssl/openssl.cnf",
                           "ssl/certs/ca-certificates.crt", "python3", "python3.11"}) {
    std::error_code ignored;  // an image without one of these does without it
    const fs::path to = fs::path(etc) / name;
    fs::create_directories(to.parent_path(), ignored);
    fs::copy(fs::path("/etc") / name, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks, ignored);
  }
  return {};
}

base::Result<void> Disks::furnish_container() {
  for (const char* name : {"dev", "home", "mnt", "proc", "root", "run", "srv", "sys", "tmp", "var/tmp", "var/log",
                           "var/lib", "var/cache"}) {
    if (auto made = make_folders(container_root_ + "/" + name); !made) return made;
  }
  ::chmod((container_root_ + "/tmp").c_str(), 01777);
  ::chmod((container_root_ + "/var/tmp").c_str(), 01777);
  if (auto done = furnish_etc(container_root_ + "/etc"); !done) return done;
  if (auto done = lay_layers(/*with_places=*/true); !done) return done;
  for (const DiskView& volume : volumes_) {
    if (auto made = make_folders(host_path(fs::path(volume.mount_path).parent_path())); !made) return made;
    if (auto made = make_folders(container_root_ + volume.mount_path); !made) return made;
    if (auto made = make_folders(host_path(volume.mount_path)); !made) return made;
  }
  return {};
}

base::Result<void> Disks::lay_layers(bool with_places) {
  layers_.clear();
  for (const std::string name : {"usr", "bin", "sbin", "lib", "lib32", "lib64", "opt"}) {
    const std::string lower = "/" + name;
    const std::string place = container_root_ + "/" + name;
    std::error_code code;
    const auto status = fs::symlink_status(lower, code);
    if (fs::is_symlink(status)) {
      if (!with_places) continue;
      fs::copy_symlink(lower, place, code);
      if (code) return base::fail(filesystem_error(code, "link", place));
    } else if (fs::is_directory(status)) {
      Layer layer{name, lower, container_ + "/upper/" + name, container_ + "/overlay/" + name,
                  image_.empty() ? std::string() : image_ + lower};
      for (const auto& folder : {layer.upper, layer.work, with_places ? place : layer.work}) {
        if (auto made = make_folders(folder); !made) return made;
      }
      layers_.push_back(std::move(layer));
    }
  }
  return {};
}

static bool lies_in(const std::string& path, const std::string& folder) {
  return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

std::string Disks::host_path(const std::string& path) const {
  for (auto volume = volumes_.rbegin(); volume != volumes_.rend(); ++volume) {
    if (lies_in(path, volume->mount_path)) return volume->host_path + path.substr(volume->mount_path.size());
  }
  for (const Layer& layer : layers_) {
    if (lies_in(path, layer.lower)) return layer.upper + path.substr(layer.lower.size());
  }
  return path == "/" ? container_root_ : container_root_ + path;
}

scenario::DiskKind Disks::kind_of(const std::string& path) const {
  for (auto volume = volumes_.rbegin(); volume != volumes_.rend(); ++volume) {
    if (lies_in(path, volume->mount_path)) return volume->kind;
  }
  return scenario::DiskKind::kContainer;
}

std::vector<DiskView> Disks::views() const {
  std::vector<DiskView> views{{"/", container_root_, scenario::DiskKind::kContainer}};
  for (const Layer& layer : layers_) views.push_back({layer.lower, layer.upper, scenario::DiskKind::kContainer});
  views.insert(views.end(), volumes_.begin(), volumes_.end());
  return views;
}

}  // namespace pod
