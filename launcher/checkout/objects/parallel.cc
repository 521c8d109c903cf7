#include "launcher/checkout/objects/parallel.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace checkout {
namespace {

constexpr std::size_t kThreadsMax = 16;
constexpr std::size_t kBlocksPerThread = 64;  // small enough that nobody waits long for the last block

}  // namespace

void in_parallel(std::size_t count, const std::function<void(std::size_t)>& work) {
  const std::size_t processors = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kThreadsMax);
  const std::size_t block = std::max<std::size_t>(1, count / (processors * kBlocksPerThread));
  const std::size_t blocks = (count + block - 1) / block;
  std::atomic<std::size_t> next = 0;
  const auto drain = [&] {
    for (std::size_t i; (i = next.fetch_add(1)) < blocks;) {
      const std::size_t end = std::min(count, (i + 1) * block);
      for (std::size_t item = i * block; item < end; ++item) work(item);
    }
  };
  // Threads live until the work is done and are joined here; a refused thread only makes it slower.
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < std::min(blocks, processors); ++i) {
    try {
      threads.emplace_back(drain);
    } catch (const std::system_error&) {
      break;
    }
  }
  drain();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace checkout
