#include "harness/services/network/tls_channel.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "base/check.h"

namespace services {

TlsSettings load_tls(const std::string& certificate, const std::string& key_file) {
  TlsSettings settings(::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free);
  CHECK(settings != nullptr);
  if (::SSL_CTX_use_certificate_chain_file(settings.get(), certificate.c_str()) != 1 ||
      ::SSL_CTX_use_PrivateKey_file(settings.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return nullptr;
  return settings;
}

TlsChannel::TlsChannel(const TlsSettings& settings) : session_(::SSL_new(settings.get()), ::SSL_free) {
  CHECK(session_ != nullptr);
  // Both are the session's from here on.
  ::SSL_set_bio(session_.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
  ::SSL_set_accept_state(session_.get());
}

bool TlsChannel::take(std::string_view received, std::string& plain) {
  ::BIO_write(::SSL_get_rbio(session_.get()), received.data(), static_cast<int>(received.size()));
  std::array<char, 16384> buffer;
  while (true) {
    ::ERR_clear_error();
    const int size = ::SSL_read(session_.get(), buffer.data(), buffer.size());
    if (size <= 0) return ::SSL_get_error(session_.get(), size) == SSL_ERROR_WANT_READ;
    plain.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

std::string TlsChannel::due() {
  BIO* out = ::SSL_get_wbio(session_.get());
  std::string bytes(::BIO_ctrl_pending(out), '\0');
  if (!bytes.empty()) CHECK(::BIO_read(out, bytes.data(), static_cast<int>(bytes.size())) == std::ssize(bytes));
  return bytes;
}

std::string TlsChannel::seal(std::string_view plain) {
  if (!plain.empty())
    CHECK(::SSL_write(session_.get(), plain.data(), static_cast<int>(plain.size())) == std::ssize(plain));
  return due();
}

std::string TlsChannel::farewell() {
  (void)::SSL_shutdown(session_.get());  // whether the client answers does not matter
  return due();
}

}  // namespace services
