// The forms that can be checked: a zip archive's directory lies at its end (zip.cc), a safetensors file begins with a
// header that says how long the file must be, an index names every shard, JSON ends with what it began with.
// What this does not see: bytes that are wrong within a file of the right length, where its form knows no checksum.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"
#include "launcher/base/files.h"
#include "launcher/training/checkpoints/checkpoint.h"
#include "launcher/training/checkpoints/zip.h"

namespace training {

namespace fs = std::filesystem;
using nlohmann::json;

static std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  return value;
}

static std::string read_at(const fs::path& file, std::uint64_t offset, std::size_t length) {
  base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string bytes(length, '\0');
  const ssize_t count = fd.valid() ? ::pread(fd.get(), bytes.data(), length, static_cast<off_t>(offset)) : -1;
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

static std::string torn_safetensors(const fs::path& file, std::uint64_t size) {
  const std::string prefix = read_at(file, 0, 8);
  if (prefix.size() < 8) return "shorter than a safetensors header";
  const std::uint64_t header_size = little_endian(prefix);
  constexpr std::uint64_t kHeaderMax = 100U << 20;
  if (header_size == 0 || header_size > kHeaderMax || header_size + 8 > size)
    return "the safetensors header is cut off or damaged";
  const json header = json::parse(read_at(file, 8, static_cast<std::size_t>(header_size)), nullptr, false);
  if (!header.is_object()) return "the safetensors header is damaged";
  std::uint64_t data_end = 0;
  for (const auto& [name, tensor] : header.items()) {
    if (name == "__metadata__") continue;
    const auto offsets = tensor.is_object() ? tensor.find("data_offsets") : tensor.end();
    if (!tensor.is_object() || offsets == tensor.end() || !offsets->is_array() || offsets->size() != 2 ||
        !offsets->at(1).is_number_unsigned()) {
      return fmt::format("the safetensors header does not say where {} lies", name);
    }
    data_end = std::max(data_end, offsets->at(1).get<std::uint64_t>());
  }
  if (8 + header_size + data_end != size) {
    return fmt::format("{} bytes long, but its header says {}", size, 8 + header_size + data_end);
  }
  return {};
}

static std::string torn_json(const fs::path& file) {
  const auto content = base::read_file(file.string(), 64U << 20);
  if (!content) return content.error().message();
  const json document = json::parse(*content, nullptr, false);
  if (document.is_discarded()) return "not valid JSON: it was cut off or damaged";
  if (!file.filename().string().ends_with(".index.json") || !document.contains("weight_map")) return {};
  for (const auto& [name, shard] : document["weight_map"].items()) {
    std::error_code code;
    if (shard.is_string() && !fs::exists(file.parent_path() / shard.get<std::string>(), code)) {
      return fmt::format("its shard {} is missing", shard.get<std::string>());
    }
  }
  return {};
}

std::string what_is_torn(const fs::path& file, const Closeness& closeness) {
  std::error_code code;
  if (fs::is_directory(file, code)) return {};
  const std::uintmax_t size = fs::file_size(file, code);
  if (code) return code.message();
  if (size == 0) return "empty";
  const std::string extension = file.extension().string();
  if (extension == ".safetensors") return torn_safetensors(file, size);
  if (extension == ".json") return torn_json(file);
  const std::string start = read_at(file, 0, 4);
  const bool zip_by_name = extension == ".zip" || extension == ".npz";
  if (start == "PK\x03\x04") return torn_zip(file, closeness);
  if (zip_by_name) return "not a zip archive";
  if (start == std::string(4, '\0') &&
      (extension == ".pt" || extension == ".pth" || extension == ".ckpt" || extension == ".bin")) {
    return "it begins with zeros: never written to the disk";
  }
  return {};
}

}  // namespace training
