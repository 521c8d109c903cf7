#include "launcher/pod/gpus.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <regex>
#include <sstream>

namespace pod {

using State = GpuReport::State;
using base::Answer;

bool in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

static std::string trim(const std::string& text) {
  const std::size_t start = text.find_first_not_of(" \t\r");
  if (start == std::string::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t\r") - start + 1);
}

static std::vector<std::vector<std::string>> rows_of(std::string_view answer) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines{std::string(answer)};
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> fields;
    std::istringstream row(line);
    for (std::string field; std::getline(row, field, ',');) fields.push_back(trim(field));
    if (!fields.empty()) rows.push_back(std::move(fields));
  }
  return rows;
}

// "[N/A]" is a thing that this model does not know; these are things that it could not be asked.
static std::string complaint_in(const std::vector<std::string>& fields) {
  for (const std::string& field : fields) {
    if (field == "[GPU is lost]" || field == "[Unknown Error]" || field == "[GPU requires reset]")
      return field.substr(1, field.size() - 2);
  }
  return {};
}

void parse_gpus(std::string_view answer, GpuReport& report) {
  constexpr std::size_t kFields = 6;
  for (const auto& fields : rows_of(answer)) {
    if (fields.size() < kFields || !fields[0].starts_with("GPU-")) continue;
    report.gpus.push_back({.uuid = fields[0],
                           .name = fields[1],
                           .memory_mebibytes = std::atol(fields[2].c_str()),
                           .memory_used_mebibytes = std::atol(fields[4].c_str()),
                           .uncorrected_errors = std::atol(fields[5].c_str()),  // "[N/A]" counts as none
                           .trouble = complaint_in(fields)});
    report.driver = fields[3];
  }
}

Answer NvidiaSmi::call(const std::vector<std::string>& arguments, base::Waiter& waiter, base::Seconds deadline) {
  base::Program program;
  program.arguments = {"nvidia-smi"};
  program.arguments.insert(program.arguments.end(), arguments.begin(), arguments.end());
  Answer answer = base::ask(program, waiter, deadline);
  stuck_ = answer.stuck;
  return answer;
}

static std::vector<std::string> query_of(const std::string& ids) {
  std::vector<std::string> arguments{
      "--query-gpu=uuid,name,memory.total,driver_version,memory.used,ecc.errors.uncorrected.volatile.total",
      "--format=csv,noheader,nounits"};
  if (!ids.empty()) arguments.push_back("--id=" + ids);
  return arguments;
}

static GpuReport failed(const Answer& answer) {
  GpuReport report;
  report.state = answer.state == Answer::State::kSilent ? State::kHung : State::kFailed;
  const std::string first = trim(answer.output.substr(0, answer.output.find('\n')));
  report.detail = answer.state == Answer::State::kEnded ? answer.status.describe() + ": " + first : "it did not answer";
  return report;
}

// One GPU that is lost makes the question for all of them fail; the list names those that are left.
GpuReport NvidiaSmi::describe_others(const Answer& refusal, base::Waiter& waiter, base::Seconds deadline) {
  const Answer list = call({"-L"}, waiter, deadline);
  if (list.state == Answer::State::kSilent) return failed(list);
  static const std::regex uuid(R"(\(UUID: (GPU-[0-9a-fA-F-]+)\))");
  std::string ids;
  std::vector<std::string> lost;
  std::istringstream lines(list.output);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_search(line, match, uuid)) {
      ids += (ids.empty() ? "" : ",") + match[1].str();
    } else if (line.find("Unable to determine the device handle") != std::string::npos) {
      lost.push_back(trim(line));
    }
  }
  if (ids.empty()) return failed(refusal);
  const Answer others = call(query_of(ids), waiter, deadline);
  if (!others.good()) return failed(others.state == Answer::State::kSilent ? others : refusal);
  GpuReport report;
  report.state = State::kAnswered;
  report.lost = std::move(lost);
  parse_gpus(others.output, report);
  return report;
}

