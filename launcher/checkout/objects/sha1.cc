// OpenSSL calls these functions deprecated in favour of EVP. They run the same code; but EVP loads providers and a
// configuration file first, which takes longer than a whole quick survey, and takes a lock and an allocation a hash.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "launcher/checkout/objects/sha1.h"

#include <openssl/sha.h>

#include <new>

namespace checkout {
namespace {

SHA_CTX* context(std::array<std::byte, 128>& state) {
  return std::launder(reinterpret_cast<SHA_CTX*>(state.data()));
}

}  // namespace

Sha1::Sha1() {
  static_assert(sizeof(SHA_CTX) <= sizeof(state_));
  SHA1_Init(::new (state_.data()) SHA_CTX);
}

void Sha1::add(const void* bytes, std::size_t size) {
  SHA1_Update(context(state_), bytes, size);
}

git_oid Sha1::finish() {
  git_oid id;
  SHA1_Final(id.id, context(state_));
  return id;
}

}  // namespace checkout
