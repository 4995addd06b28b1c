#include "nodes/survey.hpp"

#include "engine/placement.hpp"
#include "nodes/quarantine.hpp"

#include <continuo/archive.hpp>

#include <algorithm>

namespace continuo::nodes {

result<survey> make_survey(const actors::core& shared, const std::atomic<bool>& ending) {
  survey made;
  made.at = shared.time->now().wall;
  result<void> outcome;
  const auto scanned = shared.store->scan("r", [&](std::string_view key, std::string_view bytes) {
    const auto stored = decode<engine::record>(bytes);
    if (!stored) {
      outcome = tl::unexpected(actors::unreadable_record(key, stored.error()));
      return false;
    }
    if (stored->kind == engine::record_kind::saga || stored->kind == engine::record_kind::keyed) {
      ++made.instances[{stored->self.type, stored->status}];
    }
    if (stored->kind == engine::record_kind::command && stored->status == instance_status::stuck) {
      ++made.parked[std::string{engine::placement::service_of(stored->self.type)}];
    }
    made.dead_letters += stored->kind == engine::record_kind::dead_letter ? 1 : 0;
    for (const auto& sent : stored->requests) {
      auto& open = made.commands[std::string{engine::placement::service_of(sent.to.type)}];
      if (open.count++ == 0 || sent.sent_at < open.oldest) {
        open.oldest = sent.sent_at;
      }
    }
    if (ending) {
      outcome = fail(errc::unavailable, "the node is stopping");
    }
    return outcome.has_value();
  });
  if (!outcome || !scanned) {
    return tl::unexpected(outcome ? scanned.error() : outcome.error());
  }
  return made;
}

result<std::shared_ptr<const survey>> surveyor::latest(const actors::core& shared,
                                                       const std::atomic<bool>& ending) {
  const std::lock_guard lock{mutex_};
  const auto begun = std::chrono::steady_clock::now();
  if (!last_ || begun >= good_until_) {
    auto made = make_survey(shared, ending);
    if (!made) {
      return tl::unexpected(made.error());
    }
    last_ = std::make_shared<const survey>(std::move(*made));
    const auto done = std::chrono::steady_clock::now();
    good_until_ = done + std::max<std::chrono::steady_clock::duration>(age_min, 10 * (done - begun));
  }
  return last_;
}

} // namespace continuo::nodes
