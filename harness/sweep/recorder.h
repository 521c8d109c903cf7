// Watches one play and keeps what a sweep needs of it: every fault point, numbered, and the forward op log with which
// the disks' image at each of them can be built. The image is kept up beside the real disks, change by change, and
// compared with them whenever nothing runs; a difference means that something changed the disks that the stage did not
// see, and nothing that follows from the log can be vouched for then.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/pod/world/world.h"
#include "harness/sweep/fault_address.h"
#include "harness/sweep/host_files.h"
#include "harness/sweep/op_log.h"

namespace sweep {

struct Point {
  Address address;
  long syscall = 0;
  std::uint64_t bytes = 0;     // for write and pwrite64: how many
  std::string disk;            // mount path
  bool failed = false;         // the call failed by itself: nothing to break here
  bool done = false;           // it was seen to return
  std::size_t ops_before = 0;  // length of the log when the call was made
  std::size_t ops_after = 0;   // and when it had returned
};

class Recorder : public pod::PointWatcher {
 public:
  struct Ears {
    std::function<void(int boot)> boot_begins;                 // disks and log stand as the boot finds them
    std::function<void(std::size_t point, bool after)> point;  // about to be made, or returned
    std::function<void(const pod::NetworkUse& use)> asked;     // not a moment to fork at
  };
  explicit Recorder(Ears ears) : ears_(std::move(ears)) {}
  // Before the play; the world outlives the recorder's use.
  void attend(const pod::World& world) { world_ = &world; }

  void boot_begins(int boot) override;
  void disks_touched() override;
  stage::Order changing(const stage::Change& change) override;
  void changed(const stage::Change& change, long result) override;
  void boot_ended(int boot) override;
  void asked(const pod::NetworkUse& use) override {
    if (ears_.asked) ears_.asked(use);
  }
  // Compares for the last time.
  void finish();

  const std::vector<Point>& points() const { return points_; }
  const std::vector<Op>& ops() const { return ops_; }
  const Image& base() const { return base_; }
  const Image& image() const { return image_; }
  const std::set<std::string>& not_covered() const { return not_covered_; }

 private:
  std::string host(const std::string& path) const { return world_->disks().host_path(path); }
  void add(Op op);
  void settle_folders(const std::string& path);
  void refresh(const std::string& path, const std::string& why);
  void refresh_node(NodeId id, const std::string& path, const std::string& host_path, const std::string& why);
  void note_appearance(const std::string& path, const std::string& why, bool external);
  void note_opened(const stage::Change& change);
  void note_renamed(const stage::Change& change);
  void note_linked(const stage::Change& change);
  void note_removed(const stage::Change& change);
  void note_dressed(const stage::Change& change);
  void note_synced(const stage::Change& change);
  void note_mapped(const stage::Change& change);
  void look_at_mappings();
  void resynchronise();
  void compare(const std::string& when);

  Ears ears_;
  const pod::World* world_ = nullptr;
  std::optional<PointFinder> finder_;
  HostReader reader_;
  Image base_;
  Image image_;
  std::vector<Op> ops_;
  std::vector<Point> points_;
  std::map<pid_t, std::size_t> under_way_;  // by thread: its point
  std::map<NodeId, std::string> mapped_;    // files that a program can write without a call, and where they lie
  std::set<std::string> not_covered_;
};

}  // namespace sweep
