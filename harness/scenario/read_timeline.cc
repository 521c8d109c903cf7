#include <fmt/format.h>

#include <filesystem>

#include "harness/scenario/sections.h"

namespace scenario {

static std::string bare_name(Reader& reader, const YAML::Node& node, std::string_view of_what) {
  const std::string text = reader.text(node);
  if (text.empty() || text.find_first_of("/ \t") != std::string::npos) {
    reader.refuse(node, fmt::format("is \"{}\", but must be the name of {}", text, of_what));
  }
  return text;
}

static std::string syscall_name(Reader& reader, const YAML::Node& node) {
  const std::string text = reader.text(node);
  if (text.empty() || text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
    reader.refuse(node, fmt::format("is \"{}\", but must be the name of a system call, such as rename", text));
  }
  return text;
}

const Section<Moment>& moment_section() {
  static const Section<Moment> section{
      {"at", [](Reader& reader, const YAML::Node& node, Moment& moment) { moment.at = reader.duration(node); }},
      {"boot",
       [](Reader& reader, const YAML::Node& node, Moment& moment) { moment.boot = reader.whole_number(node, 1); }},
      {"step",
       [](Reader& reader, const YAML::Node& node, Moment& moment) { moment.step = reader.whole_number(node, 1); }},
      {"attempt",
       [](Reader& reader, const YAML::Node& node, Moment& moment) { moment.attempt = reader.whole_number(node, 1); }},
      {"log",
       [](Reader& reader, const YAML::Node& node, Moment& moment) { moment.log = reader.regular_expression(node); }},
      {"exec", [](Reader& reader, const YAML::Node& node,
                  Moment& moment) { moment.exec = bare_name(reader, node, "a program without its folder"); }},
      {"syscall",
       [](Reader& reader, const YAML::Node& node, Moment& moment) { moment.syscall = syscall_name(reader, node); }},
      {"nth",
       [](Reader& reader, const YAML::Node& node, Moment& moment) { moment.nth = reader.whole_number(node, 1); }},
      {"after", [](Reader& reader, const YAML::Node& node, Moment& moment) { moment.after = reader.duration(node); }},
      {"every", [](Reader& reader, const YAML::Node& node, Moment& moment) { moment.every = reader.truth(node); }},
  };
  return section;
}

static void read_moment(Reader& reader, const YAML::Node& node, TimelineEntry& entry) {
  Moment& moment = entry.when;
  read_section(reader, node, moment_section(), moment);
  const bool counts_calls = moment.exec || moment.syscall;
  const bool recurs = counts_calls || moment.step || moment.log;
  if (!recurs && !moment.at && !moment.boot && !moment.attempt) {
    reader.refuse(node, "names no moment", "Write at least one of at, boot, attempt, step, log, exec and syscall.");
  } else if (moment.exec && moment.syscall) {
    reader.refuse(node, "counts programs and system calls at once", "Write exec or syscall.");
  } else if (node.IsMap() && node["nth"].IsDefined() && !counts_calls) {
    reader.refuse(node, "has nth, but nothing that is counted", "Write nth beside exec or syscall.");
  } else if (moment.every && !recurs) {
    reader.refuse(node, "has every, but comes only once", "Write every beside step, log, exec or syscall.");
  }
}

const Section<SpotInterrupt>& spot_interrupt_section() {
  static const Section<SpotInterrupt> section{
      {"grace", [](Reader& reader, const YAML::Node& node,
                   SpotInterrupt& interrupt) { interrupt.grace = reader.duration(node); }},
  };
  return section;
}

static std::string relative_path(Reader& reader, const YAML::Node& node) {
  const std::string text = reader.text(node);
  const std::filesystem::path path = text;
  if (text.empty() || path.is_absolute() || path.lexically_normal() != path || text.back() == '/' ||
      *path.begin() == ".." || *path.begin() == ".") {
    reader.refuse(node, fmt::format("is \"{}\", but must be a path within the repository", text));
  } else if (*path.begin() == ".git") {
    reader.refuse(node, fmt::format("is \"{}\", which lies in git's own folder", text), "Use damage for that.");
  }
  return text;
}

const Section<UpstreamCommit>& upstream_commit_section() {
  static const Section<UpstreamCommit> section{
      {"path",
       [](Reader& reader, const YAML::Node& node, UpstreamCommit& commit) {
         commit.path = relative_path(reader, node);
       },
       true},
      {"content",
       [](Reader& reader, const YAML::Node& node, UpstreamCommit& commit) { commit.content = reader.text(node); },
       true},
  };
  return section;
}

static EditKind edit_kind(Reader& reader, const YAML::Node& node) {
  const std::string kind = reader.choice(node, edit_kind_names());
  if (kind == "untracked") return EditKind::kUntracked;
  if (kind == "stash") return EditKind::kStash;
  return kind == "commit" ? EditKind::kCommit : EditKind::kModify;
}

const Section<UserEdit>& user_edit_section() {
  static const Section<UserEdit> section{
      {"kind", [](Reader& reader, const YAML::Node& node, UserEdit& edit) { edit.kind = edit_kind(reader, node); },
       true},
      {"path", [](Reader& reader, const YAML::Node& node, UserEdit& edit) { edit.path = relative_path(reader, node); },
       true},
      {"content", [](Reader& reader, const YAML::Node& node, UserEdit& edit) { edit.content = reader.text(node); },
       true},
  };
  return section;
}

static ProviderApi provider_api(Reader& reader, const YAML::Node& node) {
  const std::string api = reader.choice(node, provider_api_names());
  if (api == "rest") return ProviderApi::kRest;
  return api == "graphql" ? ProviderApi::kGraphql : ProviderApi::kBoth;
}

static std::string provider_fault(Reader& reader, const YAML::Node& node) {
  const std::string kind = reader.word(node);
  if (nearest(kind, provider_fault_names()) != kind)
    reader.refuse(node, fmt::format("is \"{}\", which is not known", kind), suggest(kind, provider_fault_names()));
  return kind;
}

const Section<ProviderFault>& provider_fault_section() {
  static const Section<ProviderFault> section{
      {"fail",
       [](Reader& reader, const YAML::Node& node, ProviderFault& fault) { fault.kind = provider_fault(reader, node); },
       true},
      {"api",
       [](Reader& reader, const YAML::Node& node, ProviderFault& fault) { fault.api = provider_api(reader, node); }},
      {"for",
       [](Reader& reader, const YAML::Node& node, ProviderFault& fault) {
         const bool for_good = node.IsScalar() && node.Scalar() == "ever";
         fault.lasting = for_good ? Duration(0) : reader.positive_duration(node);
       },
       true},
  };
  return section;
}

static TrainerFaultKind trainer_fault(Reader& reader, const YAML::Node& node) {
  static const std::map<std::string, TrainerFaultKind> kinds{{"crash", TrainerFaultKind::kCrash},
                                                             {"oom", TrainerFaultKind::kOutOfMemory},
                                                             {"segfault", TrainerFaultKind::kSegfault},
                                                             {"exit-zero", TrainerFaultKind::kExitZero},
                                                             {"hang", TrainerFaultKind::kHang},
                                                             {"finish-exit-one", TrainerFaultKind::kFinishExitOne},
                                                             {"save-exit-one", TrainerFaultKind::kSaveExitOne},
                                                             {"kills-container", TrainerFaultKind::kKillsContainer}};
  const auto found = kinds.find(reader.choice(node, trainer_fault_names()));
  return found == kinds.end() ? TrainerFaultKind::kCrash : found->second;
}

const Names& plain_action_names() {
  static const Names names{"spot-interrupt", "kill-container", "recreate-pod", "upstream-commit", "pip-fails"};
  return names;
}

static const Names& action_keys();

static Action plain_action(Reader& reader, const YAML::Node& node) {
  const std::string name = reader.text(node);
  if (name == "spot-interrupt") return SpotInterrupt{};
  if (name == "kill-container") return KillContainer{};
  if (name == "recreate-pod") return RecreatePod{};
  if (name == "upstream-commit") return UpstreamCommit{};
  if (name == "pip-fails") return PipFails{};
  const Names& keyed = action_keys();
  if (nearest(name, keyed) == name) {
    reader.refuse(node, fmt::format("is \"{}\" alone", name),
                  fmt::format("Write it as a map, such as {{{}: …}}.", name));
  } else {
    Names all = plain_action_names();
    all.insert(all.end(), keyed.begin(), keyed.end());
    reader.refuse(node, fmt::format("is \"{}\", which is no action", name), suggest(name, all));
  }
  return KillContainer{};
}

// An action of a single key: what stands behind it.
template <class T>
static Section<Action> with_arguments(const std::string& key, const Section<T>& section) {
  return {{key, [&section](Reader& reader, const YAML::Node& node, Action& action) {
             T value{};
             read_section(reader, node, section, value);
             action = value;
           }}};
}

static const Section<Action>& action_section() {
  static const Section<Action> section = [] {
    Section<Action> all = with_arguments("spot-interrupt", spot_interrupt_section());
    for (auto& more :
         {with_arguments("upstream-commit", upstream_commit_section()),
          with_arguments("user-edit", user_edit_section()), with_arguments("provider", provider_fault_section())}) {
      all.push_back(more.front());
    }
    all.push_back({"damage", [](Reader& reader, const YAML::Node& node, Action& action) {
                     action = GitDamage{reader.choice(node, damage_names())};
                   }});
    all.push_back({"trainer", [](Reader& reader, const YAML::Node& node, Action& action) {
                     action = TrainerFault{trainer_fault(reader, node)};
                   }});
    all.push_back({"pip-fails", [](Reader& reader, const YAML::Node& node, Action& action) {
                     const bool for_good = node.IsScalar() && node.Scalar() == "always";
                     action = PipFails{for_good ? 0 : reader.whole_number(node, 1)};
                   }});
    all.push_back({"env", read_environment_change});
    all.push_back({"exec", read_exec});
    all.push_back({"nvidia-smi", [](Reader& reader, const YAML::Node& node, Action& action) {
                     action = NvidiaSmiFault{nvidia_smi_kind(reader, node)};
                   }});
    return all;
  }();
  return section;
}

const Names& one_key_action_names() {
  static const Names names = keys_of(action_section());
  return names;
}

// Every word that an action written as a map can begin with.
static const Names& action_keys() {
  static const Names keys = [] {
    Names all = one_key_action_names();
    all.emplace_back("network");
    all.insert(all.end(), wide_action_names().begin(), wide_action_names().end());
    return all;
  }();
  return keys;
}

static Action read_action(Reader& reader, const YAML::Node& node) {
  if (!node.IsMap()) return plain_action(reader, node);
  if (node["network"].IsDefined()) return read_network(reader, node);
  Action action = KillContainer{};
  if (read_wide_action(reader, node, action)) return action;
  if (node.size() != 1) {
    reader.refuse(node, fmt::format("has {} keys, but must be one action", node.size()),
                  "Write one timeline entry for each action.");
    return action;
  }
  if (const std::string key = node.begin()->first.Scalar(); nearest(key, action_keys()) != key) {
    reader.refuse(node.begin()->first, fmt::format("is \"{}\", which is no action", key), suggest(key, action_keys()));
    return action;
  }
  read_section(reader, node, action_section(), action);
  return action;
}

const Section<TimelineEntry>& timeline_section() {
  static const Section<TimelineEntry> section{
      {"when", read_moment, true},
      {"do",
       [](Reader& reader, const YAML::Node& node, TimelineEntry& entry) { entry.action = read_action(reader, node); },
       true},
  };
  return section;
}

static void check_entry(Reader& reader, const YAML::Node& node, const TimelineEntry& entry) {
  if (!std::holds_alternative<TrainerFault>(entry.action)) return;
  if (!entry.when.step) {
    reader.refuse(node, "is a trainer's fault without a step", "Say at which step: when: {step: 12}.");
  } else if (entry.when.after != Duration(0)) {
    reader.refuse(node, "is a trainer's fault with after", "A trainer fails at its step, not later.");
  }
}

void read_timeline(Reader& reader, const YAML::Node& node, std::vector<TimelineEntry>& timeline) {
  reader.each(node, [&](const YAML::Node& item) {
    TimelineEntry entry;
    entry.line = Reader::line(item);
    read_section(reader, item, timeline_section(), entry);
    check_entry(reader, item, entry);
    timeline.push_back(entry);
  });
}

}  // namespace scenario
