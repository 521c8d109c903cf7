// Calls that change a disk: told to the watcher before they are made, and after.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "harness/stage/stage.h"

namespace stage {

std::optional<unsigned long> descriptor_flags(pid_t id, int descriptor) {
  base::UniqueFd file(::open(fmt::format("/proc/{}/fdinfo/{}", id, descriptor).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 512> text{};
  if (!file.valid() || ::read(file.get(), text.data(), text.size() - 1) <= 0) return std::nullopt;
  const char* line = std::strstr(text.data(), "flags:");
  if (line == nullptr) return std::nullopt;
  return std::strtoul(line + 6, nullptr, 8);
}

// The folder of `path` with no link left in it, as the process sees it; its last component stays as it is.
static std::string without_links(pid_t process, const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return path;
  base::UniqueFd root(::open(fmt::format("/proc/{}/root", process).c_str(), O_PATH | O_CLOEXEC));
  if (!root.valid()) return path;
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | O_DIRECTORY;
  how.resolve = RESOLVE_IN_ROOT;
  const std::string folder = path.substr(0, slash);
  base::UniqueFd file(static_cast<int>(::syscall(SYS_openat2, root.get(), folder.c_str(), &how, sizeof how)));
  if (!file.valid()) return path;
  std::array<char, 4096> target;
  const ssize_t size = ::readlink(fmt::format("/proc/self/fd/{}", file.get()).c_str(), target.data(), target.size());
  if (size <= 0 || target[0] != '/') return path;
  const std::string resolved(target.data(), static_cast<std::size_t>(size));
  return (resolved == "/" ? "" : resolved) + path.substr(slash);
}

Change Stage::describe_change(const Thread& thread, const Syscall& syscall, const Call& call) const {
  const user_regs_struct& entry = call.entry;
  Change change{*thread.process, syscall, thread.id, entry, {}, {}, -1, false, false, false};
  if (syscall.use == Use::kOpen) {
    const auto flags = open_flags(thread.id, entry);
    change.creates = (flags & O_CREAT) != 0;
    change.truncates = (flags & O_TRUNC) != 0;
    change.opens_other = (flags & O_TMPFILE) == O_TMPFILE;
  }
  if (!call.path.empty()) {
    change.path = without_links(thread.process->id, call.path);
    if (!call.second_path.empty()) change.second_path = without_links(thread.process->id, call.second_path);
    if (entry.orig_rax == SYS_symlink || entry.orig_rax == SYS_symlinkat)
      change.second_path = read_string(thread.id, argument(entry, 0)).value_or("");
  } else if (syscall.folder_argument >= 0) {
    change.descriptor = static_cast<int>(argument(entry, syscall.folder_argument));
    change.path = name_of_descriptor(thread.id, change.descriptor);
  }
  return change;
}

// True when the call will not be made.
bool Stage::interpose(Thread& thread, const Change& change) {
  const Order order = watcher_.changing(change);
  if (std::holds_alternative<Killed>(order)) {
    thread.call.reset();
    return true;
  }
  if (const auto* fail = std::get_if<FailWith>(&order)) {
    const user_regs_struct entry = thread.call->entry;
    thread.call.reset();
    // A failing close has closed the descriptor all the same.
    if (entry.orig_rax == SYS_close) {
      thread.call.emplace().entry = entry;
      thread.call->path.clear();
      thread.call->forced_result = -fail->error;
      resume(thread, PTRACE_SYSCALL);
    } else {
      answer(thread, entry, -fail->error);
    }
    return true;
  }
  thread.call->watched = !std::holds_alternative<GoUnwatched>(order);
  if (const auto* shorten = std::get_if<Shorten>(&order)) {
    user_regs_struct registers = thread.call->entry;
    registers.rdx = shorten->bytes;
    thread.call->rewritten = set_registers(thread.id, registers);
  }
  return false;
}

static bool names_a_file(const Call& call) {
  return !call.path.empty() && call.path.front() == '/';
}

void Stage::enter_change(Thread& thread, const Syscall& syscall, const user_regs_struct& registers) {
  Call& call = thread.call.emplace();
  call.entry = registers;
  if (syscall.path_argument >= 0 && argument(registers, syscall.path_argument) != 0)
    call.path = path_of(thread.id, registers, syscall.folder_argument, syscall.path_argument);
  const Change change = describe_change(thread, syscall, call);
  const bool of_all = registers.orig_rax == SYS_sync;
  if (!of_all && !change.path.starts_with('/')) {  // a pipe, a socket, or nothing at all
    thread.call.reset();
    return resume(thread, PTRACE_CONT);
  }
  if (interpose(thread, change)) return;
  if (!thread.call->watched) {
    thread.call.reset();
    return resume(thread, PTRACE_CONT);
  }
  // The descriptor may name nothing any more when the call has returned.
  if (!names_a_file(*thread.call)) thread.call->descriptor_path = change.path;
  resume(thread, PTRACE_SYSCALL);
}

void Stage::leave_change(Thread& thread, const Syscall& syscall, const user_regs_struct& registers) {
  const Call& call = *thread.call;
  user_regs_struct restored = registers;
  if (call.forced_result != 0) {
    restored.rax = static_cast<unsigned long long>(call.forced_result);
    set_registers(thread.id, restored);
    return;
  }
  if (call.rewritten) {
    restored.rdx = call.entry.rdx;
    set_registers(thread.id, restored);
  }
  if (!call.watched) return;
  Change change = describe_change(thread, syscall, call);
  if (!call.descriptor_path.empty()) change.path = call.descriptor_path;
  watcher_.changed(change, static_cast<long>(registers.rax));
}

void Stage::forsake() {
  for (const auto& [id, thread] : threads_) {
    if (thread->call) drop_deadline(*thread->call);
    if (thread->restart) drop_deadline(*thread->restart);
    if (thread->socket_deadline) cancel(*thread->socket_deadline);
  }
  for (const auto& [id, process] : processes_) drop_timers(*process, /*also_alarm=*/true);
  for (const auto& [index, timer] : timer_descriptors_) {
    if (timer.armed) cancel(*timer.armed);
  }
  timer_descriptors_.clear();
  threads_.clear();
  processes_.clear();
  computed_.clear();
  stop_requested_ = false;
}

}  // namespace stage
