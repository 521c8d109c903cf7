// The server's side of TLS, over bytes that somebody else carries: what has come goes in, what is to be sent comes out.
// So a proxy can spoil what is inside, and break off or stall in the middle of what carries it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace services {

using TlsSettings = std::shared_ptr<ssl_ctx_st>;
// Null: the certificate or its key, files in PEM, cannot be used.
TlsSettings load_tls(const std::string& certificate, const std::string& key_file);

class TlsChannel {
 public:
  explicit TlsChannel(const TlsSettings& settings);

  // Takes what has come from the client and appends what it says to `plain`. False: it is no TLS, or was ended.
  bool take(std::string_view received, std::string& plain);
  // What the protocol itself has to say now.
  std::string due();
  // Sealed, with everything due before it. Only once the client has said something.
  std::string seal(std::string_view plain);
  // The orderly end.
  std::string farewell();

 private:
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> session_;
};

}  // namespace services
