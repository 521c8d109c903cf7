#include "harness/sweep/persistence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/harness/changes.h"

namespace sweep {
namespace {

// A disk with an empty root folder, and the calls of a program on it.
class Persistence : public testing::Test {
 protected:
  Persistence() {
    Node root;
    root.mode = S_IFDIR | 0755;
    now_.put(1, root);
    now_.add_root("/", 1);
  }

  void watch() {
    for (const ModelKind kind : kAllModels) models_.emplace_back(kind, now_);
  }
  void note(Op op) {
    op.disk = "/";
    apply(op, now_);
    for (auto& model : models_) model.note(op, now_);
  }
  NodeId create(const std::string& name, const std::string& bytes = "") {
    note(creation(++last_, name));
    if (!bytes.empty()) write(last_, bytes);
    return last_;
  }
  void write(NodeId node, const std::string& bytes, std::uint64_t offset = 0) { note(writing(node, bytes, offset)); }
  void truncate(NodeId node) { call(OpKind::kTruncate, node); }
  void call(OpKind kind, NodeId node) { note(change(kind, node)); }
  void rename(const std::string& from, const std::string& to) { note(renaming(now_, from, to)); }
  void link(NodeId node, const std::string& name) { note(linking(node, name)); }
  void remove(const std::string& name) { note(removal(now_, name)); }

  // What may stand under a name after a cut, over all images that the model leaves; "-" where nothing does.
  std::set<std::string> left(ModelKind kind, const std::string& name) {
    std::set<std::string> result;
    for (const auto& model : models_) {
      if (model.kind() != kind) continue;
      for (std::uint64_t seed = 0; seed < 40; ++seed) {
        for (const Image& image : model.images(now_, /*fresh=*/0, seed).images) {
          const Node* node = image.find(image.look_up("/" + name));
          result.insert(node == nullptr ? "-" : node->content->bytes);
        }
      }
    }
    return result;
  }

