// The digest of what an answer says, apart from how it happened to be cut up.
//
// Git sends a pack in packets as large as what it could read at that moment, between lines of progress that depend on
// timers. Two answers with the same meaning then differ in their bytes. So packets of the pack are joined, packets of
// progress are left out, and everything else counts as it stands.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace services {

class AnswerDigest {
 public:
  // `in_packets`: the answer is a stream of git's packets, as those to git-upload-pack are.
  explicit AnswerDigest(bool in_packets);

  void add(std::string_view bytes);
  // SHA-1 in hexadecimal. Nothing may be added afterwards.
  std::string finish();

 private:
  void take_packets();
  void take_packet(std::string_view packet);
  void hash(std::string_view bytes);

  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
  bool in_packets_;
  std::string pending_;  // the beginning of a packet
};

}  // namespace services
