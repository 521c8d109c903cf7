#include "launcher/checkout/git/formats.h"

#include <sys/stat.h>

#include <algorithm>

#include "launcher/checkout/objects/id.h"

namespace checkout {

namespace fs = std::filesystem;

namespace {

// Calls `use` with each line, its newline included where there is one.
template <class Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t length = end == std::string_view::npos ? text.size() : end + 1;
    use(text.substr(0, length));
    text.remove_prefix(length);
  }
}

std::vector<std::string> names_in(const Listing& refs) {
  std::vector<std::string> names;
  for (const Listed& file : refs.files) {
    if (may_be_reference(file)) names.push_back("refs/" + file.name);
  }
  return names;
}

bool enter_all(const std::string&) {
  return true;
}

std::optional<ReflogEntry> parse_reflog_line(std::string_view line) {
  const std::size_t hex = GIT_OID_HEXSZ;
  if (line.size() < 2 * hex + 2 || line.back() != '\n' || line[hex] != ' ' || line[2 * hex + 1] != ' ') {
    return std::nullopt;
  }
  if (line.find('\0') != std::string_view::npos) return std::nullopt;
  ReflogEntry entry;
  entry.before = git_oid{};
  const std::string_view before = line.substr(0, hex);
  const std::string_view after = line.substr(hex + 1, hex);
  if (before.find_first_not_of('0') != std::string_view::npos) {
    const auto id = id_of(before);
    if (!id) return std::nullopt;
    entry.before = *id;
  }
  entry.after = git_oid{};
  if (after.find_first_not_of('0') != std::string_view::npos) {
    const auto id = id_of(after);
    if (!id) return std::nullopt;
    entry.after = *id;
  }
  const std::size_t close = line.find("> ");
  if (close == std::string_view::npos) return std::nullopt;
  const std::size_t tab = line.find('\t');
  if (tab != std::string_view::npos) entry.message = line.substr(tab + 1, line.size() - tab - 2);
  entry.line = line;
  return entry;
}

}  // namespace

bool may_be_reference(const Listed& file) {
  return (S_ISREG(file.mode) || S_ISLNK(file.mode)) && !file.name.ends_with(".lock");
}

std::optional<RefValue> parse_ref(std::string_view contents) {
  while (!contents.empty() && (contents.back() == '\n' || contents.back() == ' ' || contents.back() == '\r')) {
    contents.remove_suffix(1);
  }
  RefValue value;
  if (contents.starts_with("ref:")) {
    contents.remove_prefix(4);
    while (!contents.empty() && contents.front() == ' ') contents.remove_prefix(1);
    value.symbolic = contents;
    if (!valid_ref_name(value.symbolic)) return std::nullopt;
    return value;
  }
  value.id = id_of(contents);
  if (!value.id) return std::nullopt;
  return value;
}

PackedRefs parse_packed_refs(std::string_view contents) {
  PackedRefs result;
  bool previous_is_sound = false;
  for_each_line(contents, [&](std::string_view line) {
    const std::string_view text = line.ends_with('\n') ? line.substr(0, line.size() - 1) : line;
    const bool complete = line.ends_with('\n');
    bool sound = false;
    if (text.starts_with('#')) {
      sound = complete && text.find('\0') == std::string_view::npos;
    } else if (text.starts_with('^')) {
      sound = complete && previous_is_sound && id_of(text.substr(1)).has_value();
    } else if (text.size() > GIT_OID_HEXSZ + 1 && text[GIT_OID_HEXSZ] == ' ') {
      const auto id = id_of(text.substr(0, GIT_OID_HEXSZ));
      const std::string name(text.substr(GIT_OID_HEXSZ + 1));
      sound = complete && id.has_value() && valid_ref_name(name);
      if (sound) result.refs[name] = *id;
      previous_is_sound = sound;
    }
    if (sound) {
      result.sound_lines += line;
    } else {
      result.damaged = true;
    }
  });
  return result;
}

Reflog parse_reflog(std::string_view contents) {
  Reflog log;
  for_each_line(contents, [&](std::string_view line) {
    if (auto entry = parse_reflog_line(line)) {
      log.entries.push_back(std::move(*entry));
    } else {
      log.damaged = true;
    }
  });
  return log;
}

Grafts parse_grafts(std::string_view contents) {
  Grafts grafts;
  for_each_line(contents, [&](std::string_view line) {
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') return;
    while (true) {
      const auto id = id_of(line.substr(0, GIT_OID_HEXSZ));
      if (!id || (line.size() > GIT_OID_HEXSZ && line[GIT_OID_HEXSZ] != ' ')) {
        grafts.damaged = true;
        return;
      }
      grafts.ids.push_back(*id);
      if (line.size() <= GIT_OID_HEXSZ) return;
      line.remove_prefix(GIT_OID_HEXSZ + 1);
    }
  });
  return grafts;
}

std::vector<std::string> loose_ref_names(const fs::path& git_folder) {
  return names_in(list_below(git_folder / "refs", enter_all));
}

std::vector<std::string> reflog_names(const fs::path& git_folder) {
  return names_in(list_below(git_folder / "logs" / "refs", enter_all));
}

// The rules of git-check-ref-format(1).
bool valid_ref_name(const std::string& full_name) {
  if (!full_name.starts_with("refs/") || full_name.ends_with('/') || full_name.ends_with('.')) return false;
  for (const std::string_view part : {"..", "//", "@{", "/.", ".lock/"}) {
    if (full_name.find(part) != std::string::npos) return false;
  }
  if (full_name.ends_with(".lock")) return false;
  return std::none_of(full_name.begin(), full_name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f || std::string_view("~^:?*[\\").find(c) != std::string_view::npos;
  });
}

std::string short_name(const std::string& full_name) {
  const std::string_view prefix = "refs/heads/";
  return full_name.starts_with(prefix) ? full_name.substr(prefix.size()) : full_name;
}

}  // namespace checkout
