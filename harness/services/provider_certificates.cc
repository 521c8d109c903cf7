#include "harness/services/provider_certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <string_view>

namespace services {

namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Memory = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

base::Error certificate_error() {
  return base::Error{.code = base::ErrorCode::kSystem,
                     .operation = "make the world's certificates",
                     .path = {},
                     .system_errno = 0,
                     .detail = "OpenSSL refuses",
                     .remedy = {}};
}

// The same in every world, so that a world which is set up again from its disks still fits them.
Key key_of(std::string_view label) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> seed{};
  constexpr std::size_t seed_bytes = 32;
  if (EVP_Digest(label.data(), label.size(), seed.data(), nullptr, EVP_sha256(), nullptr) != 1)
    return {nullptr, EVP_PKEY_free};
  return {EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed_bytes), EVP_PKEY_free};
}

struct Plan {
  std::string name;
  bool authority = false;
  std::string hosts;  // "DNS:a,DNS:b"
  long serial = 1;
  std::int64_t now_seconds = 0;
};

bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

Certificate make(const Plan& plan, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  constexpr std::int64_t day = 86'400;
  Certificate certificate(X509_new(), X509_free);
  X509* raw = certificate.get();
  X509* signer = issuer == nullptr ? raw : issuer;
  bool good = X509_set_version(raw, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(raw), plan.serial) == 1 &&
              ASN1_TIME_set(X509_getm_notBefore(raw), plan.now_seconds - day) != nullptr &&
              ASN1_TIME_set(X509_getm_notAfter(raw), plan.now_seconds + 3653 * day) != nullptr &&
              X509_set_pubkey(raw, key) == 1;
  X509_NAME* name = X509_get_subject_name(raw);
  const auto* text = reinterpret_cast<const unsigned char*>(plan.name.c_str());
  good = good && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1 &&
         X509_set_issuer_name(raw, X509_get_subject_name(signer)) == 1 &&
         add_extension(raw, signer, NID_basic_constraints, plan.authority ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
         add_extension(raw, signer, NID_key_usage,
                       plan.authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
         (plan.hosts.empty() || add_extension(raw, signer, NID_subject_alt_name, plan.hosts)) &&
         X509_sign(raw, issuer_key, nullptr) > 0;
  if (!good) certificate.reset();
  return certificate;
}

template <class Write>
std::string pem(Write write) {
  const Memory memory(BIO_new(BIO_s_mem()), BIO_free_all);
  if (write(memory.get()) != 1) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

base::Result<Certificates> make_certificates(const std::vector<std::string>& hosts, std::int64_t now_seconds) {
  const Key authority_key = key_of("authority");
  const Key key = key_of("service");
  if (!authority_key || !key) return base::fail(certificate_error());
  std::string names;
  for (const std::string& host : hosts) names += (names.empty() ? "DNS:" : ",DNS:") + host;
  const Certificate authority = make({"The authority of this world", true, "", 1, now_seconds}, authority_key.get(),
                                     nullptr, authority_key.get());
  if (!authority) return base::fail(certificate_error());
  const Certificate certificate =
      make({hosts.front(), false, names, 2, now_seconds}, key.get(), authority.get(), authority_key.get());
  if (!certificate) return base::fail(certificate_error());
  Certificates result;
  result.authority = pem([&](BIO* memory) { return PEM_write_bio_X509(memory, authority.get()); });
  result.certificate = pem([&](BIO* memory) { return PEM_write_bio_X509(memory, certificate.get()); });
  result.key = pem(
      [&](BIO* memory) { return PEM_write_bio_PrivateKey(memory, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  if (result.authority.empty() || result.certificate.empty() || result.key.empty())
    return base::fail(certificate_error());
  return result;
}

}  // namespace services
