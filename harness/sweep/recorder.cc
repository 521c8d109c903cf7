#include "harness/sweep/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "harness/stage/stage.h"

namespace sweep {

void Recorder::boot_begins(int boot) {
  if (!finder_) {
    finder_.emplace(world_->disks());
    base_ = image_ = read_disks(world_->disks(), reader_);
  } else {
    resynchronise();
  }
  finder_->boot_begins(boot);
  mapped_.clear();
  if (ears_.boot_begins) ears_.boot_begins(boot);
}

void Recorder::disks_touched() {
  if (finder_) resynchronise();
}

void Recorder::boot_ended(int boot) {
  under_way_.clear();
  look_at_mappings();
  mapped_.clear();
  compare(fmt::format("at the end of boot {}", boot));
}

void Recorder::finish() {
  look_at_mappings();
  compare("at the end");
}

void Recorder::compare(const std::string& when) {
  const Image real = read_disks(world_->disks(), reader_, &image_);
  if (const auto difference = image_.difference(real))
    not_covered_.insert(fmt::format("a change that no call shows, found {}: {}", when, *difference));
}

// What the timeline or the platform did to the disks. It is not the pod's, and so never lost.
void Recorder::resynchronise() {
  const Image real = read_disks(world_->disks(), reader_, &image_);
  if (!image_.difference(real)) return;
  // As one step that replaces each tree: what was there keeps its nodes.
  for (const auto& [mount, root] : real.roots()) {
    std::vector<NodeId> pending{root};
    while (!pending.empty()) {
      const NodeId id = pending.back();
      pending.pop_back();
      const Node* node = real.find(id);
      const Node* ours = image_.find(id);
      for (const auto& [name, child] : node->names) pending.push_back(child);
      if (ours != nullptr && ours->mode == node->mode && ours->content == node->content && ours->names == node->names &&
          ours->attributes == node->attributes)
        continue;
      Op op;
      op.kind = OpKind::kReplace;
      op.disk = mount;
      op.node = id;
      op.made = *node;
      op.external = true;
      op.text = "the world changes " + mount;
      add(std::move(op));
    }
    // A new container disk has a root of its own.
    if (image_.roots().at(mount) != root) {
      Op op;
      op.kind = OpKind::kMount;
      op.disk = mount;
      op.node = root;
      op.external = true;
      op.text = "a new disk at " + mount;
      add(std::move(op));
    }
  }
}

void Recorder::add(Op op) {
  apply(op, image_);
  ops_.push_back(std::move(op));
}

stage::Order Recorder::changing(const stage::Change& change) {
  if (!finder_ || !finder_->on_disk(change)) return stage::GoUnwatched{};
  look_at_mappings();
  const auto address = finder_->find(change);
  if (address) {
    Point point;
    point.address = *address;
    point.syscall = change.syscall.number;
    point.disk = image_.root_of(change.path);
    if (point.syscall == SYS_write || point.syscall == SYS_pwrite64) point.bytes = stage::argument(change.entry, 2);
    point.ops_before = point.ops_after = ops_.size();
    points_.push_back(point);
    under_way_[change.thread] = points_.size() - 1;
    if (ears_.point) ears_.point(points_.size() - 1, /*after=*/false);
  }
  return stage::GoOn{};
}

void Recorder::changed(const stage::Change& change, long result) {
  look_at_mappings();
  using stage::Use;
  if (result >= 0) {
    switch (change.syscall.use) {
      case Use::kOpen:
        note_opened(change);
        break;
      case Use::kRename:
        note_renamed(change);
        break;
      case Use::kCreate:
        note_linked(change);
        break;
      case Use::kRemove:
        note_removed(change);
        break;
      default:
        switch (change.syscall.number) {
          case SYS_fsync:
          case SYS_fdatasync:
          case SYS_syncfs:
          case SYS_sync:
          case SYS_close:
            note_synced(change);
            break;
          case SYS_sync_file_range:
            break;
          case SYS_mmap:
            note_mapped(change);
            break;
          case SYS_write:
          case SYS_pwrite64:
          case SYS_writev:
          case SYS_pwritev:
          case SYS_pwritev2:
          case SYS_sendfile:
          case SYS_copy_file_range:
          case SYS_splice:
          case SYS_ftruncate:
          case SYS_truncate:
          case SYS_fallocate:
          case SYS_ioctl:
            refresh(change.path, std::string(change.syscall.name));
            break;
          default:
            note_dressed(change);
        }
    }
  }
  const auto found = under_way_.find(change.thread);
  if (found == under_way_.end()) return;
  const std::size_t index = found->second;
  under_way_.erase(found);
  points_[index].failed = result < 0;
  points_[index].done = true;
  points_[index].ops_after = ops_.size();
  if (ears_.point) ears_.point(index, /*after=*/true);
}

// Layers of the image copy a folder up before something changes in it.
void Recorder::settle_folders(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    if (image_.look_up(folder) == 0) note_appearance(folder, "copied up", /*external=*/true);
  }
}

