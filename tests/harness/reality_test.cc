// The persistence models against real file systems: a small tree on a loop-mounted image is changed, the image is
// copied while it is mounted, as a power cut would leave it, and the copy is mounted by itself. What it then holds must
// be among what the model of that file system leaves of the same changes.
//
// The seeds draw the changes, and whether the file system gets the time for a commit of its own. Each file has its
// bytes changed once at most between two fsyncs: of several such changes the models leave all, none or half, and say
// so.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "harness/sweep/persistence.h"
#include "tests/harness/changes.h"

namespace sweep {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNames[] = {"a", "b", "c", "d"};
// What stands under each name; nothing where there is none.
using Tree = std::map<std::string, std::string>;

std::string read_all(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string shown(const Tree& tree) {
  std::string text;
  for (const auto& [name, bytes] : tree) {
    text += name + "=\"";
    for (const char c : bytes) text += c == 0 ? '0' : c;
    text += "\" ";
  }
  return text;
}

int run(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str());
}

struct FileSystem {
  ModelKind model;
  std::string type;
  std::string make;  // the command that makes one in an image
  std::uintmax_t size;
  int seeds;
  int seeds_slow;
};

const FileSystem kExt4{ModelKind::kExt4Ordered, "ext4", "mkfs.ext4 -q -F", 8 << 20, 10, 300};
const FileSystem kBtrfs{ModelKind::kBtrfs, "btrfs", "mkfs.btrfs -q -f -m single -d single", 112 << 20, 4, 100};

class Reality : public testing::TestWithParam<FileSystem> {
 protected:
  void SetUp() override {
    char path[] = "/tmp/reality-XXXXXX";
    folder_ = mkdtemp(path);
    std::ofstream(image_file()).close();
    fs::resize_file(image_file(), GetParam().size);
    fs::create_directory(folder_ / "disk");
    fs::create_directory(folder_ / "after");
    if (run(GetParam().make + " " + image_file().string()) != 0) GTEST_SKIP() << "no " << GetParam().make;
    if (!mount_image(image_file(), folder_ / "disk")) GTEST_SKIP() << "images cannot be mounted here";
    if (!copy_is_another_disk()) GTEST_SKIP() << "a copy cannot be mounted beside its image here (btrfs: Linux 6.7)";
  }
  void TearDown() override {
    umount2((folder_ / "after").c_str(), MNT_DETACH);
    umount2((folder_ / "disk").c_str(), MNT_DETACH);
    fs::remove_all(folder_);
  }

  fs::path image_file() const { return folder_ / "image"; }
  fs::path at(const std::string& name) const { return folder_ / "disk" / "tree" / name; }
  bool mount_image(const fs::path& image, const fs::path& where) const {
    return run("mount -o loop,commit=1 -t " + GetParam().type + " " + image.string() + " " + where.string()) == 0;
  }

  bool copy_is_another_disk() const {
    if (!cut() || !mount_image(folder_ / "copy", folder_ / "after")) return false;
    struct stat copy {};
    struct stat image {};
    stat((folder_ / "after").c_str(), &copy);
    stat((folder_ / "disk").c_str(), &image);
    umount((folder_ / "after").c_str());
    return copy.st_dev != image.st_dev;
  }

  // A new tree that is durable, and models that know it.
  void begin() {
    fs::remove_all(at(""));
    fs::create_directory(at(""));
    now_ = Image();
    Node root;
    root.mode = S_IFDIR | 0755;
    now_.put(1, root);
    now_.add_root("/", 1);
    last_ = 1;
    unsynced_.clear();
    steps_.clear();
    lossless_.reset();
    model_.reset();
    create("a");
    create("c");
    sync();
    lossless_.emplace(ModelKind::kProcessKill, now_);
    model_.emplace(GetParam().model, now_);
    steps_.clear();
  }

  void note(Op op) {
    op.disk = "/";
    apply(op, now_);
    if (model_) model_->note(op, now_);
    if (lossless_) lossless_->note(op, now_);
  }
  NodeId node(const std::string& name) const { return now_.look_up("/" + name); }
  std::string some_bytes() {
    std::string text;
    for (int i = 0; i < 6; ++i) text += static_cast<char>('a' + random_() % 26);
    return text;
  }

