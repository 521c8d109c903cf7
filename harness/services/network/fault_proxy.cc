// One thread, any number of conversations. Each takes in a whole request, asks the service behind for its whole answer
// (or does not), and then delivers what the rules make of it. Answers are held whole, so that the service, which
// answers one request at a time, is free again however slowly its answer goes out.
#include "harness/services/network/fault_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <list>

#include "base/unique_fd.h"
#include "harness/pod/world/network_rules.h"
#include "harness/services/network/http_bytes.h"
#include "harness/services/network/spoilt_answer.h"
#include "harness/services/network/tls_channel.h"

namespace services {

using pod::Duration;
using pod::NetworkRule;

static constexpr int kExitFailure = 1;
static constexpr Duration kSlowTick = std::chrono::seconds(1);

static Duration now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

struct Conversation {
  enum class State { kAsking, kAnswering, kDelivering, kSilent, kOver };

  base::UniqueFd client;
  std::optional<TlsChannel> tls;
  base::UniqueFd service;
  State state = State::kAsking;
  std::string request;
  std::string answer;
  NetworkRule* rule = nullptr;  // that strikes it
  Delivery delivery;
  std::size_t delivered = 0;
  std::optional<Duration> resumes;  // nothing is sent before
};

class Proxy {
 public:
  explicit Proxy(const FaultProxy& settings)
      : settings_(settings),
        listener_(settings.descriptor),
        log_(::open(settings.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
    ::fcntl(listener_.get(), F_SETFL, O_NONBLOCK);
    if (!settings.certificate.empty()) tls_ = load_tls(settings.certificate, settings.key_file);
  }

  bool can_serve() const { return settings_.certificate.empty() || tls_ != nullptr; }
  int run();

 private:
  void accept_all();
  bool hear(Conversation& one);
  void take_request(Conversation& one);
  void ask(Conversation& one);
  void take_answer(Conversation& one);
  void answered(Conversation& one, std::string answer);
  void begin_delivery(Conversation& one, Delivery delivery);
  void deliver(Conversation& one);
  void end(Conversation& one);
  bool client_is_gone(const Conversation& one);
  void learn_rules();
  void strike(Conversation& one, bool about_packs);
  int patience() const;

  const FaultProxy& settings_;
  base::UniqueFd listener_;
  base::UniqueFd log_;
  TlsSettings tls_;
  std::list<NetworkRule> rules_;  // a list: conversations point at them
  std::size_t lines_known_ = 0;
  std::list<Conversation> conversations_;
};

// --- Rules ---------------------------------------------------------------------------------------------------------

void Proxy::learn_rules() {
  std::ifstream file(settings_.rules);
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    if (++number <= lines_known_) continue;
    lines_known_ = number;
    if (auto rule = pod::decode_network_rule(line)) rules_.push_back(std::move(*rule));
  }
}

// A name that does not exist; the world notices the look, and counts as this proxy is about to.
static void mark(const std::string& service, bool pack, const std::string& request) {
  const std::string what = fmt::format("{}/{}/{}", service, pack ? "pack" : "request", request);
  (void)::access(("/.simrun/mark/network/" + what.substr(0, 500)).c_str(), F_OK);
}

void Proxy::strike(Conversation& one, bool about_packs) {
  learn_rules();
  mark(settings_.service, about_packs, request_target(one.request));
  for (NetworkRule& rule : rules_) {
    if (concerns_packs(rule.fault) == about_packs && rule.strike(now()) && one.rule == nullptr) one.rule = &rule;
  }
  if (one.rule == nullptr) return;
  const std::string line = pod::spoilt_line(*one.rule, request_target(one.request));
  (void)!::write(log_.get(), line.data(), line.size());  // there is nobody to tell
}

// --- One conversation ----------------------------------------------------------------------------------------------

void Proxy::accept_all() {
  while (true) {
    base::UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client.valid()) return;
    conversations_.emplace_back();
    conversations_.back().client = std::move(client);
    if (tls_ != nullptr) conversations_.back().tls.emplace(tls_);
  }
}

// Appends what has come. False: the other side has closed, or the connection is broken.
static bool receive(int socket, std::string& onto) {
  std::array<char, 65536> buffer;
  const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size > 0) onto.append(buffer.data(), static_cast<std::size_t>(size));
  return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

bool Proxy::hear(Conversation& one) {
  if (!one.tls) return receive(one.client.get(), one.request);
  std::string sealed;
  if (!receive(one.client.get(), sealed) || !one.tls->take(sealed, one.request)) return false;
  const std::string due = one.tls->due();
  (void)!::send(one.client.get(), due.data(), due.size(), MSG_NOSIGNAL);  // a client that is gone is seen later
  return true;
}

void Proxy::take_request(Conversation& one) {
  if (!hear(one)) {
    one.state = Conversation::State::kOver;
    return;
  }
  // A client that sends a long request first asks whether it may.
  if (header_value(one.request, "Expect") == "100-continue" && !request_is_whole(one.request)) {
    static constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
    if (one.answer.empty()) (void)!::send(one.client.get(), kGoOn.data(), kGoOn.size(), MSG_NOSIGNAL);
    one.answer = kGoOn;
  }
  if (!request_is_whole(one.request)) return;
  one.answer.clear();
  if (is_in_redirect_loop(one.request)) return begin_delivery(one, next_redirect(one.request));
  strike(one, false);
  if (one.rule != nullptr && answers_alone(one.rule->fault)) {
    return begin_delivery(one, spoil(one.rule->fault, one.request, {}));
  }
  ask(one);
}

