#include "launcher/boot/nodes.h"

#include <fmt/format.h>

#include "launcher/base/files.h"
#include "launcher/base/helper.h"
#include "launcher/boot/boot.h"
#include "launcher/config/torchrun.h"

namespace boot {

namespace fs = std::filesystem;

static constexpr base::Seconds kLookTakesAtMost{20};

static config::Cluster cluster_in(const config::Environment& environment) {
  return config::cluster_of(environment).value_or(config::Cluster{});
}

fs::path folder_of_node(const fs::path& run, const config::Environment& environment) {
  const config::Cluster cluster = cluster_in(environment);
  return cluster.rank == 0 ? run : run / fmt::format("node-{}", cluster.rank);
}

static fs::path word_of(const Boot& boot, int rank) {
  return boot.state / boot.run / "nodes" / std::to_string(rank);
}

void tell_other_nodes(Boot& boot, const std::string& trouble) {
  const config::Cluster cluster = cluster_in(boot.environment);
  if (cluster.alone()) return;
  const fs::path path = word_of(boot, cluster.rank);
  const std::string word = trouble.empty() ? "" : fmt::format("on pod {} is held: {}", boot.identity.pod, trouble);
  // Word that does not get through is missed by people alone.
  (void)base::call_helper(boot.waiter, "tell the other nodes", kLookTakesAtMost, [&] {
    if (!base::make_folders(path.parent_path().string())) return std::string();
    (void)base::write_file_durably(path.string(), word);
    return std::string();
  });
}

std::string trouble_of_other_nodes(Boot& boot) {
  const config::Cluster cluster = cluster_in(boot.environment);
  if (cluster.alone()) return {};
  const auto answer = base::call_helper(boot.waiter, "look at the other nodes", kLookTakesAtMost, [&] {
    for (int rank = 0; rank < cluster.nodes; ++rank) {
      if (rank == cluster.rank) continue;
      const auto word = base::read_file(word_of(boot, rank).string(), 4096);
      if (word && !word->empty()) return fmt::format("node {} {}", rank, *word);
    }
    return std::string();
  });
  return answer.value_or("");
}

}  // namespace boot