  void write(const std::string& name, int flags, std::uint64_t offset, const std::string& bytes) {
    const int fd = open(at(name).c_str(), O_WRONLY | O_CREAT | flags, 0644);
    ASSERT_GE(fd, 0) << name;
    EXPECT_EQ(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)), static_cast<ssize_t>(bytes.size()));
    close(fd);
    const NodeId file = node(name);
    if ((flags & O_TRUNC) != 0) note(change(OpKind::kTruncate, file));
    note(writing(file, bytes, offset));
    note(change(OpKind::kClose, file));
    unsynced_.insert(file);
  }
  void rewrite(const std::string& name, int flags, std::uint64_t offset, const std::string& said) {
    write(name, flags, offset, some_bytes());
    steps_ += said + name + "; ";
  }
  void create(const std::string& name) {
    note(creation(++last_, name));
    rewrite(name, O_EXCL, 0, "create ");
  }
  void rename(const std::string& from, const std::string& to) {
    fs::rename(at(from), at(to));
    note(renaming(now_, from, to));
    steps_ += "rename " + from + " " + to + "; ";
  }
  void link(const std::string& from, const std::string& to) {
    fs::create_hard_link(at(from), at(to));
    note(linking(node(from), to));
    steps_ += "link " + from + " " + to + "; ";
  }
  void remove(const std::string& name) {
    fs::remove(at(name));
    note(removal(now_, name));
    steps_ += "remove " + name + "; ";
  }
  void sync_of(const std::string& name) {
    const int fd = open(at(name).c_str(), O_RDONLY);
    ASSERT_EQ(fsync(fd), 0);
    close(fd);
    const NodeId synced = name.empty() ? 1 : node(name);
    note(change(OpKind::kSync, synced));
    unsynced_.erase(synced);
    steps_ += "fsync " + (name.empty() ? "the folder" : name) + "; ";
  }
  void sync() {
    const int fd = open(at("").c_str(), O_RDONLY);
    ASSERT_EQ(syncfs(fd), 0);
    close(fd);
    note(change(OpKind::kSyncDisk, 0));
    unsynced_.clear();
  }

  void one_step() {
    const std::string name = kNames[random_() % 4];
    const std::string other = kNames[random_() % 4];
    if (node(name) == 0) return create(name);
    const bool may_write = !unsynced_.contains(node(name));
    const std::size_t size = now_.find(node(name))->content->bytes.size();
    switch (random_() % 9) {
      case 0:
      case 1:
        if (node(other) != node(name)) rename(name, other);
        return;
      case 2:
        return remove(name);
      case 3:
        if (node(other) == 0) link(name, other);
        return;
      case 4:
        return sync_of(name);
      case 5:
        return sync_of("");
      case 6:
        if (may_write) rewrite(name, O_TRUNC, 0, "truncate and write ");
        return;
      case 7:
        if (may_write) rewrite(name, 0, 0, "overwrite ");
        return;
      case 8:
        if (may_write) rewrite(name, 0, size, "append to ");
        return;
    }
  }

  // The image as it is at one moment. A copy takes a while, in which the kernel may write; two that agree had none.
  bool cut() const {
    for (int attempt = 0; attempt < 100; ++attempt) {
      const auto copy_to = [&](const char* to) {
        return run("cp --sparse=always " + image_file().string() + " " + (folder_ / to).string()) == 0;
      };
      if (!copy_to("copy") || !copy_to("again")) return false;
      if (run("cmp " + (folder_ / "copy").string() + " " + (folder_ / "again").string()) == 0) return true;
    }
    return false;
  }
  std::optional<Tree> after_the_cut() const {
    if (!cut() || !mount_image(folder_ / "copy", folder_ / "after")) return std::nullopt;
    Tree tree;
    for (const char* name : kNames) {
      const fs::path path = folder_ / "after" / "tree" / name;
      if (fs::exists(path)) tree[name] = read_all(path);
    }
    umount((folder_ / "after").c_str());
    return tree;
  }
  std::set<Tree> allowed(const PersistenceModel& model) const {
    std::set<Tree> result;
    for (const Image& image : model.images(now_, /*fresh=*/0, /*seed=*/1, /*exhaustive_max=*/1e6).images) {
      Tree tree;
      for (const char* name : kNames) {
        const Node* file = image.find(image.look_up("/" + std::string(name)));
        if (file != nullptr) tree[name] = file->content->bytes;
      }
      result.insert(tree);
    }
    return result;
  }

  fs::path folder_;
  std::mt19937 random_;
  Image now_;
  std::optional<PersistenceModel> model_;
  std::optional<PersistenceModel> lossless_;
  NodeId last_ = 1;
  std::set<NodeId> unsynced_;  // files whose bytes have changed since their last fsync
  std::string steps_;
};

TEST_P(Reality, WhatACutLeavesIsAmongWhatTheModelAllows) {
  const int seeds = std::getenv("PODLAUNCH_SLOW_TESTS") != nullptr ? GetParam().seeds_slow : GetParam().seeds;
  int lossy = 0;
  for (int seed = 0; seed < seeds; ++seed) {
    random_.seed(static_cast<unsigned>(seed));
    begin();
    for (int step = 0; step < 6; ++step) one_step();
    // Every fifth time the file system commits by itself first.
    if (seed % 5 == 4) std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 1600));
    const auto left = after_the_cut();
    ASSERT_TRUE(left) << "the image cannot be copied and mounted";
    const std::set<Tree> expected = allowed(*model_);
    std::string all;
    for (const Tree& tree : expected) all += "\n  " + shown(tree);
    EXPECT_TRUE(expected.contains(*left))
        << "seed " << seed << ": " << steps_ << "\nleft " << shown(*left) << "\nthe model leaves" << all;
    if (!allowed(*lossless_).contains(*left)) ++lossy;
  }
  // Cuts that cost nothing would show nothing, and a model that loses nothing must be refuted.
  EXPECT_GE(lossy, seeds / 4);
  RecordProperty("lossy", lossy);
}

INSTANTIATE_TEST_SUITE_P(On, Reality, testing::Values(kExt4, kBtrfs),
                         [](const auto& file_system) { return file_system.param.type; });

}  // namespace
}  // namespace sweep