void Recorder::note_appearance(const std::string& path, const std::string& why, bool external) {
  const auto place = image_.place_of(path);
  const auto node = reader_.read(host(path));
  if (!place || !node) return;
  Op op;
  op.kind = OpKind::kAppear;
  op.disk = image_.root_of(path);
  op.node = reader_.number(host(path));
  op.place = *place;
  op.made = *node;
  op.modified = node->modified;
  op.external = external;
  op.text = why + " " + path;
  add(std::move(op));
}

void Recorder::refresh(const std::string& path, const std::string& why) {
  settle_folders(path);
  const NodeId id = image_.look_up(path);
  if (id == 0) return note_appearance(path, why, /*external=*/false);
  refresh_node(id, path, host(path), why);
}

void Recorder::refresh_node(NodeId id, const std::string& path, const std::string& host_path, const std::string& why) {
  const auto now = reader_.read(host_path);
  const Node* known = image_.find(id);
  if (!now || known == nullptr || !now->content) return;
  const std::string& after = now->content->bytes;
  const std::string before = known->content ? known->content->bytes : std::string();
  Op op;
  op.disk = image_.root_of(path);
  op.node = id;
  op.modified = now->modified;
  if (after.size() < before.size()) {
    op.kind = OpKind::kTruncate;
    op.size = after.size();
    op.text = fmt::format("{} {} to {} bytes", why, path, after.size());
    add(op);
  }
  const std::string& left = image_.find(id)->content ? image_.find(id)->content->bytes : before;
  if (after == left) return;
  std::size_t first = 0;
  while (first < left.size() && first < after.size() && left[first] == after[first]) ++first;
  std::size_t end = after.size();
  if (after.size() == left.size()) {
    while (end > first && left[end - 1] == after[end - 1]) --end;
  }
  op.kind = OpKind::kWrite;
  op.offset = first;
  op.bytes = after.substr(first, end - first);
  op.text = fmt::format("{} {} bytes at {} of {}", why, op.bytes.size(), first, path);
  add(std::move(op));
}

void Recorder::note_opened(const stage::Change& change) {
  if (change.opens_other) {
    not_covered_.insert("an anonymous file in " + change.path);
    return;
  }
  struct stat status {};
  if (::lstat(host(change.path).c_str(), &status) != 0) return;  // a file of the image, opened for reading
  if (!S_ISREG(status.st_mode)) return;
  settle_folders(change.path);
  if (image_.look_up(change.path) == 0) {
    note_appearance(change.path, std::string(change.syscall.name), /*external=*/false);
  } else if (change.truncates) {
    refresh(change.path, "open with O_TRUNC");
  }
}

void Recorder::note_linked(const stage::Change& change) {
  settle_folders(change.path);
  const NodeId id = reader_.number(host(change.path));
  // A number alone does not tell a second name from a new file: a new disk may have the numbers of one that has gone.
  const bool links = change.syscall.number == SYS_link || change.syscall.number == SYS_linkat;
  if (!links || image_.find(id) == nullptr)
    return note_appearance(change.path, std::string(change.syscall.name), /*external=*/false);
  const auto place = image_.place_of(change.path);
  if (!place || image_.look_up(*place) == id) return;
  Op op;
  op.kind = OpKind::kLink;
  op.disk = image_.root_of(change.path);
  op.node = id;
  op.place = *place;
  op.text = fmt::format("link {} -> {}", change.second_path, change.path);
  add(std::move(op));
}

