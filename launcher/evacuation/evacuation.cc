// How nothing is lost when a pod ends.
//
// What is at risk (sources.h) is everything of the user's on a disk that goes which cannot be had again from upstream:
// commits that no remote-tracking reference leads to, whether a branch, the stash, a rescue reference or a reflog keeps
// them; files of the work tree that differ from HEAD, are untracked or ignored; staged content; the quarantine;
// results.
//
// It is copied to `<disk>/.podlaunch/evacuated/<run>/<case>`. The case is named after its content, so that ending the
// same pod twice makes one case, and a different state makes another one and leaves the first alone. Commits become a
// git bundle; all else is copied as it is. Everything is written to a folder of our own beside the case, synced, read
// back from the disk and compared with what was read from the source, and then renamed: a case that exists is whole.
// A kill at any moment leaves the sources as they are, and at most a folder of ours, which the next call removes.
//
// When a repository cannot be read well enough to be sure, its whole git folder is copied. When the disk that is meant
// to take it all is full, the next one that stays is tried; after the last one the answer is an error, and the pod is
// not ended.
//
// Not looked for: files outside the checkout, the quarantine and the results; and caches that programs make anew
// (bytecode, virtual environments, node_modules).

#include "launcher/evacuation/evacuation.h"

#include "launcher/evacuation/sources.h"
#include "launcher/evacuation/store.h"

namespace evacuation {

namespace fs = std::filesystem;
using base::Result;

static bool stays(const pod::Disks& disks, const fs::path& path, Ends ends) {
  return disks.survives(path) && (ends == Ends::kContainer || disks.shared(path));
}

// Where cases of this run may be kept, the best place first.
static std::vector<fs::path> places(const Request& request) {
  std::vector<fs::path> roots;
  const pod::Mount* own = request.disks.holding(request.state);
  if (own != nullptr && stays(request.disks, request.state, request.ends)) roots.emplace_back(own->path);
  for (const std::string& folder : request.disks.surviving_folders()) {
    const bool known = !roots.empty() && roots.front() == folder;
    if (!known && stays(request.disks, folder, request.ends)) roots.emplace_back(folder);
  }
  for (fs::path& root : roots) root = root / ".podlaunch" / "evacuated" / request.run;
  return roots;
}

Result<Outcome> evacuate(const Request& request) {
  const auto goes = [&](const fs::path& path) { return !stays(request.disks, path, request.ends); };
  auto at_risk = find_sources(request, goes);
  if (!at_risk) return base::fail(at_risk.error());
  if (at_risk->sources.empty()) return Outcome{};
  const auto name = case_name(*at_risk);
  if (!name) return base::fail(name.error());
  base::Error why{
      .code = base::ErrorCode::kNotFound,
      .operation = "find a disk that stays when the pod ends",
      .path = {},
      .system_errno = 0,
      .detail = "would be lost: " + at_risk->kept.front() + (at_risk->kept.size() > 1 ? " and more" : ""),
      .remedy = "Copy it to another place, or give --publish a command that does; then `podlaunch resume`."};
  for (const fs::path& place : places(request)) {
    const auto stored = store(*at_risk, place, *name);
    if (stored) return Outcome{place / *name, at_risk->kept};
    why = stored.error();
  }
  return base::fail(why);
}

}  // namespace evacuation
