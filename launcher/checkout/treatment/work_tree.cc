#include <fmt/format.h>
#include <git2.h>
#include <sys/stat.h>

#include "launcher/checkout/git/index_file.h"
#include "launcher/checkout/treatment/treatment.h"

namespace checkout {

// The index says what the file was; the file as it is goes to quarantine.
base::Result<bool> treat_file(Workshop& workshop, const Finding& finding) {
  const auto index = read_index_file(workshop.in_git("index"));
  auto repository = open_repository(workshop.scene.git_folder, workshop.scene.work_tree);
  if (!repository) return base::fail(repository.error());
  if (!index) return false;
  for (const IndexEntry& entry : index->entries) {
    if (entry.path != finding.where || entry.stage != 0 || entry.is_submodule() || entry.is_link()) continue;
    git_blob* found = nullptr;
    if (git_blob_lookup(&found, repository->get(), &entry.id) < 0) return false;
    const Blob blob(found);
    git_blob_filter_options options = GIT_BLOB_FILTER_OPTIONS_INIT;
    git_buf contents = GIT_BUF_INIT;
    const int code = git_blob_filter(&contents, blob.get(), entry.path.c_str(), &options);
    if (code < 0) return base::fail(library_error(code, "restore", entry.path));
    const std::string text(contents.ptr, contents.size);
    git_buf_dispose(&contents);
    const fs::path path = workshop.scene.work_tree / entry.path;
    const auto kept = workshop.folder.copy_to_quarantine(path, fs::path("work-tree") / entry.path, finding.what);
    if (!kept) return base::fail(kept.error());
    const mode_t mode = entry.is_executable() ? 0755 : 0644;
    if (auto written = workshop.folder.write_durably(path, text, mode); !written) return base::fail(written.error());
    workshop.did(fmt::format("Restored {} from the index.", entry.path));
    return true;
  }
  return false;
}

}  // namespace checkout
