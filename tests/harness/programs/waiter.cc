// A static program that waits in one of the ways a program can, and checks by the monotonic clock that the wait took
// what it should. Started by the tests of the stage, and runs the same without one, only slower.
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <string>

static double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

static volatile sig_atomic_t alarms = 0;
static void count_alarm(int) {
  alarms = alarms + 1;
}

static bool took(double since, double want) {
  return std::fabs(now() - since - want) < 0.05;
}

static bool timer_descriptor(bool interval) {
  const double start = now();
  const int file = timerfd_create(CLOCK_MONOTONIC, 0);
  const itimerspec spec{{interval ? 5 : 0, 0}, {7, 0}};
  timerfd_settime(file, 0, &spec, nullptr);
  itimerspec left{};
  timerfd_gettime(file, &left);
  std::uint64_t count = 0;
  if (left.it_value.tv_sec < 6) return false;
  if (read(file, &count, sizeof count) != sizeof count || count != 1 || !took(start, 7)) return false;
  if (!interval) return true;
  const int set = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(set, EPOLL_CTL_ADD, file, &event);
  return epoll_wait(set, &event, 1, -1) == 1 && took(start, 12);
}

static bool posix_timer() {
  const double start = now();
  signal(SIGUSR2, count_alarm);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR2;
  timer_t timer{};
  timer_create(CLOCK_REALTIME, &event, &timer);
  const itimerspec spec{{3, 0}, {9, 0}};
  timer_settime(timer, 0, &spec, nullptr);
  while (alarms < 3) pause();
  return took(start, 15) && timer_delete(timer) == 0;
}

static bool receive_timeout() {
  const double start = now();
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  const timeval limit{11, 0};
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char byte = 0;
  return recv(pair[0], &byte, 1, 0) == -1 && errno == EAGAIN && took(start, 11);
}

static bool futex_wait() {
  const double start = now();
  std::uint32_t word = 0;
  const timespec limit{4, 500'000'000};
  return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &limit, nullptr, 0) == -1 && errno == ETIMEDOUT && took(start, 4.5);
}

static bool wait_pselect() {
  const double start = now();
  fd_set set;
  FD_ZERO(&set);
  int pipes[2];
  if (pipe(pipes) != 0) return false;
  FD_SET(pipes[0], &set);
  const timespec limit{6, 0};
  return pselect(pipes[0] + 1, &set, nullptr, nullptr, &limit, nullptr) == 0 && !FD_ISSET(pipes[0], &set) &&
         took(start, 6);
}

static bool wait_epoll() {
  const double start = now();
  const timespec limit{8, 0};
  epoll_event event{};
  return epoll_pwait2(epoll_create1(0), &event, 1, &limit, nullptr) == 0 && took(start, 8);
}

static bool wait_ppoll() {
  const double start = now();
  const timespec limit{13, 0};
  return ppoll(nullptr, 0, &limit, nullptr) == 0 && took(start, 13);
}

static bool absolute_sleep() {
  const double start = now();
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 17;
  return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, nullptr) == 0 && took(start, 17);
}

// A moment of this clock that has passed may be far ahead on the clock of the machine.
static bool until_what_has_passed() {
  const double start = now();
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  std::uint32_t word = 0;
  const bool slept = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == 0;
  const bool timed_out =
      syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &until, nullptr, FUTEX_BITSET_MATCH_ANY) == -1 &&
      errno == ETIMEDOUT;
  return slept && timed_out && took(start, 0);
}

static bool uptime() {
  struct sysinfo before {};
  struct sysinfo after {};
  sysinfo(&before);
  sleep(20);
  sysinfo(&after);
  return std::labs(after.uptime - before.uptime - 20) <= 1;
}

static bool semaphore() {
  const double start = now();
  const int set = semget(IPC_PRIVATE, 1, 0600);
  sembuf take{0, -1, 0};
  const timespec limit{5, 0};
  const bool timed_out = semtimedop(set, &take, 1, &limit) == -1 && errno == EAGAIN;
  semctl(set, 0, IPC_RMID);
  return timed_out && took(start, 5);
}

static bool interrupted() {
  const double start = now();
  signal(SIGALRM, count_alarm);
  alarm(4);
  const timespec whole{10, 0};
  timespec left{};
  if (nanosleep(&whole, &left) != -1 || errno != EINTR || !took(start, 4) || std::labs(left.tv_sec - 6) > 1)
    return false;
  return nanosleep(&left, nullptr) == 0 && took(start, 10);
}

int main(int count, char** words) {
  const std::map<std::string, std::function<bool()>> waits{
      {"timerfd", [] { return timer_descriptor(false); }},
      {"timerfd-interval", [] { return timer_descriptor(true); }},
      {"posix-timer", posix_timer},
      {"receive-timeout", receive_timeout},
      {"futex", futex_wait},
      {"pselect", wait_pselect},
      {"epoll_pwait2", wait_epoll},
      {"ppoll", wait_ppoll},
      {"absolute", absolute_sleep},
      {"passed", until_what_has_passed},
      {"sysinfo", uptime},
      {"semtimedop", semaphore},
      {"interrupted", interrupted},
  };
  const auto found = waits.find(count > 1 ? words[1] : "");
  if (found == waits.end()) return 2;
  const bool good = found->second();
  std::puts(good ? "as expected" : std::strerror(errno));
  return good ? 0 : 1;
}
