#include "placer.hpp"

#include <nlohmann/json.hpp>

#include <system_error>
#include <utility>

namespace order_fulfilment {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr int attempts_max = 3;
constexpr auto first_pause = 100ms; // doubles from attempt to attempt

std::string charge(const order_placed& order) {
  return json{
      {"call", "charge"}, {"order_id", order.order_id}, {"cents", order.cents}, {"method", order.method}}
      .dump();
}

std::string create_label(const order_placed& order) {
  return json{{"call", "create_label"},
              {"order_id", order.order_id},
              {"item", order.item},
              {"quantity", order.quantity}}
      .dump();
}

std::string undo(const char* what, const order_placed& order) {
  return json{{"call", what}, {"order_id", order.order_id}}.dump();
}

} // namespace

placer::placer(placer_options options, std::vector<order_placed> orders, shop_log& log)
    : options_(std::move(options)), orders_(std::move(orders)), log_(log) {
  for (std::size_t i = 0; i < options_.at_once; ++i) {
    threads_.emplace_back([this] { work(); });
  }
}

placer::~placer() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  stop_.notify_all();
  threads_.clear(); // joins them
}

// -- the orders --------------------------------------------------------------------------------

/// The next order, when its time has come; nothing when there is none, or it is to stop.
const order_placed* placer::take() {
  std::unique_lock lock{mutex_};
  if (stopping_ || next_ == orders_.size()) {
    return nullptr;
  }
  const auto index = next_++;
  if (options_.rate > 0) {
    const auto due = start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                  std::chrono::duration<double>{static_cast<double>(index) / options_.rate});
    stop_.wait_until(lock, due, [this] { return stopping_; });
  }
  if (stopping_) {
    return nullptr;
  }
  ++progress_.begun;
  return &orders_[index];
}

void placer::work() {
  while (const auto* order = take()) {
    try {
      log_.append("begun", order->order_id);
      const auto end = fulfil(*order);
      log_.append(end, order->order_id);
      const std::lock_guard lock{mutex_};
      progress_.shipped += end == "shipped";
      progress_.refused += end == "refused";
      progress_.failed += end == "failed";
    } catch (const std::system_error& error) {
      const std::lock_guard lock{mutex_};
      trouble_ = error.what();
      stopping_ = true;
      stop_.notify_all();
    }
  }
}

/// Sees an order to its end and says which: `shipped`, `refused` or `failed`. A kill between any two lines
/// leaves behind what the lines before it did.
std::string_view placer::fulfil(const order_placed& order) const {
  const auto paid = ask_patiently(options_.payment, charge(order));
  if (paid == answer::declined) {
    return "refused";
  }
  if (paid == answer::unknown) {
    ask(options_.payment, undo("refund", order)); // it may have been charged; that is all one can do
    return "failed";
  }
  const auto label = ask_patiently(options_.warehouse, create_label(order));
  if (label == answer::done) {
    return "shipped";
  }
  if (label == answer::declined) {
    const auto refunded = ask_patiently(options_.payment, undo("refund", order));
    return refunded == answer::done ? "refused" : "failed";
  }
  ask(options_.warehouse, undo("void", order)); // it may have been printed
  ask(options_.payment, undo("refund", order));
  return "failed";
}

// -- the calls -----------------------------------------------------------------------------------

placer::answer placer::ask(const endpoint& server, const std::string& line) const {
  const auto told = call(server, line, options_.timeout);
  const auto parsed = told ? json::parse(*told, nullptr, false) : json{};
  if (parsed.contains("done")) {
    return answer::done;
  }
  return parsed.contains("declined") ? answer::declined : answer::unknown;
}

placer::answer placer::ask_patiently(const endpoint& server, const std::string& line) const {
  auto pause = first_pause;
  for (int attempt = 1;; ++attempt, pause *= 2) {
    const auto told = ask(server, line);
    if (told != answer::unknown || attempt == attempts_max) {
      return told;
    }
    std::this_thread::sleep_for(pause);
  }
}

// -- queries ---------------------------------------------------------------------------------------

placer::progress placer::so_far() const {
  const std::lock_guard lock{mutex_};
  return progress_;
}

bool placer::done() const {
  const std::lock_guard lock{mutex_};
  return progress_.begun == orders_.size() && progress_.in_hand() == 0;
}

std::optional<std::string> placer::trouble() const {
  const std::lock_guard lock{mutex_};
  return trouble_;
}

} // namespace order_fulfilment
