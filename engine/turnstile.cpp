#include "engine/turnstile.hpp"

#include "engine/planted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace continuo::engine {

namespace {

using entry = turnstile::entry;

/// Where an arrival stands in a line, or would.
auto place_of(std::deque<entry>& line, std::uint64_t arrival) {
  return std::lower_bound(line.begin(), line.end(), arrival,
                          [](const entry& one, std::uint64_t wanted) { return one.arrival < wanted; });
}

void insert(std::deque<entry>& line, const entry& one) {
  line.insert(place_of(line, one.arrival), one);
}

void remove(std::deque<entry>& line, std::uint64_t arrival) {
  const auto found = place_of(line, arrival);
  if (found != line.end() && found->arrival == arrival) {
    line.erase(found);
  }
}

/// Rounded up, so that there are never more tokens than the rate allows.
std::chrono::nanoseconds interval_of(const detail::service_type& type) {
  if (!type.rate) {
    return {};
  }
  const std::int64_t starts = type.rate->starts;
  return std::chrono::nanoseconds{(std::chrono::nanoseconds{type.rate->per}.count() + starts - 1) / starts};
}

} // namespace

turnstile::turnstile(const detail::service_type& type, boot_time now)
    : type_(&type), interval_(interval_of(type)) {
  if (type.rate) {
    full_at_ = later(now, interval_ * type.rate->burst);
  }
}

// -- those who wait ------------------------------------------------------------------------------

std::optional<std::size_t> turnstile::rounds::next(const std::array<line, classes>& of) {
  std::optional<std::size_t> first; // of those who wait, whatever is left of the round
  for (std::size_t i = 0; i < classes; ++i) {
    if (!of[i].empty() && left_[i] > 0) {
      return i;
    }
    first = !first && !of[i].empty() ? std::optional{i} : first;
  }
  if (first) {
    left_ = turns_of; // this round is over
  }
  return first;
}

void turnstile::hide_next(key_state& of) {
  if (of.shown) {
    remove(ready_[*of.shown], of.lines[*of.shown].front().arrival);
    of.shown.reset();
  }
}

void turnstile::show_next(std::uint64_t key) {
  const auto found = keys_.find(key);
  auto& of = found->second;
  if (of.taken) {
    return;
  }
  of.shown = of.turns.next(of.lines);
  if (of.shown) {
    insert(ready_[*of.shown], of.lines[*of.shown].front());
  } else {
    keys_.erase(found);
  }
}

void turnstile::stand(const entry& one) {
  const auto at = index_of(one.of);
  ++waiting_[at];
  if (one.key == 0) {
    insert(ready_[at], one);
    return;
  }
  auto& of = keys_[one.key];
  hide_next(of);
  insert(of.lines[at], one);
  show_next(one.key);
}

void turnstile::join(const message_id& id, priority of, std::uint64_t key) {
  stand({id, ++last_arrival_, key, of});
}

void turnstile::put_back(const entry& one) {
  stand(one);
}

/// When the next token is there.
boot_time turnstile::next_token() const {
  return later(full_at_, -interval_ * (std::int64_t{type_->rate->burst} - 1));
}

bool turnstile::may_start(boot_time now) const {
  if (paused_ || running_.size() >= type_->concurrency) {
    return false;
  }
  if (open_until_ && (tries_ || now < *open_until_)) {
    return false;
  }
  return !type_->rate || next_token() <= now || planted("rate_counts_no_starts");
}

const entry* turnstile::next(boot_time now) {
  const auto at = may_start(now) ? turns_.next(ready_) : std::nullopt;
  named_ = at.value_or(classes);
  return at ? &ready_[*at].front() : nullptr;
}

entry turnstile::pass_over() {
  auto one = ready_[named_].front();
  if (one.key == 0) {
    ready_[named_].pop_front();
  } else {
    auto& of = keys_.find(one.key)->second;
    hide_next(of);
    remove(of.lines[named_], one.arrival);
    show_next(one.key);
  }
  --waiting_[named_];
  return one;
}

