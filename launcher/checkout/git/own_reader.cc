#include "launcher/checkout/git/own_reader.h"

#include <git2/sys/odb_backend.h>

#include <cstring>
#include <memory>

#include "launcher/checkout/git/library.h"
#include "launcher/checkout/objects/store.h"

namespace checkout {
namespace {

constexpr int kBeforeAllOthers = 100;
constexpr std::string_view kDamagedHere = " is damaged on this disk";

struct Reader {
  git_odb_backend backend;  // first: libgit2 hands its address back
  ObjectStore store;
  Decoder decoder;
};

// What came after the store was opened is left to the others, and is sound.
int find(git_odb_backend* backend, const git_oid* id, ObjectPointer& object) {
  auto* reader = reinterpret_cast<Reader*>(backend);
  object = reader->store.read(*id, reader->decoder);
  if (object != nullptr) return 0;
  if (!reader->store.has(*id)) return GIT_ENOTFOUND;
  git_error_set_str(GIT_ERROR_ODB, ("object " + hex_of(*id) + std::string(kDamagedHere)).c_str());
  return GIT_ERROR;
}

int read_header(std::size_t* size, git_object_t* type, git_odb_backend* backend, const git_oid* id) {
  ObjectPointer object;
  if (const int code = find(backend, id, object); code != 0) return code;
  *size = object->bytes.size();
  *type = object->type;
  return 0;
}

int read(void** bytes, std::size_t* size, git_object_t* type, git_odb_backend* backend, const git_oid* id) {
  ObjectPointer object;
  if (const int code = find(backend, id, object); code != 0) return code;
  *bytes = git_odb_backend_data_alloc(backend, object->bytes.size());
  if (*bytes == nullptr) return GIT_ERROR;
  std::memcpy(*bytes, object->bytes.data(), object->bytes.size());
  *size = object->bytes.size();
  *type = object->type;
  return 0;
}

void release(git_odb_backend* backend) {
  delete reinterpret_cast<Reader*>(backend);
}

}  // namespace

base::Result<void> read_with_own_reader(git_repository* repository, const std::filesystem::path& git_folder) {
  git_odb* opened = nullptr;
  int code = git_repository_odb(&opened, repository);
  const Database database(opened);
  auto reader = std::make_unique<Reader>(Reader{{}, ObjectStore::open(git_folder), {}});
  if (code == 0) code = git_odb_init_backend(&reader->backend, GIT_ODB_BACKEND_VERSION);
  reader->backend.read = read;
  reader->backend.read_header = read_header;
  reader->backend.free = release;
  if (code == 0) code = git_odb_add_backend(database.get(), &reader->backend, kBeforeAllOthers);
  if (code < 0) return base::fail(library_error(code, "open the objects of", git_folder));
  (void)reader.release();  // the database's from now on
  return {};
}

bool tells_of_damaged_object(std::string_view message) {
  return message.ends_with(kDamagedHere);
}

}  // namespace checkout
