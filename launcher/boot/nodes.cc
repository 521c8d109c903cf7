// Nodes that train together, and what they tell each other.
//
// torchrun waits for a node that does not come, and the bill of all others goes on. So a node that is held makes the
// others hold as well; and since all may work in one checkout, node 0 alone changes it, and the others wait for its
// word. Word is a file per node, `<state>/<run>/nodes/RANK`, replaced as a whole. The rules:
//
//   * Word counts for as long as its launcher has that node's lease. One that was killed, stopped or replaced is no
//   longer
//     believed: at once where the lease was handed back or taken over, else when it has been silent for its terms.
//   * That the checkout is there is believed of a launcher that was seen to renew its lease while we looked: after all
//     nodes were killed together, the old word and the old lease still agree until node 0 is back.
//   * Whether the nodes share the checkout nobody has to say: node 0 signs it, on the checkout's own disk. Who finds no
//     such signature beside its own has one of its own, and brings it up itself.
//   * Nor is word believed of a checkout that has been deleted since: who needs it waits for node 0 to begin again.
//   * A node is held of itself, or because of another. Only the former makes others hold, so the release of the one
//     that is held of itself releases all; and two of them cannot hold each other.
//   * Every wait has a bound, at whose end stands a hold with a remedy, which looks again once a minute.
//
// An attempt that ends because another node is held counts as preempted, so a node that comes and goes is bounded by
// the preemption limits of the policy. What this does not do: a node that changes the checkout again, after a hold of
// its own, does not end the attempts of others; those end by themselves when node 0 has left their rendezvous.
#include "launcher/boot/nodes.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "launcher/base/files.h"
#include "launcher/base/helper.h"
#include "launcher/boot/boot.h"
#include "launcher/config/torchrun.h"

