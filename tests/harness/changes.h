// Changes of names and bytes as the op log has them, for tests that make their own. All names lie in the root folder,
// node 1.
#pragma once

#include <sys/stat.h>

#include <string>

#include "harness/sweep/op_log.h"

namespace sweep {

inline Op change(OpKind kind, NodeId node) {
  Op op;
  op.kind = kind;
  op.node = node;
  return op;
}

inline Op creation(NodeId node, const std::string& name) {
  Op op = change(OpKind::kAppear, node);
  op.place = {1, name};
  op.made.mode = S_IFREG | 0644;
  op.made.content = empty_content();
  return op;
}

inline Op writing(NodeId node, const std::string& bytes, std::uint64_t offset) {
  Op op = change(OpKind::kWrite, node);
  op.offset = offset;
  op.bytes = bytes;
  return op;
}

inline Op linking(NodeId node, const std::string& name) {
  Op op = change(OpKind::kLink, node);
  op.place = {1, name};
  return op;
}

inline Op renaming(const Image& now, const std::string& from, const std::string& to) {
  Op op = change(OpKind::kRename, now.look_up(Place{1, from}));
  op.place = {1, from};
  op.second = {1, to};
  op.replaced = now.look_up(op.second);
  return op;
}

inline Op removal(const Image& now, const std::string& name) {
  Op op = change(OpKind::kRemove, now.look_up(Place{1, name}));
  op.place = {1, name};
  return op;
}

}  // namespace sweep