void Recorder::note_renamed(const stage::Change& change) {
  settle_folders(change.path);
  settle_folders(change.second_path);
  const auto from = image_.place_of(change.path);
  const auto to = image_.place_of(change.second_path);
  const bool exchanges = change.syscall.number == SYS_renameat2 && (stage::argument(change.entry, 4) & 2U) != 0;
  if (exchanges || !from || !to || image_.look_up(*from) == 0) {
    if (exchanges) not_covered_.insert("an exchange of " + change.path + " and " + change.second_path);
    return resynchronise();
  }
  Op op;
  op.kind = OpKind::kRename;
  op.disk = image_.root_of(change.second_path);
  op.node = image_.look_up(*from);
  op.place = *from;
  op.second = *to;
  op.replaced = image_.look_up(*to);
  op.text = fmt::format("rename {} -> {}", change.path, change.second_path);
  add(std::move(op));
  // A layer leaves a mark where a file of the image was.
  if (reader_.number(host(change.path)) != 0) note_appearance(change.path, "whiteout", /*external=*/false);
}

void Recorder::note_removed(const stage::Change& change) {
  settle_folders(change.path);
  const auto place = image_.place_of(change.path);
  if (!place) return;
  if (const NodeId id = image_.look_up(*place)) {
    Op op;
    op.kind = OpKind::kRemove;
    op.disk = image_.root_of(change.path);
    op.node = id;
    op.place = *place;
    op.text = fmt::format("{} {}", change.syscall.name, change.path);
    add(std::move(op));
  }
  if (reader_.number(host(change.path)) != 0) note_appearance(change.path, "whiteout", /*external=*/false);
}

void Recorder::note_dressed(const stage::Change& change) {
  settle_folders(change.path);
  const NodeId id = image_.look_up(change.path);
  const auto now = reader_.read(host(change.path));
  if (!now) return;
  if (id == 0) return note_appearance(change.path, std::string(change.syscall.name), /*external=*/false);
  Op op;
  op.kind = OpKind::kDress;
  op.disk = image_.root_of(change.path);
  op.node = id;
  op.made = *now;
  op.made.content.reset();
  op.made.names.clear();
  op.text = fmt::format("{} {}", change.syscall.name, change.path);
  add(std::move(op));
}

void Recorder::note_synced(const stage::Change& change) {
  const long number = change.syscall.number;
  Op op;
  op.kind = number == SYS_close                          ? OpKind::kClose
            : number == SYS_sync || number == SYS_syncfs ? OpKind::kSyncDisk
                                                         : OpKind::kSync;
  if (number != SYS_sync) op.disk = image_.root_of(change.path);
  if (op.kind != OpKind::kSyncDisk) {
    op.node = image_.look_up(change.path);
    if (op.node == 0) return;  // a file of the image
    if (op.kind == OpKind::kClose && !image_.find(op.node)->is_file()) return;
  }
  op.text = fmt::format("{} {}", change.syscall.name, change.path);
  add(std::move(op));
}

void Recorder::note_mapped(const stage::Change& change) {
  const auto flags = stage::descriptor_flags(change.process.id, change.descriptor);
  if (flags && (*flags & O_ACCMODE) == O_RDONLY) return;
  settle_folders(change.path);
  if (const NodeId id = image_.look_up(change.path)) mapped_[id] = change.path;
}

void Recorder::look_at_mappings() {
  for (auto it = mapped_.begin(); it != mapped_.end();) {
    auto& [id, path] = *it;
    if (image_.look_up(path) != id) {
      auto moved = image_.path_of(id);
      if (!moved) {  // no name is left: nothing of it outlasts the program
        it = mapped_.erase(it);
        continue;
      }
      path = std::move(*moved);
    }
    // A call that moves it has been made and is not noted yet: the next look finds it.
    if (reader_.number(host(path)) == id) refresh_node(id, path, host(path), "through a mapping:");
    ++it;
  }
}

}  // namespace sweep
