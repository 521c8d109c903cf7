// References from their logs, HEAD from its own.
//
// The last line of a log equals the lost reference. A log does not tell whether the object is still there; when it is
// not, the restored reference dangles and treat_missing() goes on from there.
#include <fmt/format.h>

#include <algorithm>

#include "launcher/checkout/treatment/treatment.h"

namespace checkout {
namespace {

Reflog log_of(const Workshop& workshop, const std::string& name) {
  return parse_reflog(contents_of(workshop.in_git(fs::path("logs") / name)).value_or(std::string()));
}

std::optional<git_oid> last_logged(const Workshop& workshop, const std::string& name) {
  const Reflog log = log_of(workshop, name);
  if (log.entries.empty() || git_oid_is_zero(&log.entries.back().after) != 0) return std::nullopt;
  return log.entries.back().after;
}

std::optional<git_oid> packed_value(const Workshop& workshop, const std::string& name) {
  const auto contents = contents_of(workshop.in_git("packed-refs"));
  if (!contents) return std::nullopt;
  const PackedRefs packed = parse_packed_refs(*contents);
  const auto found = packed.refs.find(name);
  if (found == packed.refs.end()) return std::nullopt;
  return found->second;
}

// Where HEAD's log says that HEAD went last: "checkout: moving from main to DL4Math".
std::string last_checked_out(const Reflog& log) {
  for (auto entry = log.entries.rbegin(); entry != log.entries.rend(); ++entry) {
    const std::size_t to = entry->message.rfind(" to ");
    if (entry->message.starts_with("checkout: moving from ") && to != std::string::npos) {
      return entry->message.substr(to + 4);
    }
    if (entry->message.starts_with("rebase (finish): returning to refs/heads/")) return entry->message.substr(41);
  }
  return {};
}

bool has_trace_of(const Workshop& workshop, const RefTable& table, const std::string& branch) {
  const std::string name = "refs/heads/" + branch;
  return table.refs.contains(name) || last_logged(workshop, name) || is_file(workshop.in_git(name));
}

RefValue choose_head(const Workshop& workshop) {
  const RefTable table = read_refs(workshop.scene.git_folder);
  const Reflog log = log_of(workshop, "HEAD");
  const std::string logged = last_checked_out(log);
  if (!logged.empty() && has_trace_of(workshop, table, logged)) return {std::nullopt, "refs/heads/" + logged};
  std::vector<std::string> branches;
  for (const auto& [name, value] : table.refs) {
    if (name.starts_with("refs/heads/")) branches.push_back(name);
  }
  const std::string wanted = "refs/heads/" + workshop.remote.ref;
  if (!log.entries.empty()) {
    const git_oid last = log.entries.back().after;
    const auto at_last = [&](const std::string& name) {
      const auto tip = table.resolve(name);
      return tip && git_oid_equal(&*tip, &last) != 0;
    };
    if (at_last(wanted)) return {std::nullopt, wanted};
    const auto found = std::find_if(branches.begin(), branches.end(), at_last);
    if (found != branches.end()) return {std::nullopt, *found};
    if (!logged.empty() && git_oid_is_zero(&last) == 0) return {last, {}};  // it was detached there
  }
  if (!workshop.remote.ref.empty() && has_trace_of(workshop, table, workshop.remote.ref)) return {std::nullopt, wanted};
  if (!branches.empty()) return {std::nullopt, branches.front()};
  if (!workshop.remote.ref.empty() && valid_ref_name(wanted)) return {std::nullopt, wanted};
  return {std::nullopt, "refs/heads/main"};
}

// What a branch that nothing here remembers should be: where HEAD was last, or where the remote is.
std::optional<git_oid> value_for_unborn(Workshop& workshop, const std::string& name) {
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return std::nullopt;
  const auto last = last_logged(workshop, "HEAD");
  if (last && history->has(*last)) return last;
  const RefTable table = read_refs(workshop.scene.git_folder);
  const std::string branch = short_name(name);
  for (const std::string& candidate : {"refs/remotes/origin/" + branch, "refs/remotes/origin/" + workshop.remote.ref}) {
    const auto tip = table.resolve(candidate);
    if (tip && history->has(*tip)) return tip;
  }
  if (workshop.upstream_refs) {
    for (const std::string& candidate : {branch, workshop.remote.ref}) {
      if (const auto tip = workshop.upstream_refs->resolve("refs/remotes/origin/" + candidate)) return tip;
    }
  }
  return std::nullopt;
}

}  // namespace

base::Result<bool> treat_reference(Workshop& workshop, const Finding& finding) {
  const std::string& name = finding.where;
  if (finding.kind == FindingKind::kPackedRefsDamaged) {
    const fs::path path = workshop.in_git("packed-refs");
    const PackedRefs packed = parse_packed_refs(contents_of(path).value_or(std::string()));
    if (auto kept = workshop.keep_copy(path, "damaged"); !kept) return base::fail(kept.error());
    if (auto written = workshop.folder.write_durably(path, packed.sound_lines); !written) {
      return base::fail(written.error());
    }
    workshop.wants_full_fetch = true;
    workshop.references_were_lost = true;
    workshop.did(fmt::format("Kept the {} sound lines of packed-refs.", packed.refs.size()));
    return true;
  }
  workshop.references_were_lost = true;
  const bool valid = valid_ref_name(name);
  const bool is_remote_head = name.starts_with("refs/remotes/") && name.ends_with("/HEAD");
  std::optional<git_oid> value;
  if (valid && !is_remote_head) value = last_logged(workshop, name);
  if (valid && !is_remote_head && !value) value = packed_value(workshop, name);
  if (!value && name.starts_with("refs/heads/")) {
    value = read_refs(workshop.scene.git_folder).resolve("refs/remotes/origin/" + short_name(name));
  }
  if (value) {
    if (auto kept = workshop.keep_copy(workshop.in_git(name), "damaged"); !kept) return base::fail(kept.error());
    if (auto written = workshop.write_ref(name, *value, "restored"); !written) return base::fail(written.error());
    workshop.did(fmt::format("Restored {} at {}.", name, hex_of(*value).substr(0, 12)));
    return true;
  }
  workshop.wants_full_fetch = true;
  if (auto dropped = workshop.drop_ref(name, "damaged, and nothing tells what it was"); !dropped) {
    return base::fail(dropped.error());
  }
  workshop.did(fmt::format("Put {} away: nothing here tells what it was.", name));
  return true;
}

base::Result<bool> treat_head(Workshop& workshop, const Finding& finding) {
  const RefValue chosen = choose_head(workshop);
  const auto current = read_head(workshop.scene.git_folder);
  if (finding.kind == FindingKind::kHeadUnborn) {
    const std::string branch = chosen.symbolic.empty() ? current->symbolic : chosen.symbolic;
    if (!read_refs(workshop.scene.git_folder).refs.contains(branch)) {
      auto value = value_for_unborn(workshop, branch);
      if (!value) {
        const auto grafted = graft(workshop);
        if (!grafted) return base::fail(grafted.error());
        if (*grafted) value = value_for_unborn(workshop, branch);
      }
      if (!value) return false;
      if (auto written = workshop.write_ref(branch, *value, "restored"); !written) return base::fail(written.error());
      workshop.did(fmt::format("Restored {} at {}.", branch, hex_of(*value).substr(0, 12)));
    }
  }
  if (current && current->symbolic == chosen.symbolic && !chosen.symbolic.empty()) return true;
  if (auto kept = workshop.keep_copy(workshop.in_git("HEAD"), "damaged"); !kept) return base::fail(kept.error());
  if (auto written = workshop.write_head(chosen); !written) return base::fail(written.error());
  workshop.did(fmt::format("Restored HEAD: {}.", chosen.id ? hex_of(*chosen.id) : chosen.symbolic));
  return true;
}

base::Result<bool> treat_log(Workshop& workshop, const Finding& finding) {
  const fs::path path = workshop.in_checkout(finding.where);
  const Reflog log = parse_reflog(contents_of(path).value_or(std::string()));
  const auto history = History::open(workshop.scene.git_folder);
  if (!history) return base::fail(history.error());
  std::string kept;
  for (const ReflogEntry& entry : log.entries) {
    const bool before = git_oid_is_zero(&entry.before) != 0 || history->has(entry.before);
    const bool after = git_oid_is_zero(&entry.after) != 0 || history->has(entry.after);
    if (before && after) kept += entry.line;
  }
  workshop.references_were_lost = true;
  if (auto copied = workshop.keep_copy(path, "damaged"); !copied) return base::fail(copied.error());
  if (auto written = workshop.folder.write_durably(path, kept); !written) return base::fail(written.error());
  workshop.did(fmt::format("Kept the sound lines of {}.", finding.where));
  return true;
}

}  // namespace checkout
