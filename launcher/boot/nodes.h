// The nodes of a cluster that share a volume, as far as they know of one another: each has a ledger and a lease of its
// own, and leaves word of what it does where the others can read it.
#pragma once

#include <filesystem>
#include <string>

#include "launcher/config/config.h"

namespace boot {

struct Boot;

// Where this node remembers its part of the run: `run` itself for node 0 and for a pod alone, below it for the others.
std::filesystem::path folder_of_node(const std::filesystem::path& run, const config::Environment& environment);

// What a person should know of this node; empty: it works. Nothing happens on a pod alone.
void tell_other_nodes(Boot& boot, const std::string& trouble);

// "node 1 on pod x is held: …" for the first other node in trouble; empty: none, or nobody can tell.
std::string trouble_of_other_nodes(Boot& boot);

}  // namespace boot