  Image now_;
  std::vector<PersistenceModel> models_;
  NodeId last_ = 1;
};

using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::UnorderedElementsAre;

const std::string kZeros(4, '\0');

TEST_F(Persistence, ProcessKillLosesNothing) {
  watch();
  create("a", "new!");
  EXPECT_THAT(left(ModelKind::kProcessKill, "a"), ElementsAre("new!"));
}

TEST_F(Persistence, ANewFileThatWasNeverSyncedMayBeEmptyZerosTornOrAbsent) {
  watch();
  create("a", "new!");
  EXPECT_THAT(left(ModelKind::kExt4Ordered, "a"), UnorderedElementsAre("-", "", kZeros, "ne", "new!"));
  EXPECT_THAT(left(ModelKind::kReorderAll, "a"), Contains(kZeros));
  EXPECT_THAT(left(ModelKind::kBtrfs, "a"), UnorderedElementsAre("-", "", "ne", "new!"));
}

TEST_F(Persistence, FsyncKeepsBytesAndInJournalsAlsoTheName) {
  watch();
  const NodeId file = create("a", "new!");
  call(OpKind::kSync, file);
  EXPECT_THAT(left(ModelKind::kExt4Ordered, "a"), ElementsAre("new!"));
  EXPECT_THAT(left(ModelKind::kBtrfs, "a"), ElementsAre("new!"));
  EXPECT_THAT(left(ModelKind::kReorderAll, "a"), UnorderedElementsAre("-", "new!"));
  call(OpKind::kSync, 1);
  EXPECT_THAT(left(ModelKind::kReorderAll, "a"), ElementsAre("new!"));
}

TEST_F(Persistence, ARenameMakesNoBytesCertain) {
  create("a", "old!");
  watch();
  create("b", "new!");
  rename("b", "a");
  EXPECT_THAT(left(ModelKind::kExt4Ordered, "a"), UnorderedElementsAre("old!", "", kZeros, "ne", "new!"));
  EXPECT_THAT(left(ModelKind::kBtrfs, "a"), UnorderedElementsAre("old!", "", "ne", "new!"));
  EXPECT_THAT(left(ModelKind::kReorderAll, "a"), Contains(""));  // what a skipped fsync costs
}

TEST_F(Persistence, RenameOfASyncedFileLeavesTheOldOneOrTheNew) {
  create("a", "old!");
  watch();
  call(OpKind::kSync, create("b", "new!"));
  rename("b", "a");
  EXPECT_THAT(left(ModelKind::kExt4Ordered, "a"), UnorderedElementsAre("old!", "new!"));
  EXPECT_THAT(left(ModelKind::kBtrfs, "a"), UnorderedElementsAre("old!", "new!"));
}

TEST_F(Persistence, ExtKeepsNamesInOrder) {
  create("a", "1");
  watch();
  remove("a");
  create("b");
  for (const auto& model : models_) {
    bool b_before_a_went = false;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      for (const Image& image : model.images(now_, 0, seed).images)
        b_before_a_went = b_before_a_went || (image.look_up("/a") != 0 && image.look_up("/b") != 0);
    }
    const bool reorders = model.kind() == ModelKind::kBtrfs || model.kind() == ModelKind::kReorderAll;
    EXPECT_EQ(b_before_a_went, reorders) << name(model.kind());
  }
}

TEST_F(Persistence, OnExtAnFsyncOfWhatIsCommittedCommitsNothingMore) {
  const NodeId file = create("a", "old!");
  watch();
  rename("a", "b");
  call(OpKind::kSync, 1);
  create("c");
  call(OpKind::kSync, file);
  EXPECT_THAT(left(ModelKind::kExt4Ordered, "b"), ElementsAre("old!"));
  EXPECT_THAT(left(ModelKind::kExt4Ordered, "c"), UnorderedElementsAre("-", ""));
}

TEST_F(Persistence, AnAppendAfterAnFsyncMayHaveATailOfZeros) {
  const NodeId file = create("a", "old!");
  watch();
  write(file, "more", 4);
  EXPECT_THAT(left(ModelKind::kExt4Ordered, "a"), UnorderedElementsAre("old!", "old!" + kZeros, "old!mo", "old!more"));
}

TEST_F(Persistence, AFileThatIsTruncatedAndWrittenAgainMayBeEmptyAlsoWhenItIsClosed) {
  const NodeId file = create("a", "old!");
  watch();
  truncate(file);
  write(file, "new!");
  EXPECT_THAT(left(ModelKind::kNetworkVolume, "a"), UnorderedElementsAre("old!", "", "ne", "new!"));
  call(OpKind::kClose, file);
  EXPECT_THAT(left(ModelKind::kExt4Ordered, "a"), UnorderedElementsAre("old!", "", kZeros, "ne", "new!"));
  EXPECT_THAT(left(ModelKind::kReorderAll, "a"), UnorderedElementsAre("old!", "", kZeros, "ne", "new!"));
  EXPECT_THAT(left(ModelKind::kBtrfs, "a"), UnorderedElementsAre("old!", "", "ne", "new!"));
  EXPECT_THAT(left(ModelKind::kNetworkVolume, "a"), ElementsAre("new!"));
}

TEST_F(Persistence, ANetworkVolumeKeepsNamesAtOnceAndBytesAtClose) {
  watch();
  const NodeId file = create("a", "new!");
  EXPECT_THAT(left(ModelKind::kNetworkVolume, "a"), UnorderedElementsAre("", "ne", "new!"));
  call(OpKind::kClose, file);
  EXPECT_THAT(left(ModelKind::kNetworkVolume, "a"), ElementsAre("new!"));
}

TEST_F(Persistence, WhatCutsLeaveIsTheSameForTheSameSeed) {
  watch();
  for (const char* name : {"a", "b", "c", "d"}) create(name, "new!");
  for (const auto& model : models_) {
    const auto digests = [&] {
      std::vector<std::uint64_t> result;
      for (const Image& image : model.images(now_, 1, 7).images) result.push_back(image.digest());
      return result;
    };
    EXPECT_EQ(digests(), digests());
  }
}

TEST_F(Persistence, TheNewestChangeIsAlwaysAmongWhatSurvives) {
  watch();
  create("a");
  create("b");
  for (const auto& model : models_) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      for (const Image& image : model.images(now_, 1, seed).images) EXPECT_NE(image.look_up("/b"), 0U);
    }
  }
}

// libgit2 links an index that is new and renames over one that is there.
TEST_F(Persistence, AnEarlierChangeOfANameDoesNotComeBackOnceALaterOneIsSynced) {
  watch();
  link(create("lock", "one!"), "index");
  remove("lock");
  create("lock", "two!");
  rename("lock", "index");
  const NodeId last = create("lock", "new!");
  rename("lock", "index");
  call(OpKind::kSync, last);
  EXPECT_THAT(left(ModelKind::kBtrfs, "index"), ElementsAre("new!"));
  call(OpKind::kSync, 1);
  EXPECT_THAT(left(ModelKind::kBtrfs, "index"), ElementsAre("new!"));
  EXPECT_THAT(left(ModelKind::kReorderAll, "index"), ElementsAre("new!"));
  EXPECT_THAT(left(ModelKind::kBtrfs, "lock"), ElementsAre("-"));
}

}  // namespace
}  // namespace sweep
