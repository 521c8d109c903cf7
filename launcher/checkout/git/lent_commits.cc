#include "launcher/checkout/git/lent_commits.h"

#include <fmt/format.h>
#include <git2/sys/odb_backend.h>

#include <cstring>

#include "launcher/checkout/git/library.h"

namespace checkout {
namespace {

struct Lender {
  git_odb_backend backend;  // first: libgit2 hands its address back
  std::shared_ptr<const LentCommits> lent;
  Decoder decoder;
};

ObjectPointer find(git_odb_backend* backend, const git_oid* id) {
  auto* lender = reinterpret_cast<Lender*>(backend);
  return lender->lent->ids.contains(*id) ? lender->lent->store->read(*id, lender->decoder) : nullptr;
}

int read_header(std::size_t* size, git_object_t* type, git_odb_backend* backend, const git_oid* id) {
  const ObjectPointer object = find(backend, id);
  if (object == nullptr) return GIT_ENOTFOUND;
  *size = object->bytes.size();
  *type = object->type;
  return 0;
}

int read(void** bytes, std::size_t* size, git_object_t* type, git_odb_backend* backend, const git_oid* id) {
  const ObjectPointer object = find(backend, id);
  if (object == nullptr) return GIT_ENOTFOUND;
  *bytes = git_odb_backend_data_alloc(backend, object->bytes.size());
  if (*bytes == nullptr) return GIT_ERROR;
  std::memcpy(*bytes, object->bytes.data(), object->bytes.size());
  *size = object->bytes.size();
  *type = object->type;
  return 0;
}

int exists(git_odb_backend* backend, const git_oid* id) {
  return reinterpret_cast<Lender*>(backend)->lent->ids.contains(*id) ? 1 : 0;
}

void release(git_odb_backend* backend) {
  delete reinterpret_cast<Lender*>(backend);
}

}  // namespace

base::Result<void> lend_commits(git_repository* repository, std::shared_ptr<const LentCommits> lent) {
  const LentCommits& commits = *lent;
  git_odb* opened = nullptr;
  int code = git_repository_odb(&opened, repository);
  const Database database(opened);
  auto lender = std::make_unique<Lender>();
  lender->lent = std::move(lent);
  if (code == 0) code = git_odb_init_backend(&lender->backend, GIT_ODB_BACKEND_VERSION);
  lender->backend.read = read;
  lender->backend.read_header = read_header;
  lender->backend.exists = exists;
  lender->backend.free = release;
  if (code == 0) code = git_odb_add_backend(database.get(), &lender->backend, 1);
  if (code < 0) return base::fail(library_error(code, "lend commits to", git_repository_path(repository)));
  (void)lender.release();  // the database's from now on
  for (std::size_t i = 0; i < commits.tips.size(); ++i) {
    git_reference* made = nullptr;
    const std::string name = fmt::format("refs/podlaunch/lent/{}", i);
    code = git_reference_create(&made, repository, name.c_str(), &commits.tips[i], 1, "lent");
    git_reference_free(made);
    if (code < 0) return base::fail(library_error(code, "lend commits to", git_repository_path(repository)));
  }
  return {};
}

}  // namespace checkout