void Proxy::ask(Conversation& one) {
  if (settings_.port == 0) {
    static constexpr std::string_view kYes =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes";
    const std::string line = request_target(one.request) + " 200 -\n";
    (void)!::write(log_.get(), line.data(), line.size());  // there is nobody to tell
    return answered(one, std::string(kYes));
  }
  one.service.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(settings_.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  one.state = Conversation::State::kOver;
  if (::connect(one.service.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
  for (std::size_t sent = 0; sent < one.request.size();) {
    const ssize_t size = ::send(one.service.get(), one.request.data() + sent, one.request.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) return;
    sent += static_cast<std::size_t>(size);
  }
  one.state = Conversation::State::kAnswering;
}

void Proxy::take_answer(Conversation& one) {
  if (receive(one.service.get(), one.answer)) return;
  one.service.reset();
  answered(one, std::move(one.answer));
}

void Proxy::answered(Conversation& one, std::string answer) {
  one.answer = std::move(answer);
  if (one.rule == nullptr && holds_pack(one.answer)) strike(one, true);
  begin_delivery(one, one.rule != nullptr ? spoil(one.rule->fault, one.request, one.answer)
                                          : Delivery{.bytes = std::move(one.answer)});
}

// In two parts where it pauses, so that the client can read the first of them.
static Delivery sealed(TlsChannel& tls, Delivery delivery) {
  const std::string plain = std::move(delivery.bytes);
  const std::size_t first = delivery.pause_at.value_or(plain.size());
  delivery.bytes = tls.seal(plain.substr(0, first));
  if (delivery.pause_at) delivery.pause_at = delivery.bytes.size();
  delivery.bytes += tls.seal(plain.substr(first));
  if (delivery.end == Delivery::End::kClosed) delivery.bytes += tls.farewell();
  return delivery;
}

void Proxy::begin_delivery(Conversation& one, Delivery delivery) {
  one.delivery = one.tls ? sealed(*one.tls, std::move(delivery)) : std::move(delivery);
  one.state = Conversation::State::kDelivering;
  deliver(one);
}

void Proxy::deliver(Conversation& one) {
  Delivery& delivery = one.delivery;
  std::size_t end = delivery.bytes.size();
  if (delivery.pause_at && !one.resumes) end = *delivery.pause_at;
  if (delivery.bytes_per_second > 0) end = std::min(end, one.delivered + delivery.bytes_per_second);
  while (one.delivered < end) {
    const ssize_t size = ::send(one.client.get(), delivery.bytes.data() + one.delivered, end - one.delivered,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) {
      one.state = Conversation::State::kOver;
      return;
    }
    one.delivered += static_cast<std::size_t>(size);
  }
  if (delivery.pause_at && !one.resumes) {
    // A fault without an end leaves nothing to wait for.
    if (one.rule == nullptr || one.rule->until == Duration::zero()) {
      one.state = Conversation::State::kSilent;
    } else {
      one.resumes = one.rule->until;
    }
  } else if (one.delivered < delivery.bytes.size()) {
    one.resumes = now() + kSlowTick;
  } else {
    this->end(one);
  }
}

void Proxy::end(Conversation& one) {
  if (one.delivery.end == Delivery::End::kSilent) {
    one.state = Conversation::State::kSilent;
    return;
  }
  if (one.delivery.end == Delivery::End::kReset) {
    const linger at_once{1, 0};
    ::setsockopt(one.client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  one.state = Conversation::State::kOver;
}

bool Proxy::client_is_gone(const Conversation& one) {
  std::string ignored;  // a client that goes on talking has nothing to say before it was answered
  return !receive(one.client.get(), ignored);
}

// --- All of them ---------------------------------------------------------------------------------------------------

// Milliseconds until something is due by itself; -1: nothing is.
int Proxy::patience() const {
  std::optional<Duration> next;
  for (const Conversation& one : conversations_) {
    if (one.state == Conversation::State::kDelivering && one.resumes)
      next = std::min(next.value_or(*one.resumes), *one.resumes);
  }
  if (!next) return -1;
  return static_cast<int>(
      std::chrono::ceil<std::chrono::milliseconds>(std::max(*next - now(), Duration::zero())).count());
}

int Proxy::run() {
  using State = Conversation::State;
  while (true) {
    std::vector<pollfd> polls{{listener_.get(), POLLIN, 0}};
    std::vector<Conversation*> polled{nullptr};
    for (Conversation& one : conversations_) {
      const bool from_service = one.state == State::kAnswering;
      const bool may_send = one.state == State::kDelivering && (!one.resumes || *one.resumes <= now());
      polls.push_back(
          {from_service ? one.service.get() : one.client.get(), static_cast<short>(may_send ? POLLOUT : POLLIN), 0});
      polled.push_back(&one);
    }
    if (::poll(polls.data(), polls.size(), patience()) < 0 && errno != EINTR) return kExitFailure;
    for (std::size_t i = 1; i < polls.size(); ++i) {
      Conversation& one = *polled[i];
      const bool due = one.state == State::kDelivering && one.resumes && *one.resumes <= now();
      if (polls[i].revents == 0 && !due) continue;
      if (one.state == State::kAsking) {
        take_request(one);
      } else if (one.state == State::kAnswering) {
        take_answer(one);
      } else if (due || polls[i].events == POLLOUT) {
        deliver(one);
      } else if (client_is_gone(one)) {
        one.state = State::kOver;
      }
    }
    conversations_.remove_if([](const Conversation& one) { return one.state == State::kOver; });
    if (polls[0].revents != 0) accept_all();
  }
}

int run_fault_proxy(const FaultProxy& settings) {
  Proxy proxy(settings);
  if (!proxy.can_serve()) {
    fmt::print(stderr, "faults: the certificate cannot be used\n");
    return kExitFailure;
  }
  return proxy.run();
}

}  // namespace services
