// How long the proof of a loop takes, by the size of what each boot read.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "harness/oracle/promises.h"

namespace {

pod::WorldRecord loop_that_reads(std::int64_t paths) {
  pod::WorldRecord record;
  for (int number = 1; number <= 5; ++number) {
    pod::Boot boot;
    boot.number = number;
    boot.start = std::chrono::seconds(17 * number);
    boot.end = boot.start + std::chrono::seconds(2);
    boot.ended_by = pod::BootEnd::kOwnExit;
    for (std::int64_t i = 0; i < paths; ++i) {
      boot.trace.read_set.emplace(fmt::format("/workspace/AReaL/folder{}/file{}", i % 97, i),
                                  pod::ObservationKind::kContent);
    }
    boot.trace.changed = {"/workspace/AReaL/.git/logs/HEAD"};
    record.boots.push_back(boot);
  }
  return record;
}

void prove_a_loop(benchmark::State& state) {
  const auto record = loop_that_reads(state.range(0));
  const auto oracle = oracle::never_loops();
  for (auto iteration : state) {
    (void)iteration;
    const auto verdict = oracle.check({}, record);
    if (!verdict.proven) state.SkipWithError("the loop was not proven");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(prove_a_loop)->Arg(100)->Arg(10'000);

}  // namespace
