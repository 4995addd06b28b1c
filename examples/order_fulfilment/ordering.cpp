#include "ordering.hpp"

#include "fulfilment.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <unordered_set>
#include <utility>

namespace order_fulfilment {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t unanswered_max = 1'000;

} // namespace

ordering::ordering(continuo::client client, std::vector<order_placed> orders, double rate)
    : client_(std::move(client)), orders_(std::move(orders)), rate_(rate) {}

// -- actions ---------------------------------------------------------------------------

continuo::result<void> ordering::find_known() {
  const auto known =
      client_
          .list(continuo::message_name<fulfilment>(), std::nullopt, std::numeric_limits<std::size_t>::max())
          .get();
  if (!known) {
    return tl::unexpected(known.error());
  }
  std::unordered_set<std::string> keys;
  for (const auto& view : *known) {
    keys.insert(view.instance.key);
    ++placed_;
    watch(view.instance);
  }
  std::erase_if(orders_, [&](const order_placed& order) { return keys.contains(order.order_id); });
  return {};
}

continuo::result<void> ordering::step(std::chrono::steady_clock::time_point now) {
  while (!unanswered_.empty() && unanswered_.front().taken().wait_for(0s) == std::future_status::ready) {
    const auto& answer = unanswered_.front().get();
    if (!answer) {
      return tl::unexpected(answer.error());
    }
    ++placed_; // durable: from here on the order cannot be lost
    std::for_each(answer->instances.begin(), answer->instances.end(),
                  [this](const auto& order) { watch(order); });
    unanswered_.pop_front();
  }
  const auto begun = begun_.value_or(now);
  begun_ = begun;
  const auto due =
      rate_ > 0 ? 1 + static_cast<std::size_t>(std::chrono::duration<double>(now - begun).count() * rate_)
                : orders_.size();
  for (; next_ < std::min(due, orders_.size()) && unanswered_.size() < unanswered_max; ++next_) {
    unanswered_.push_back(client_.publish(orders_[next_], {.wait_for_room = true}));
  }
  return {};
}

void ordering::watch(const continuo::instance_id& order) {
  client_.result_of(order, std::nullopt, [ends = ends_](const continuo::result<continuo::saga_result>& end) {
    // An error says that the node stops: the order goes on with its next start.
    if (end) {
      ++(end->status == continuo::instance_status::completed ? ends->shipped : ends->compensated);
    }
  });
}

// -- queries --------------------------------------------------------------------------------

ordering::progress ordering::so_far() const {
  return {placed_, ends_->shipped, ends_->compensated};
}

bool ordering::done() const {
  return next_ == orders_.size() && unanswered_.empty() && so_far().waiting() == 0;
}

} // namespace order_fulfilment
