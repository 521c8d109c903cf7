// The rendezvous is the static one: node 0's address, a port and each node's rank are given by the platform, so no node
// has to be found, and a rank stays a node's own. torchrun's own restarts stay off: retries, and whether there is any
// point in one, are this launcher's to decide.
#include "launcher/config/torchrun.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace config {

using base::Result;

static const std::string* find(const Environment& environment, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = environment.find(name);
    if (found != environment.end() && !found->second.empty()) return &found->second;
  }
  return nullptr;
}

static Result<std::optional<int>> number_of(const Environment& environment, std::initializer_list<const char*> names,
                                            int smallest, int largest) {
  const std::string* text = find(environment, names);
  if (text == nullptr) return std::optional<int>();
  int number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc() && end == text->data() + text->size() && number >= smallest && number <= largest)
    return std::optional<int>(number);
  return base::fail(base::invalid_input(
      fmt::format("{} is \"{}\"", *names.begin(), *text),
      fmt::format("It must be a whole number from {} to {}; the platform sets it in a cluster.", smallest, largest)));
}

Result<Cluster> cluster_of(const Environment& environment) {
  Cluster cluster;
  const auto nodes = number_of(environment, {"NUM_NODES"}, 1, 100'000);
  const auto rank = number_of(environment, {"NODE_RANK"}, 0, 100'000);
  const auto port = number_of(environment, {"PRIMARY_PORT", "MASTER_PORT"}, 1, 65'535);
  const auto trainers = number_of(environment, {"NUM_TRAINERS"}, 1, 1'000);
  for (const auto* read : {&nodes, &rank, &port, &trainers}) {
    if (!*read) return base::fail(read->error());
  }
  cluster.nodes = nodes->value_or(1);
  cluster.processes = *trainers;
  if (cluster.alone()) return cluster;
  const std::string* address = find(environment, {"PRIMARY_ADDR", "MASTER_ADDR"});
  if (!*rank || address == nullptr) {
    return base::fail(base::invalid_input(fmt::format("NUM_NODES says that {} nodes train together, but {} is not set",
                                                      cluster.nodes, *rank ? "MASTER_ADDR" : "NODE_RANK"),
                                          "Set it in each node's environment, as an Instant Cluster does."));
  }
  cluster.rank = **rank;
  if (cluster.rank >= cluster.nodes) {
    return base::fail(base::invalid_input(
        fmt::format("NODE_RANK is {}, but there are {} nodes", cluster.rank, cluster.nodes), "Ranks count from 0."));
  }
  cluster.address = *address;
  cluster.port = port->value_or(cluster.port);
  return cluster;
}

static std::string name_of(const std::string& word) {
  return word.substr(word.rfind('/') + 1);
}

static bool is_python(const std::string& name) {
  return name.starts_with("python") && name.find_first_not_of("0123456789.", 6) == std::string::npos;
}

static bool gives(const std::vector<std::string>& train, std::string option) {
  std::string other = option;
  std::ranges::replace(other, '-', '_');
  return std::ranges::any_of(train, [&](const std::string& word) {
    const std::string given = word.substr(0, word.find('='));
    return given == "--" + option || given == "--" + other;
  });
}

static std::vector<std::string> rendezvous(const Cluster& cluster, int processes) {
  std::vector<std::string> options;
  if (cluster.alone()) options.emplace_back("--standalone");
  options.push_back(fmt::format("--nnodes={}", cluster.nodes));
  options.push_back(fmt::format("--nproc-per-node={}", processes));
  if (cluster.alone()) return options;
  options.push_back(fmt::format("--node-rank={}", cluster.rank));
  options.push_back("--master-addr=" + cluster.address);
  options.push_back(fmt::format("--master-port={}", cluster.port));
  return options;
}

std::vector<std::string> torchrun_command(const std::vector<std::string>& train, const Cluster& cluster,
                                          int processes) {
  const bool written = !train.empty() && name_of(train.front()) == "torchrun";
  std::vector<std::string> command{written ? train.front() : "torchrun"};
  std::vector<std::string> rest(train.begin() + (written ? 1 : 0), train.end());
  for (const std::string& option : rendezvous(cluster, processes)) {
    // What the user wrote is meant.
    if (!written || !gives(rest, option.substr(2, option.find('=') - 2))) command.push_back(option);
  }
  if (!written && !rest.empty()) {
    // "python -u x.py" is run with its option; torchrun itself takes none of python's.
    const bool plain_python =
        is_python(name_of(rest.front())) && rest.size() > 1 && (!rest[1].starts_with("-") || rest[1] == "-m");
    if (plain_python) {
      rest.erase(rest.begin());
    } else if (!rest.front().ends_with(".py")) {
      command.emplace_back("--no-python");
    }
  }
  command.insert(command.end(), rest.begin(), rest.end());
  return command;
}

}  // namespace config
