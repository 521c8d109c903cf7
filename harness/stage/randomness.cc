// What the kernel draws for a program is drawn here, from a seed: which process of the tree it is and how often it
// asked decide what it gets. Two plays of one scenario then make the same choices (pauses before a retry, names of
// temporary files, seeds of hash tables), and two boots of one play do not. Devices (/dev/urandom) and the processor's
// own instructions are out of reach.
#include <sys/ptrace.h>

#include <vector>

#include "base/random.h"
#include "harness/stage/stage.h"

namespace stage {

// FNV-1a: std::hash promises nothing from one build to the next.
static std::uint64_t digest(std::string_view text) {
  std::uint64_t result = 0xcbf29ce484222325;
  for (const char letter : text) {
    result = (result ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  }
  return result;
}

void Stage::seed_randomness(std::uint64_t seed) {
  random_seed_ = seed;
  processes_that_drew_.clear();
}

void Stage::enter_random(Thread& thread, const user_regs_struct& registers) {
  constexpr std::uint64_t kBytesMax = 4096;  // programs ask for a few; who asks for more gets the kernel's
  const std::uint64_t size = argument(registers, 1);
  Process& process = *thread.process;
  if (process.troupe != Troupe::kPod || size > kBytesMax) return resume(thread, PTRACE_CONT);
  if (process.draws == 0) {
    const int ordinal = processes_that_drew_[process.spawn_path]++;
    process.random_seed =
        base::Random(random_seed_ ^ digest(process.spawn_path)).next() + static_cast<unsigned>(ordinal);
  }
  base::Random random(process.random_seed + (process.draws++ << 32));
  std::vector<char> bytes;
  while (bytes.size() < size) {
    const std::uint64_t drawn = random.next();
    for (std::size_t i = 0; i < sizeof drawn && bytes.size() < size; ++i) {
      bytes.push_back(static_cast<char>(drawn >> (8 * i)));
    }
  }
  if (!write_memory(thread.id, argument(registers, 0), bytes.data(), bytes.size())) return resume(thread, PTRACE_CONT);
  answer(thread, registers, static_cast<long>(size));
}

}  // namespace stage
