// What a fault makes of an answer. Pure: the honest answer and the fault go in, what the client gets comes out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "harness/scenario/scenario.h"

namespace services {

struct Delivery {
  enum class End {
    kClosed,  // as servers do
    kReset,   // the connection breaks
    kSilent,  // it stays open, and nothing comes any more
  };
  std::string bytes;
  std::optional<std::size_t> pause_at = std::nullopt;  // after so many bytes nothing comes until the fault is over
  std::size_t bytes_per_second = 0;                    // 0: as fast as they are taken
  End end = End::kClosed;
};

// Faults that answer by themselves: the service behind is not asked.
bool answers_alone(const scenario::NetworkFault& fault);
// Faults that concern answers with a pack alone.
bool concerns_packs(const scenario::NetworkFault& fault);
bool holds_pack(std::string_view answer);

// `answer` is empty where the fault answers alone.
Delivery spoil(const scenario::NetworkFault& fault, std::string_view request, std::string_view answer);
// A chain of redirections, once entered, does not end.
bool is_in_redirect_loop(std::string_view request);
Delivery next_redirect(std::string_view request);

}  // namespace services
