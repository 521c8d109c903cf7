// What the world's HTTP services share: an inherited socket that listens already, and one request at a time, each on a
// connection of its own. The order of the answers then does not depend on threads, and nothing wakes up by itself while
// nobody asks.
#pragma once

#include <httplib.h>

#include <functional>
#include <utility>

namespace services {

// Requests are answered where they are accepted: no threads.
class OneAtATime : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> request) override { request(); }
  void shutdown() override {}
};

template <class Server>
class Adopting : public Server {
 public:
  template <class... Arguments>
  explicit Adopting(Arguments&&... arguments) : Server(std::forward<Arguments>(arguments)...) {}
  void adopt(int listening_fd) { this->svr_sock_ = listening_fd; }
};

// Returns only when the socket has failed.
template <class Server>
void serve_one_at_a_time(Adopting<Server>& server, int listening_fd, int stall_seconds) {
  server.new_task_queue = [] { return new OneAtATime; };
  server.set_keep_alive_max_count(1);
  server.set_read_timeout(stall_seconds);
  server.set_write_timeout(stall_seconds);
  server.adopt(listening_fd);
  server.listen_after_bind();
}

}  // namespace services
