// What breaks beside the checkout: clocks, files, disks, GPUs; and what people change from outside.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "harness/scenario/sections.h"

namespace scenario {

// The enumerators stand in the order of their names.
template <class Kind>
static Kind kind_of(Reader& reader, const YAML::Node& node, const Names& names) {
  const auto found = std::ranges::find(names, reader.choice(node, names));
  return found == names.end() ? Kind{} : static_cast<Kind>(found - names.begin());
}

std::string_view name(FileDamageKind kind) {
  return file_damage_names()[static_cast<std::size_t>(kind)];
}
std::string_view name(DiskFaultKind kind) {
  return disk_fault_names()[static_cast<std::size_t>(kind)];
}
std::string_view name(GpuFaultKind kind) {
  return gpu_fault_names()[static_cast<std::size_t>(kind)];
}
std::string_view name(NvidiaSmiKind kind) {
  return nvidia_smi_names()[static_cast<std::size_t>(kind)];
}

static Duration lasting(Reader& reader, const YAML::Node& node) {
  const bool for_good = node.IsScalar() && node.Scalar() == "ever";
  return for_good ? Duration(0) : reader.positive_duration(node);
}

const Section<ClockJump>& clock_section() {
  static const Section<ClockJump> section{
      {"clock",
       [](Reader& reader, const YAML::Node& node, ClockJump& jump) {
         const bool back = reader.choice(node, {"back", "forward"}) == "back";
         jump.by = Duration(back ? -1 : 1);
       },
       true},
      {"by",
       [](Reader& reader, const YAML::Node& node, ClockJump& jump) {
         jump.by *= reader.positive_duration(node).count();
       },
       true},
  };
  return section;
}

static unsigned mode_of(Reader& reader, const YAML::Node& node) {
  const std::string text = reader.word(node);
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc() || end != text.data() + text.size() || mode > 07777) {
    reader.refuse(node, fmt::format("is {}, but must be permissions", text), "Write them as for chmod: \"0444\".");
  }
  return mode;
}

const Section<FileDamage>& file_damage_section() {
  static const Section<FileDamage> section{
      {"file",
       [](Reader& reader, const YAML::Node& node, FileDamage& damage) {
         damage.kind = kind_of<FileDamageKind>(reader, node, file_damage_names());
       },
       true},
      {"path",
       [](Reader& reader, const YAML::Node& node, FileDamage& damage) { damage.path = reader.absolute_path(node); },
       true},
      {"match",
       [](Reader& reader, const YAML::Node& node, FileDamage& damage) {
         damage.last = reader.choice(node, {"first", "last"}) == "last";
       }},
      {"mode", [](Reader& reader, const YAML::Node& node, FileDamage& damage) { damage.mode = mode_of(reader, node); }},
  };
  return section;
}

const Section<DiskFault>& disk_fault_section() {
  static const Section<DiskFault> section{
      {"disk",
       [](Reader& reader, const YAML::Node& node, DiskFault& fault) {
         fault.kind = kind_of<DiskFaultKind>(reader, node, disk_fault_names());
       },
       true},
      {"path",
       [](Reader& reader, const YAML::Node& node, DiskFault& fault) { fault.disk = reader.absolute_path(node); }, true},
      {"for", [](Reader& reader, const YAML::Node& node, DiskFault& fault) { fault.lasting = lasting(reader, node); },
       true},
      {"unkillable",
       [](Reader& reader, const YAML::Node& node, DiskFault& fault) { fault.unkillable = reader.truth(node); }},
  };
  return section;
}

const Section<GpuFault>& gpu_fault_section() {
  static const Section<GpuFault> section{
      {"gpu",
       [](Reader& reader, const YAML::Node& node, GpuFault& fault) {
         fault.kind = kind_of<GpuFaultKind>(reader, node, gpu_fault_names());
       },
       true},
      {"index",
       [](Reader& reader, const YAML::Node& node, GpuFault& fault) { fault.index = reader.whole_number(node, 0); },
       true},
  };
  return section;
}

NvidiaSmiKind nvidia_smi_kind(Reader& reader, const YAML::Node& node) {
  return kind_of<NvidiaSmiKind>(reader, node, nvidia_smi_names());
}

const Names& wide_action_names() {
  static const Names names{"clock", "file", "disk", "gpu"};
  return names;
}

template <class T>
static void read_as(Reader& reader, const YAML::Node& node, const Section<T>& section, Action& action) {
  T value{};
  read_section(reader, node, section, value);
  action = value;
}

bool read_wide_action(Reader& reader, const YAML::Node& node, Action& action) {
  if (node["clock"].IsDefined()) {
    read_as(reader, node, clock_section(), action);
  } else if (node["file"].IsDefined()) {
    FileDamage damage{};
    read_section(reader, node, file_damage_section(), damage);
    if ((damage.kind == FileDamageKind::kMode) != node["mode"].IsDefined()) {
      reader.refuse(node, "has mode without chmod, or chmod without mode");
    }
    action = damage;
  } else if (node["disk"].IsDefined()) {
    DiskFault fault{};
    read_section(reader, node, disk_fault_section(), fault);
    if (fault.unkillable && fault.kind != DiskFaultKind::kHanging) {
      reader.refuse(node, "has unkillable, but the disk does not hang");
    }
    action = fault;
  } else if (node["gpu"].IsDefined()) {
    read_as(reader, node, gpu_fault_section(), action);
  } else {
    return false;
  }
  return true;
}

void read_environment_change(Reader& reader, const YAML::Node& node, Action& action) {
  EnvironmentChange change;
  reader.each_entry(node, [&](const std::string& variable, const YAML::Node& value) {
    if (variable.empty() || variable.find('=') != std::string::npos) {
      reader.refuse(value, "is not a name for an environment variable");
    }
    change.variables[variable] = value.IsNull() ? std::optional<std::string>() : reader.word(value);
  });
  action = change;
}

void read_exec(Reader& reader, const YAML::Node& node, Action& action) {
  Exec exec;
  if (node.IsSequence()) {
    exec.command = reader.words(node);
  } else {
    exec.command = {"bash", "-c", reader.text(node)};
  }
  if (exec.command.empty() || exec.command.back().empty()) reader.refuse(node, "names no program");
  action = exec;
}

}  // namespace scenario
