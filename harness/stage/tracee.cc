#include "harness/stage/tracee.h"

#include <elf.h>
#include <limits.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace stage {

bool read_memory(pid_t id, std::uint64_t address, void* into, std::size_t size) {
  iovec local{into, size};
  iovec remote{reinterpret_cast<void*>(address), size};
  return ::process_vm_readv(id, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

bool write_memory(pid_t id, std::uint64_t address, const void* from, std::size_t size) {
  iovec local{const_cast<void*>(from), size};
  iovec remote{reinterpret_cast<void*>(address), size};
  return ::process_vm_writev(id, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

std::optional<std::string> read_string(pid_t id, std::uint64_t address) {
  constexpr std::size_t kPage = 4096;
  std::string text;
  std::array<char, kPage> buffer;
  while (address != 0 && text.size() < PATH_MAX) {
    const std::size_t size = std::min<std::size_t>(kPage - address % kPage, 256);
    if (!read_memory(id, address, buffer.data(), size)) return std::nullopt;
    const void* end = std::memchr(buffer.data(), 0, size);
    if (end != nullptr) {
      return text.append(buffer.data(), static_cast<std::size_t>(static_cast<const char*>(end) - buffer.data()));
    }
    text.append(buffer.data(), size);
    address += size;
  }
  return std::nullopt;
}

bool get_registers(pid_t id, user_regs_struct& into) {
  return ::ptrace(PTRACE_GETREGS, id, nullptr, &into) == 0;
}

bool set_registers(pid_t id, const user_regs_struct& from) {
  return ::ptrace(PTRACE_SETREGS, id, nullptr, const_cast<user_regs_struct*>(&from)) == 0;
}

std::uint64_t argument(const user_regs_struct& registers, int n) {
  return argument(const_cast<user_regs_struct&>(registers), n);
}

unsigned long long& argument(user_regs_struct& registers, int n) {
  switch (n) {
    case 0:
      return registers.rdi;
    case 1:
      return registers.rsi;
    case 2:
      return registers.rdx;
    case 3:
      return registers.r10;
    case 4:
      return registers.r8;
    default:
      CHECK(n == 5);
      return registers.r9;
  }
}

bool hide_vdso(pid_t id) {
  user_regs_struct registers{};
  if (!get_registers(id, registers)) return false;
  // From the stack pointer up: argc, argv…, 0, envp…, 0, then pairs of (type, value) up to AT_NULL.
  constexpr std::size_t kWords = 512;
  std::array<std::uint64_t, kWords> words;
  std::uint64_t base = registers.rsp;
  std::size_t index = kWords;
  const auto next = [&]() -> std::optional<std::uint64_t> {
    if (index == kWords) {
      // The stack may end within the block: read page by page.
      const std::uint64_t room = (4096 - base % 4096) / 8;
      const std::size_t count = std::min<std::size_t>(kWords, room);
      index = kWords - count;
      if (!read_memory(id, base, words.data() + index, count * 8)) return std::nullopt;
      base += count * 8;
    }
    return words[index++];
  };
  if (!next()) return false;
  for (int zeros = 0; zeros < 2;) {
    const auto word = next();
    if (!word) return false;
    if (*word == 0) ++zeros;
  }
  while (true) {
    const auto type = next();
    const std::uint64_t type_address = base - (kWords - index + 1) * 8;
    const auto value = next();
    if (!type || !value) return false;
    if (*type == AT_NULL) return true;
    if (*type == AT_SYSINFO_EHDR) {
      const std::uint64_t ignore = AT_IGNORE;
      return write_memory(id, type_address, &ignore, sizeof ignore);
    }
  }
}

}  // namespace stage