namespace boot {

namespace fs = std::filesystem;
using nlohmann::json;

static constexpr base::Seconds kLookTakesAtMost{20};

// --- What is known of them -----------------------------------------------------------------------------------------

static bool is_of_holder(const NodeSight& sight) {
  return !sight.lease.released && !sight.word_boot.empty() && sight.word_boot == sight.lease.holder.boot;
}

void Nodes::see(int rank, const NodeSight& sight, base::TimePoint now) {
  const auto [place, is_new] = peers_.try_emplace(rank);
  Peer& peer = place->second;
  const bool changed = !is_new && !sight.lease.same_beat(peer.sight.lease);
  if (changed && !sight.lease.released) peer.beating_boot = sight.lease.holder.boot;
  if (changed || is_new) peer.changed = now;
  peer.silent = peer.patience.exhausted(sight.lease, now);
  peer.sight = sight;
  const bool held = is_of_holder(sight) && !peer.silent && !sight.word.held.empty() && sight.word.of_itself;
  if (!held) peer.held_since.reset();
  if (held && !peer.held_since) peer.held_since = now;
}

std::optional<Nodes::Held> Nodes::held(base::TimePoint now) const {
  for (const auto& [rank, peer] : peers_) {
    if (!peer.held_since) continue;
    const NodeSight& sight = peer.sight;
    return Held{.rank = rank,
                .text = fmt::format("node {} on pod {} is held: {}", rank, sight.lease.holder.pod, sight.word.held),
                .lasting = std::chrono::duration_cast<base::Seconds>(now - *peer.held_since)};
  }
  return std::nullopt;
}

std::optional<NodeSight> Nodes::checkout_word() const {
  const auto found = peers_.find(0);
  if (found == peers_.end()) return std::nullopt;
  const Peer& first = found->second;
  const bool believed = is_of_holder(first.sight) && !first.silent && first.beating_boot == first.sight.word_boot;
  if (!believed || first.sight.word.commit.empty()) return std::nullopt;
  return first.sight;
}

base::TimePoint Nodes::silent_since(int rank) const {
  const auto found = peers_.find(rank);
  return found == peers_.end() ? base::Clock::now() : found->second.changed;
}

// --- Word on disk --------------------------------------------------------------------------------------------------

static config::Cluster cluster_in(const config::Environment& environment) {
  return config::cluster_of(environment).value_or(config::Cluster{});
}

static fs::path folder_of_rank(const fs::path& run, int rank) {
  return rank == 0 ? run : run / fmt::format("node-{}", rank);
}

fs::path folder_of_node(const fs::path& run, const config::Environment& environment) {
  return folder_of_rank(run, cluster_in(environment).rank);
}

int rank_of(const Boot& boot) {
  return cluster_in(boot.environment).rank;
}

bool shares_with_other_nodes(const Boot& boot) {
  if (cluster_in(boot.environment).alone()) return false;
  const bool on_volume = boot.environment.contains("RUNPOD_VOLUME_ID") && boot.disks.survives(boot.state);
  return boot.config.lease_time || boot.disks.shared(boot.state) || on_volume;
}

static fs::path word_of(const fs::path& run, int rank) {
  return run / "nodes" / std::to_string(rank);
}

void tell_other_nodes(Boot& boot) {
  if (!shares_with_other_nodes(boot)) return;
  const fs::path path = word_of(boot.state / boot.run, rank_of(boot));
  const NodeWord& word = boot.nodes.word;
  const json document{{"boot", boot.identity.boot},
                      {"held", boot.redactor.redact(word.held)},
                      {"of_itself", word.of_itself},
                      {"commit", word.commit}};
  const std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  const auto told = base::call_helper(boot.waiter, "tell the other nodes", kLookTakesAtMost, [&] {
    const bool written =
        base::make_folders(path.parent_path().string()) && base::write_file_durably(path.string(), text);
    return std::string(written ? "yes" : "no");
  });
  boot.nodes.told = told && *told == "yes";
}

static json look_at(const fs::path& run, int rank) {
  const lease::Sight lease = lease::look(folder_of_rank(run, rank) / "lease").value_or(lease::Sight());
  return json{{"rank", rank},
              {"epoch", lease.epoch},
              {"beat", lease.beat},
              {"released", lease.released},
              {"pod", lease.holder.pod},
              {"boot", lease.holder.boot},
              {"lifetime", lease.terms.lifetime.count()},
              {"grace", lease.terms.grace.count()},
              {"word", base::read_file(word_of(run, rank).string(), 8192).value_or("")}};
}

static NodeSight sight_from(const json& seen) {
  NodeSight sight;
  sight.lease.epoch = seen["epoch"].get<std::uint64_t>();
  sight.lease.beat = seen["beat"].get<std::uint64_t>();
  sight.lease.released = seen["released"].get<bool>();
  sight.lease.holder.pod = seen["pod"].get<std::string>();
  sight.lease.holder.boot = seen["boot"].get<std::string>();
  sight.lease.terms = {base::Seconds(seen["lifetime"].get<std::int64_t>()),
                       base::Seconds(seen["grace"].get<std::int64_t>())};
  const json word = json::parse(seen["word"].get<std::string>(), nullptr, false);
  if (!word.is_object()) return sight;
  try {
    sight.word = {word.value("held", ""), word.value("of_itself", true), word.value("commit", "")};
    sight.word_boot = word.value("boot", "");
  } catch (const json::exception&) {
    sight.word = {};  // of another make than ours: no word
  }
  return sight;
}

void look_at_other_nodes(Boot& boot) {
  if (!shares_with_other_nodes(boot)) return;
  const config::Cluster cluster = cluster_in(boot.environment);
  const fs::path run = boot.state / boot.run;
  const auto answer = base::call_helper(boot.waiter, "look at the other nodes", kLookTakesAtMost, [&] {
    json all = json::array();
    for (int rank = 0; rank < cluster.nodes; ++rank) {
      if (rank != cluster.rank) all.push_back(look_at(run, rank));
    }
    return all.dump(-1, ' ', false, json::error_handler_t::replace);
  });
  if (!answer) return;
  const json all = json::parse(*answer, nullptr, false);
  if (!all.is_array()) return;
  for (const json& seen : all) {
    boot.nodes.see(seen["rank"].get<int>(), sight_from(seen), base::Clock::now());
  }
}

static std::string signature_of(const fs::path& checkout) {
  return (checkout.parent_path() / ".podlaunch" / (checkout.filename().string() + ".word")).string();
}

void sign_checkout(const fs::path& checkout, const std::string& launcher) {
  // Without it the others take theirs for one of their own, and the checkout's lock keeps the peace.
  (void)base::write_file_durably(signature_of(checkout), launcher + "\n");
}

bool is_signed(const fs::path& checkout, const std::string& launcher) {
  return base::read_file(signature_of(checkout), 4096).value_or("") == launcher + "\n";
}

bool shared_checkout_is_gone(Boot& boot) {
  const auto word = boot.nodes.checkout_word();
  if (!word) return false;
  const auto answer = base::call_helper(boot.waiter, "look for the checkout", kLookTakesAtMost, [&] {
    std::error_code code;
    const bool there = fs::exists(boot.config.checkout / ".git", code) || code;
    return std::string(!there && is_signed(boot.config.checkout, word->word_boot) ? "gone" : "there");
  });
  return answer && *answer == "gone";
}

}  // namespace boot
