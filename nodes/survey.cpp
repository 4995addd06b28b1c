#include "nodes/survey.hpp"

#include "engine/placement.hpp"
#include "nodes/quarantine.hpp"

#include <continuo/archive.hpp>

namespace continuo::nodes {

result<survey> make_survey(const actors::core& shared, const std::atomic<bool>& ending) {
  survey made;
  made.at = shared.time->now().wall;
  result<void> outcome;
  const auto scanned = shared.store->scan("r", [&](std::string_view key, std::string_view bytes) {
    const auto stored = decode<engine::record>(bytes);
    if (!stored) {
      outcome = tl::unexpected(unreadable_record(key, stored.error()));
      return false;
    }
    if (stored->kind == engine::record_kind::saga || stored->kind == engine::record_kind::keyed) {
      ++made.instances[{stored->self.type, stored->status}];
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

} // namespace continuo::nodes
