#pragma once

#include "tests/support/orders.hpp"

#include <continuo/node.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

/// Real nodes for tests: threads, a store in a temporary directory, and the order workflow with services that
/// may be held up.
namespace continuo::tests {

/// A directory that is gone with it, unless CONTINUO_KEEP is set, for a look at what a test left.
class temporary_directory {
public:
  temporary_directory() {
    auto pattern = (std::filesystem::temp_directory_path() / "continuo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw std::runtime_error{"no temporary directory"};
    }
    path_ = pattern;
  }

  ~temporary_directory() {
    if (std::getenv("CONTINUO_KEEP") != nullptr) {
      return;
    }
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;

  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

/// Holds up the handlers that pass it until it is opened, and says how many are held.
class gate {
public:
  void pass() {
    std::unique_lock lock{mutex_};
    ++held_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --held_;
  }

  void open() {
    const std::lock_guard lock{mutex_};
    open_ = true;
    changed_.notify_all();
  }

  /// Waits until so many are held; false if that does not come in 20 s.
  bool wait_for_held(int count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return held_ >= count; });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int held_ = 0;
};

/// What the future gives, or an error if that does not come in 20 s: a test that would hang fails.
template <class T>
result<T> wait_for(std::future<result<T>> future) {
  if (future.wait_for(std::chrono::seconds{20}) != std::future_status::ready) {
    return fail(errc::timed_out, "the test waited for 20 s");
  }
  return future.get();
}

/// How an instance ended, in one line.
inline std::string line_of(const result<saga_result>& end) {
  return end ? std::string{to_string(end->status)} + ": " + end->text() + end->reason
             : std::string{to_string(end.error().code)} + ": " + end.error().message;
}

/// The code of what went wrong, as a word; `ok` where nothing did.
template <class T>
std::string code_of(const result<T>& outcome) {
  return outcome ? "ok" : std::string{to_string(outcome.error().code)};
}

/// A payment service. `held` holds up each charge.
inline service shop_payment(gate* held = nullptr) {
  return service{"payment"}
      .handle([held](const make_payment& command, command_context&) -> outcome<payment_completed> {
        if (held != nullptr) {
          held->pass();
        }
        if (command.cents > 100'000) {
          return decline("amount over the limit");
        }
        return payment_completed{command.order_id};
      })
      .handle([](const refund_payment& command, command_context&) -> outcome<payment_refunded> {
        return payment_refunded{command.order_id};
      });
}

inline service shop_warehouse() {
  return service{"warehouse"}.handle(
      [](const create_label& command, command_context&) -> outcome<label_created> {
        if (command.order_id.starts_with("none")) {
          return decline("out of stock");
        }
        return label_created{"track-" + command.order_id};
      });
}

/// Hosts the order workflow.
inline void host_shop(node& here, gate* held = nullptr) {
  here.host(shop_payment(held));
  here.host(shop_warehouse());
  here.host<fulfilment>();
}

/// Places an order and waits for its end, in one line.
inline std::string place(const node& here, const std::string& order, std::int64_t cents = 100) {
  return line_of(wait_for(here.client().publish(order_placed{order, cents}).result_of<fulfilment>()));
}

} // namespace continuo::tests
