#include "harness/services/answer_digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <optional>

namespace services {

static constexpr std::size_t kLengthDigits = 4;

// The whole packet's size, its four digits included. Sizes below four are marks without content.
static std::optional<std::size_t> packet_size(std::string_view digits) {
  std::size_t size = 0;
  const char* end = digits.data() + kLengthDigits;
  const auto parsed = std::from_chars(digits.data(), end, size, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return size < kLengthDigits ? kLengthDigits : size;
}

AnswerDigest::AnswerDigest(bool in_packets) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free), in_packets_(in_packets) {
  EVP_DigestInit_ex(context_.get(), EVP_sha1(), nullptr);
}

void AnswerDigest::hash(std::string_view bytes) {
  EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

void AnswerDigest::add(std::string_view bytes) {
  if (!in_packets_) return hash(bytes);
  pending_ += bytes;
  take_packets();
}

void AnswerDigest::take_packets() {
  std::size_t taken = 0;
  while (pending_.size() - taken >= kLengthDigits) {
    const std::string_view rest = std::string_view(pending_).substr(taken);
    const auto size = packet_size(rest);
    if (!size) {  // a pack that is sent without packets, as old clients want it
      in_packets_ = false;
      hash(rest);
      pending_.clear();
      return;
    }
    if (rest.size() < *size) break;
    take_packet(rest.substr(0, *size));
    taken += *size;
  }
  pending_.erase(0, taken);
}

void AnswerDigest::take_packet(std::string_view packet) {
  constexpr char kPack = 1;
  constexpr char kProgress = 2;
  const char band = packet.size() > kLengthDigits ? packet[kLengthDigits] : '\0';
  if (band == kProgress) return;
  hash(band == kPack ? packet.substr(kLengthDigits + 1) : packet);
}

std::string AnswerDigest::finish() {
  hash(pending_);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
  std::string text;
  for (unsigned int index = 0; index < size; ++index) text += fmt::format("{:02x}", digest[index]);
  return text;
}

}  // namespace services