// GPUs since A100 replace rows of memory that fail; when they cannot any more, the GPU is to be replaced. Others answer
// "[N/A]" or do not know the question.
void NvidiaSmi::look_at_memory(GpuReport& report, base::Waiter& waiter, base::Seconds deadline) {
  const Answer answer = call(
      {"--query-remapped-rows=gpu_uuid,remapped_rows.pending,remapped_rows.failure", "--format=csv,noheader,nounits"},
      waiter, deadline);
  if (!answer.good()) return;
  for (const auto& fields : rows_of(answer.output)) {
    const auto gpu = std::ranges::find(report.gpus, fields[0], &Gpu::uuid);
    if (fields.size() < 3 || gpu == report.gpus.end() || !gpu->trouble.empty()) continue;
    const auto yes = [](const std::string& field) { return field == "1" || field == "Yes"; };
    if (yes(fields[2])) gpu->trouble = "its memory has failed: no rows are left to replace bad ones";
  }
}

GpuReport NvidiaSmi::ask(base::Waiter& waiter, base::Seconds deadline) {
  GpuReport report;
  if (!in_path("nvidia-smi")) return report;
  if (stuck_ != 0 && ::kill(stuck_, 0) == 0) {
    report.state = State::kHung;
    report.detail = "the one that was asked before is still stuck in the driver";
    return report;
  }
  const Answer answer = call(query_of({}), waiter, deadline);
  if (answer.state == Answer::State::kSilent) return failed(answer);
  if (answer.good() || answer.output.find("No devices were found") != std::string::npos) {
    report.state = State::kAnswered;
    parse_gpus(answer.output, report);
  } else {
    report = describe_others(answer, waiter, deadline);
  }
  if (report.state == State::kAnswered && !report.gpus.empty()) look_at_memory(report, waiter, deadline);
  return report;
}

void probe(GpuReport& report, const std::string& command, base::Waiter& waiter, base::Seconds deadline,
           const std::function<std::string(const base::Answer&)>& root_of) {
  std::vector<base::Program> programs;
  std::vector<Gpu*> probed;
  for (Gpu& gpu : report.gpus) {
    if (!gpu.trouble.empty()) continue;
    base::Program program;
    program.arguments = {"sh", "-c", command};
    program.environment = {{"CUDA_VISIBLE_DEVICES", gpu.uuid}};
    programs.push_back(std::move(program));
    probed.push_back(&gpu);
  }
  const std::vector<Answer> answers = base::ask_all(programs, waiter, deadline);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Answer& answer = answers[i];
    if (answer.state == Answer::State::kSilent) {
      probed[i]->trouble = fmt::format("the probe did not end within {} s", deadline.count());
    } else if (answer.state == Answer::State::kEnded && !answer.status.success()) {
      const std::string said = root_of(answer);
      probed[i]->trouble = fmt::format("the probe failed ({}{}{})", answer.status.describe(), said.empty() ? "" : ": ",
                                       said.substr(0, 200));
    }
  }
}

std::string parse_xid(std::string_view log) {
  static const std::regex xid(
      R"(NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): (\d+)(?:, (?:pid=[^,]*, )?(?:name=[^,]*, )?(.*))?)");
  std::string found;
  std::istringstream lines{std::string(log)};
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (!std::regex_search(line, match, xid)) continue;
    found = fmt::format("Xid {} on {}", match[2].str(), match[1].str());
    if (match[3].length() > 0) found += fmt::format(" ({})", trim(match[3].str()).substr(0, 120));
  }
  return found;
}

std::string newest_xid(base::Waiter& waiter) {
  if (!in_path("dmesg")) return {};
  base::Program program;
  program.arguments = {"dmesg"};
  const Answer answer = base::ask(program, waiter, base::Seconds(5));
  return answer.good() ? parse_xid(answer.output) : std::string();  // in most containers the log may not be read
}

}  // namespace pod
