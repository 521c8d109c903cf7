#include "harness/sweep/fault.h"

#include <fmt/format.h>
#include <string.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

namespace sweep {

std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::kKill:
      return "kill";
    case Kind::kErrno:
      return "errno";
    case Kind::kShortWrite:
      return "short";
    case Kind::kPower:
      return "power";
    case Kind::kDouble:
      return "double";
    case Kind::kNetwork:
      return "network";
  }
  return "";
}

std::optional<Kind> find_kind(std::string_view text) {
  for (const Kind kind : kAllKinds) {
    if (name(kind) == text) return kind;
  }
  return std::nullopt;
}

std::string error_name(int error) {
  const char* text = ::strerrorname_np(error);
  return text == nullptr ? fmt::format("errno {}", error) : text;
}

static std::string network_text(const scenario::NetworkFault& network) {
  std::string text = network.fault;
  if (network.after_percent > 0) text += fmt::format(" after {}%", network.after_percent);
  return text + (network.times == 1 ? ", once," : " from there on for two minutes");
}

std::string Fault::text() const {
  const std::string where = point.text();
  const std::string moment = after ? "after" : "before";
  switch (kind) {
    case Kind::kKill:
      return fmt::format("killed {} {}", moment, where);
    case Kind::kErrno:
      return fmt::format("{} {} at {}", error_name(error), persistent ? "from there on for two minutes" : "once",
                         where);
    case Kind::kShortWrite:
      return fmt::format("half of the bytes are written at {}", where);
    case Kind::kPower:
      return fmt::format("power cut ({}, image {}) after {}", model, image, where);
    case Kind::kDouble:
      return fmt::format("killed {} {}, and again {} points into the next boot", moment, where, second);
    case Kind::kNetwork:
      return fmt::format("{} at {}", network_text(network), where);
  }
  return where;
}

std::string to_json(const Fault& fault) {
  nlohmann::json json{{"kind", name(fault.kind)},
                      {"point",
                       {{"boot", fault.point.boot},
                        {"process", fault.point.process},
                        {"syscall", fault.point.syscall},
                        {"path", fault.point.path},
                        {"occurrence", fault.point.occurrence}}}};
  switch (fault.kind) {
    case Kind::kDouble:
      json["second"] = fault.second;
      [[fallthrough]];
    case Kind::kKill:
      json["after"] = fault.after;
      break;
    case Kind::kErrno:
      json["error"] = error_name(fault.error);
      json["persistent"] = fault.persistent;
      break;
    case Kind::kPower:
      json["model"] = fault.model;
      json["image"] = fault.image;
      json["seed"] = fault.seed;
      break;
    case Kind::kNetwork:
      json["network"] = {{"fault", fault.network.fault},
                         {"service", fault.network.service},
                         {"request", fault.network.request},
                         {"times", fault.network.times},
                         {"after", fault.network.after_percent},
                         {"rate", fault.network.bytes_per_second},
                         {"nanoseconds", fault.network.lasting.count()}};
      break;
    case Kind::kShortWrite:
      break;
  }
  return json.dump();
}

static int find_error(const std::string& text) {
  for (int error = 1; error < 200; ++error) {
    if (error_name(error) == text) return error;
  }
  return 0;
}

// Throws what the library throws.
static scenario::NetworkFault network_from_json(const nlohmann::json& json) {
  return {.fault = json.at("fault"),
          .service = json.at("service"),
          .request = json.at("request"),
          .times = json.at("times"),
          .lasting = scenario::Duration(json.at("nanoseconds").get<scenario::Duration::rep>()),
          .after_percent = json.at("after"),
          .bytes_per_second = json.at("rate")};
}

base::Result<Fault> fault_from_json(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto wrong = [](const std::string& what) {
    return base::fail(base::invalid_input(what, "Use a case as `simrun sweep` saved it"));
  };
  if (!json.is_object() || !json.contains("point")) return wrong("the case names no fault point");
  try {
    Fault fault;
    const auto kind = find_kind(json.at("kind").get<std::string>());
    if (!kind) return wrong("the case is of an unknown kind");
    fault.kind = *kind;
    const auto& point = json.at("point");
    fault.point = {point.at("boot"), point.at("process"), point.at("syscall"), point.at("path"),
                   point.at("occurrence")};
    fault.after = json.value("after", false);
    fault.persistent = json.value("persistent", false);
    fault.error = find_error(json.value("error", ""));
    fault.model = json.value("model", "");
    fault.image = json.value("image", 0U);
    fault.seed = json.value("seed", std::uint64_t{0});
    fault.second = json.value("second", 0);
    if (fault.kind == Kind::kNetwork) fault.network = network_from_json(json.at("network"));
    return fault;
  } catch (const nlohmann::json::exception& problem) {
    return wrong(std::string("the case is not complete: ") + problem.what());
  }
}

namespace {

enum class Call { kOpen, kWrite, kLength, kNames, kRemoval, kSync, kClose, kDress, kOther };

Call sort_of(long syscall) {
  switch (syscall) {
    case SYS_open:
    case SYS_openat:
    case SYS_openat2:
    case SYS_creat:
      return Call::kOpen;
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
    case SYS_sendfile:
    case SYS_copy_file_range:
    case SYS_splice:
      return Call::kWrite;
    case SYS_ftruncate:
    case SYS_truncate:
    case SYS_fallocate:
      return Call::kLength;
    case SYS_rename:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_link:
    case SYS_linkat:
    case SYS_mkdir:
    case SYS_mkdirat:
    case SYS_mknod:
    case SYS_mknodat:
    case SYS_symlink:
    case SYS_symlinkat:
      return Call::kNames;
    case SYS_unlink:
    case SYS_unlinkat:
    case SYS_rmdir:
      return Call::kRemoval;
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_syncfs:
      return Call::kSync;
    case SYS_close:
      return Call::kClose;
    case SYS_sync:  // cannot fail
    case SYS_ioctl:
      return Call::kOther;
    default:
      return Call::kDress;
  }
}

}  // namespace

std::vector<int> errors_of(long syscall, bool network_volume) {
  switch (sort_of(syscall)) {
    case Call::kOpen:
      return {ENOSPC, EDQUOT, EIO, EROFS, EACCES, EMFILE, ENOMEM};
    case Call::kWrite:
      return {ENOSPC, EDQUOT, EIO, EINTR};
    case Call::kLength:
      return {ENOSPC, EDQUOT, EIO, EINTR};
    case Call::kNames:
      return {ENOSPC, EDQUOT, EIO, EROFS, EACCES, ENOMEM};
    case Call::kRemoval:
      return {EIO, EROFS, EACCES, ENOMEM};
    case Call::kSync:
      return {ENOSPC, EDQUOT, EIO, EINTR};
    case Call::kClose:
      return network_volume ? std::vector<int>{ENOSPC, EDQUOT, EIO} : std::vector<int>{};
    case Call::kDress:
      return {EIO, EROFS, EACCES, ENOMEM};
    case Call::kOther:
      return {};
  }
  return {};
}

bool can_return(long syscall, int error, bool network_volume) {
  return std::ranges::count(errors_of(syscall, network_volume), error) != 0;
}

bool can_last(int error) {
  return error != EINTR;
}

}  // namespace sweep
