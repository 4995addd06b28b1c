#include "actors/event_board.hpp"

#include <algorithm>

namespace continuo::actors {

void event_board::watch_until(engine::boot_time end) {
  const std::lock_guard lock{mutex_};
  if (!watched_) {
    // Nothing was noted meanwhile: whoever comes back has lost what happened, and is told so.
    events_.clear();
    ++last_;
  }
  until_ = std::max(until_, end);
  watched_ = true;
}

void event_board::note(node_event event, engine::boot_time now) {
  std::vector<waiter> woken;
  {
    const std::lock_guard lock{mutex_};
    if (now > until_) {
      watched_ = false;
      return;
    }
    event.number = ++last_;
    events_.push_back(std::move(event));
    if (events_.size() > kept_max) {
      events_.pop_front();
    }
    woken.swap(waiters_);
  }
  for (const auto& one : woken) {
    if (const auto alive = one.owner.lock()) {
      one.more();
    }
  }
}

event_board::page event_board::after(std::uint64_t number, std::size_t most) const {
  const std::lock_guard lock{mutex_};
  page found;
  found.last = last_;
  const auto first = last_ - events_.size() + 1;
  found.lost = number + 1 < first;
  const auto from = number < first ? 0 : static_cast<std::size_t>(number - first + 1);
  for (auto i = from; i < events_.size() && found.events.size() < most; ++i) {
    found.events.push_back(events_[i]);
  }
  return found;
}

void event_board::when_after(std::uint64_t number, const std::shared_ptr<void>& owner,
                             std::function<void()> more) {
  {
    const std::lock_guard lock{mutex_};
    if (last_ <= number) {
      std::erase_if(waiters_, [](const waiter& one) { return one.owner.expired(); });
      waiters_.push_back({owner, std::move(more)});
      return;
    }
  }
  more();
}

} // namespace continuo::actors