void turnstile::begin(boot_time now) {
  const auto one = ready_[named_].front();
  turns_.took(named_);
  if (one.key != 0) {
    keys_.find(one.key)->second.turns.took(named_);
  }
  pass_over();
  if (one.key != 0 && !planted("key_is_never_taken")) {
    auto& of = keys_[one.key];
    hide_next(of);
    of.taken = true;
  }
  if (type_->rate) {
    full_at_ = later(std::max(full_at_, now), interval_);
  }
  tries_ = open_until_.has_value();
  running_.emplace(one.id, started{one.key, period_, false});
}

// -- those who run ---------------------------------------------------------------------------------

void turnstile::count_failure(boot_time now) {
  if (!type_->breaker || (!tries_ && ++failures_ < type_->breaker->failures)) {
    return;
  }
  open_until_ = later(now, type_->breaker->wait);
  tries_ = false;
  failures_ = 0;
  ++period_;
  ++times_opened_;
}

void turnstile::timed_out(const message_id& id, boot_time now) {
  const auto found = running_.find(id);
  if (found != running_.end() && !std::exchange(found->second.counted, true) &&
      found->second.period == period_) {
    count_failure(now);
  }
}

bool turnstile::end(const message_id& id, ending how, boot_time now) {
  const auto found = running_.find(id);
  if (found == running_.end()) {
    return false;
  }
  const auto was = found->second;
  running_.erase(found);
  if (const auto of = keys_.find(was.key); of != keys_.end()) {
    hide_next(of->second);
    of->second.taken = false;
    show_next(was.key);
  }
  if (was.period != period_) {
    return true;
  }
  switch (how) {
  case ending::answered:
    failures_ = was.counted ? failures_ : 0; // one that took too long has failed, whatever it brings at last
    if (open_until_) {
      open_until_.reset();
      tries_ = false;
      ++period_;
    }
    break;
  case ending::failed:
    if (!was.counted) {
      count_failure(now);
    }
    break;
  case ending::unknown:
    tries_ = false; // another one is tried
    break;
  }
  return true;
}

// -- queries -----------------------------------------------------------------------------------------

std::optional<boot_time> turnstile::look_again(boot_time now) const {
  const auto nobody = std::all_of(ready_.begin(), ready_.end(), [](const line& of) { return of.empty(); });
  if (nobody || paused_ || running_.size() >= type_->concurrency || (open_until_ && tries_)) {
    return std::nullopt;
  }
  auto at = now;
  if (open_until_) {
    at = std::max(at, *open_until_);
  }
  if (type_->rate) {
    at = std::max(at, next_token());
  }
  return at > now ? std::optional{at} : std::nullopt;
}

std::string objection_to_turns(const detail::service_type& type) {
  constexpr std::chrono::milliseconds day = std::chrono::hours{24};
  constexpr std::chrono::milliseconds most = std::chrono::hours{24 * 366};
  if (const auto& rate = type.rate) {
    if (rate->starts == 0 || rate->burst == 0) {
      return "its rate allows no start; starts and burst must be at least 1";
    }
    if (rate->per < std::chrono::milliseconds{1} || rate->per > day) {
      return fmt::format("its rate counts for each {} ms; per must be from 1 ms to a day", rate->per.count());
    }
    if (interval_of(type) > std::chrono::nanoseconds{most} / std::int64_t{rate->burst}) {
      return fmt::format("its rate saves up a burst of {}, which takes more than 366 days", rate->burst);
    }
  }
  if (const auto& breaker = type.breaker) {
    if (breaker->failures == 0) {
      return "its breaker opens after 0 failures, so it would never close; failures must be at least 1";
    }
    if (breaker->wait < std::chrono::milliseconds{1} || breaker->wait > most) {
      return fmt::format("its breaker waits {} ms; wait must be from 1 ms to 366 days",
                         breaker->wait.count());
    }
  }
  for (const auto& [command, readers] : type.turns) {
    if (!type.commands.contains(command)) {
      return fmt::format("it has a {} for {}, which it does not handle", readers.key ? "key" : "priority",
                         command);
    }
  }
  return {};
}

} // namespace continuo::engine
