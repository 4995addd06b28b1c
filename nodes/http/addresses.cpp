#include "nodes/http/addresses.hpp"

#include "nodes/threads.hpp"

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace continuo::http {

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using clock = std::chrono::steady_clock;

/// Looked up at the same time in this process, whether somebody waits for it or not: each has a thread.
constexpr int look_ups_max = 64;

std::atomic<int> under_way{0};

/// One of them, unless there are as many as there may be.
class place {
public:
  place() : is_taken_(++under_way <= look_ups_max) {}
  ~place() { --under_way; }
  place(const place&) = delete;
  place& operator=(const place&) = delete;

  bool is_taken() const { return is_taken_; }

private:
  bool is_taken_;
};

std::unique_ptr<place> take_place() {
  auto made = std::make_unique<place>();
  return made->is_taken() ? std::move(made) : nullptr;
}

/// What a look-up shares with who waits for it, and who may give up.
struct look_up {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  boost::system::error_code trouble;
  addresses found;
};

} // namespace

/// A name server may be silent for long, and asking it cannot be interrupted: so it is asked on a thread that
/// nobody has to wait for.
result<addresses> addresses_of(const std::string& host, std::uint16_t port, clock::time_point deadline,
                               const std::atomic<bool>& stopping) {
  boost::system::error_code no_literal;
  if (const auto literal = asio::ip::make_address(host, no_literal); !no_literal) {
    return addresses{{literal, port}};
  }
  constexpr std::chrono::milliseconds looks_apart{100};
  auto room = take_place();
  for (; !room && !stopping && clock::now() < deadline; room = take_place()) {
    std::this_thread::sleep_until(std::min(deadline, clock::now() + looks_apart));
  }
  if (!room) {
    return stopping
               ? fail(errc::unavailable, "the node stops")
               : fail(errc::timed_out, fmt::format("its name was not asked for: {} others wait for the name "
                                                   "server",
                                                   look_ups_max));
  }
  auto shared = std::make_shared<look_up>();
  auto asks =
      nodes::start_thread("resolver", [shared, host, port, room = std::shared_ptr<place>{std::move(room)}] {
        asio::io_context context;
        boost::system::error_code trouble;
        const auto found = tcp::resolver{context}.resolve(host, std::to_string(port), trouble);
        const std::lock_guard lock{shared->mutex};
        shared->trouble = trouble;
        shared->found.assign(found.begin(), found.end());
        shared->done = true;
        shared->changed.notify_all();
      });
  if (!asks) {
    return tl::unexpected(std::move(asks.error()));
  }
  asks->detach();
  std::unique_lock lock{shared->mutex};
  while (!shared->done && !stopping && clock::now() < deadline) {
    shared->changed.wait_until(lock, std::min(deadline, clock::now() + looks_apart),
                               [&] { return shared->done; });
  }
  if (stopping) {
    return fail(errc::unavailable, "the node stops");
  }
  if (!shared->done) {
    return fail(errc::timed_out, "its name was not found in time");
  }
  if (shared->trouble) {
    return fail(errc::handler_failed, fmt::format("its name is not known: {}", shared->trouble.message()));
  }
  return shared->found;
}

} // namespace continuo::http
