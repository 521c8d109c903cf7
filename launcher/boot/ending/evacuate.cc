#include "launcher/boot/ending/evacuate.h"

#include <nlohmann/json.hpp>

#include "launcher/base/helper.h"
#include "launcher/boot/keeper/say.h"
#include "launcher/checkout/checkout.h"
#include "launcher/evacuation/evacuation.h"

namespace boot {

using nlohmann::json;

static evacuation::Request request_for(const Boot& boot, provider::Ending ending) {
  evacuation::Request request;
  request.run = boot.run;
  request.checkout = boot.config.checkout;
  request.private_folder = checkout::private_folder_of(boot.config.checkout);
  request.state = boot.folder;
  request.disks = boot.disks;
  request.ends = ending == provider::Ending::kStop ? evacuation::Ends::kContainer : evacuation::Ends::kPod;
  // Published results are elsewhere already.
  if (boot.journal.memory().published) return request;
  request.results = boot.config.checkpoints;
  for (const config::DoneWhen& done : boot.config.done_when) {
    const std::filesystem::path pattern = done.pattern;
    if (done.kind == config::DoneWhen::Kind::kFile)
      request.results.push_back(pattern.is_absolute() ? done.pattern : (boot.config.checkout / pattern).string());
  }
  return request;
}

// In the helper.
static std::string work(const evacuation::Request& request) {
  const auto outcome = evacuation::evacuate(request);
  json answer;
  if (!outcome) {
    answer = {{"operation", outcome.error().operation}, {"path", outcome.error().path},
              {"detail", outcome.error().detail},       {"remedy", outcome.error().remedy},
              {"errno", outcome.error().system_errno},  {"code", static_cast<int>(outcome.error().code)}};
  } else {
    answer = {{"folder", outcome->folder.string()}, {"kept", outcome->kept}};
  }
  return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

base::Result<void> evacuate(Boot& boot, provider::Ending ending) {
  // Large checkpoints on a slow volume take their time.
  constexpr base::Seconds deadline{3600};
  const evacuation::Request request = request_for(boot, ending);
  const auto text = base::call_helper(boot.waiter, "bring what would be lost to a disk that stays", deadline,
                                      [&] { return work(request); });
  if (!text) return base::fail(text.error());
  const json answer = json::parse(*text, nullptr, false);
  if (!answer.is_object() || !answer.contains("folder")) {
    return base::fail(base::Error{.code = static_cast<base::ErrorCode>(answer.value("code", 0)),
                                  .operation = answer.value("operation", ""),
                                  .path = answer.value("path", ""),
                                  .system_errno = answer.value("errno", 0),
                                  .detail = answer.value("detail", ""),
                                  .remedy = answer.value("remedy", "")});
  }
  const std::string folder = answer.value("folder", "");
  if (folder.empty()) return {};
  for (const auto& kept : answer["kept"]) say_phase("end", "kept safe in {}: {}", folder, kept.get<std::string>());
  (void)boot.journal.note("evacuated", {.phase = "end", .text = folder});
  return {};
}

}  // namespace boot
