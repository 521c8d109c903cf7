#include "launcher/pod/own_code.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdio>
#include <sstream>
#include <string>

#include "launcher/base/files.h"

namespace pod {

void give_back_own_code(const Disks& disks) {
  (void)::malloc_trim(0);
  const auto maps = base::read_file("/proc/self/smaps", 4U << 20);
  if (!maps) return;
  std::istringstream lines(*maps);
  unsigned long begin = 0, end = 0;
  bool lies_in_container = false;
  for (std::string line; std::getline(lines, line);) {
    const bool is_figure = line.find(':') < line.find(' ');
    if (!is_figure) {
      // BEGIN-END permissions offset device inode PATH; lines of figures follow.
      int path_at = 0;
      (void)std::sscanf(line.c_str(), "%lx-%lx %*s %*s %*s %*s %n", &begin, &end, &path_at);
      const std::string path = line.substr(static_cast<std::size_t>(path_at));
      const Mount* mount = path.starts_with('/') ? disks.holding(path) : nullptr;
      lies_in_container = mount != nullptr && mount->path == "/";
    } else if (lies_in_container && line.starts_with("Anonymous: ") && line.ends_with(" 0 kB")) {
      (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
  }
}

}  // namespace pod
