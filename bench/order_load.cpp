#include "bench/order_load.hpp"

#include "bench/order_workflow.hpp"

#include <utility>

namespace continuo::bench {

order_load::order_load(client target, options chosen)
    : client_(std::move(target)), options_(chosen), lanes_(chosen.in_flight),
      next_number_(chosen.first_number) {}

void order_load::start() {
  {
    const std::lock_guard guard{mutex_};
    running_ = options_.in_flight;
  }
  for (std::size_t number = 0; number < lanes_.size(); ++number) {
    place(number);
  }
}

void order_load::place(std::size_t lane_number) {
  if (closing_) {
    leave(std::nullopt);
    return;
  }
  const auto order = make_order(next_number_++, options_.random_ids);
  lanes_[lane_number].begun = steady::now();
  client_.publish("order_placed", encode(order), {.wait_for_room = true},
                  [this, lane_number, id = order.order_id](const result<accepted>& taken) {
                    if (!taken) {
                      leave("refused: " + taken.error().message);
                      return;
                    }
                    client_.result_of(
                        {"fulfilment", id}, std::nullopt,
                        [this, lane_number](result<saga_result> outcome) { end(lane_number, outcome); });
                  });
}

void order_load::end(std::size_t lane_number, const result<saga_result>& outcome) {
  if (!outcome) {
    leave("no result: " + outcome.error().message);
    return;
  }
  if (outcome->status != instance_status::completed) {
    leave("an order did not complete: " + outcome->reason);
    return;
  }
  ++ended_;
  if (measuring_) {
    ++measured_;
    auto& own = lanes_[lane_number];
    own.taken.add(std::chrono::duration<double, std::micro>(steady::now() - own.begun).count());
  }
  place(lane_number);
}

void order_load::leave(std::optional<std::string> trouble) {
  const std::lock_guard guard{mutex_};
  if (trouble && !trouble_) {
    trouble_ = std::move(trouble);
  }
  if (--running_ == 0) {
    all_left_.notify_all();
  }
}

bool order_load::finish() {
  closing_ = true;
  std::unique_lock lock{mutex_};
  return all_left_.wait_for(lock, std::chrono::minutes{1}, [this] { return running_ == 0; });
}

latencies order_load::taken() const {
  latencies all;
  for (const auto& one : lanes_) {
    all.add(one.taken);
  }
  return all;
}

std::optional<std::string> order_load::trouble() const {
  const std::lock_guard guard{mutex_};
  return trouble_;
}

} // namespace continuo::bench
