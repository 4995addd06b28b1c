#pragma once

#include "calls.hpp"
#include "messages.hpp"
#include "shop_log.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace order_fulfilment {

struct placer_options {
  endpoint payment{};
  endpoint warehouse{};
  double rate = 0; ///< orders begun a second; 0: as fast as they go
  std::size_t at_once = 16;
  std::chrono::milliseconds timeout = std::chrono::seconds{2}; ///< of a call
};

/// The ordering service as one writes it without Continuo, by a careful programmer: it calls payment, then
/// the warehouse; what fails is tried again a few times; when an order cannot be completed, what was done for
/// it is undone.
///
/// How far an order is stands on the stack of the thread that works on it and nowhere else, as usual with
/// such programs. A restarted one begins the orders that its log does not have; those that were in hand when
/// it was killed it does not continue. It cannot know how far they were: charged or not, printed or not. (The
/// log says which they are, and the keys of the calls would allow to make them again. A program that writes
/// down what it is about to do, and after a crash does it again until it is answered, would be on its way to
/// become a durable workflow runtime.)
class placer {
public:
  /// How the orders ended.
  struct progress {
    std::size_t begun = 0;
    std::size_t shipped = 0;
    std::size_t refused = 0; ///< declined, and nothing is left of it
    std::size_t failed = 0;  ///< given up; the customer is told to ask

    std::size_t in_hand() const { return begun - shipped - refused - failed; }
  };

  // -- construction --------------------------------------------------------------------
  /// Starts with the first order. `log` outlives it.
  placer(placer_options options, std::vector<order_placed> orders, shop_log& log);

  /// Begins no more orders, and returns when those in hand are at their end: each makes at most 9 calls.
  ~placer();
  placer(const placer&) = delete;
  placer& operator=(const placer&) = delete;

  // -- queries ---------------------------------------------------------------------------
  progress so_far() const;

  /// Whether all orders are at their end.
  bool done() const;

  /// Why it stopped by itself, if it did: the log cannot be written.
  std::optional<std::string> trouble() const;

private:
  /// What became of a call. Unknown: there was no answer, so it may have been carried out, or may be later.
  enum class answer { done, declined, unknown };

  void work();
  const order_placed* take();
  std::string_view fulfil(const order_placed& order) const;
  answer ask(const endpoint& server, const std::string& line) const;
  answer ask_patiently(const endpoint& server, const std::string& line) const;

  const placer_options options_;
  const std::vector<order_placed> orders_;
  shop_log& log_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();

  mutable std::mutex mutex_; // guards what follows
  std::condition_variable stop_;
  bool stopping_ = false;
  std::size_t next_ = 0;
  progress progress_;
  std::optional<std::string> trouble_;

  std::vector<std::jthread> threads_;
};

} // namespace order_fulfilment
