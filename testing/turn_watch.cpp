#include "testing/turn_watch.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace continuo::testing {

namespace {

/// From when a pause is durable until its service has heard of it, however slow the disk (its sync holds up
/// the journal), unless the node stands still meanwhile.
constexpr std::int64_t hearing_ns = std::chrono::nanoseconds{std::chrono::seconds{5}}.count();

constexpr std::size_t starts_max = 200; ///< that are looked at together

} // namespace

void turn_watch::lives(const std::string& node, const journal::store& disk) {
  auto& of = nodes_[node];
  of.running.clear();
  of.paused.clear();
  static_cast<void>(disk.scan(engine::pause_prefix, [&](std::string_view, std::string_view bytes) {
    const auto said = decode<engine::service_pause>(bytes);
    if (said && said->paused) {
      of.paused[said->service] = {0, true};
    }
    return true;
  }));
}

void turn_watch::commits(const std::string& node, const journal::batch& changes, std::int64_t now_ns) {
  for (const auto& change : changes) {
    if (change.what == journal::operation::kind::put && change.key.starts_with(engine::pause_prefix)) {
      const auto said = decode<engine::service_pause>(change.value);
      if (said && said->paused) {
        nodes_[node].paused.try_emplace(said->service, paused_since{now_ns, false});
      } else if (said) {
        nodes_[node].paused.erase(said->service);
      }
    }
  }
}

/// Counted as a user would: of all stretches that end with the newest start.
void turn_watch::check_rate(const std::string& node, const detail::service_type& of,
                            std::deque<std::int64_t>& starts) {
  const auto per = std::chrono::nanoseconds{of.rate->per}.count();
  __extension__ using wide = __int128;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto count = static_cast<wide>(starts.size() - i);
    const auto time = static_cast<wide>(starts.back() - starts[i]);
    // count <= burst + time * starts / per
    if ((count - of.rate->burst) * per > time * of.rate->starts) {
      broken_(fmt::format(
          "{} handlers of {} begin on {} within {} ns, and its rate is {} each {} ns with bursts "
          "of {}",
          starts.size() - i, of.name, node, starts.back() - starts[i], of.rate->starts, per, of.rate->burst));
      return;
    }
  }
}

void turn_watch::check_pause(const std::string& node, const std::string& service, std::int64_t now_ns) {
  const auto& of = nodes_[node];
  const auto found = of.paused.find(service);
  if (found != of.paused.end() &&
      (found->second.at_start || now_ns > std::max(found->second.ns, of.stood_ns) + hearing_ns)) {
    broken_(fmt::format("a handler of {} begins on {}, where it is paused", service, node));
  }
}

void turn_watch::begins(const std::string& node, const detail::service_type& of,
                        const messages::envelope& message, std::int64_t now_ns) {
  const auto& service = of.name;
  auto& here = nodes_[node];
  const auto readers = of.turns.find(message.type);
  const auto key = readers != of.turns.end() && readers->second.key
                       ? readers->second.key(message.payload).value_or(std::string{})
                       : std::string{};
  std::size_t beside = 0;
  for (const auto& [id, other] : here.running) {
    beside += other.service == service ? 1 : 0;
    if (!key.empty() && other.service == service && other.key == key) {
      broken_(fmt::format("two handlers of {} run on {} for the key {}", service, node, key));
    }
  }
  if (beside >= of.concurrency) {
    broken_(fmt::format("{} handlers of {} run on {}", beside + 1, service, node));
  }
  if (of.rate) {
    auto& starts = here.starts[service];
    starts.push_back(now_ns);
    if (starts.size() > starts_max) {
      starts.pop_front();
    }
    check_rate(node, of, starts);
  }
  check_pause(node, service, now_ns);
  here.running.emplace(message.id, run{service, key});
}

void turn_watch::returns(const std::string& node, const message_id& id) {
  auto& running = nodes_[node].running;
  if (const auto found = running.find(id); found != running.end()) {
    running.erase(found);
  }
}

} // namespace continuo::testing
