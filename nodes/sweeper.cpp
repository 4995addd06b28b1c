#include "nodes/sweeper.hpp"

#include <continuo/archive.hpp>

namespace continuo::nodes {

namespace {

constexpr std::size_t deletions_max = 10'000; // at a time, so that a sweep never floods the shards

void sweep(caf::event_based_actor* self, actors::core& shared, std::chrono::hours keep) {
  const auto before = shared.time->now().wall - keep;
  std::size_t found = 0;
  // An error of the store ends the node elsewhere: what is not swept now is swept later.
  const auto scanned = shared.store->scan("r", [&](std::string_view key, std::string_view bytes) {
    const auto stored = decode<engine::record>(bytes);
    if (!stored || !is_terminal(stored->status) || stored->updated_at >= before) {
      return true;
    }
    if (stored->kind == engine::record_kind::saga) {
      self->send(shared.shard_of(stored->self), actors::expire{stored->self, before});
      ++found;
    } else if (stored->kind == engine::record_kind::send && stored->requests.empty()) {
      journal::commit commit;
      commit.revision = shared.next_revision();
      commit.operations.push_back({journal::operation::kind::erase, std::string{key}, {}});
      self->send(shared.journal, std::move(commit));
      ++found;
    }
    return found < deletions_max;
  });
  static_cast<void>(scanned);
}

} // namespace

caf::behavior sweeper_actor(caf::event_based_actor* self, std::shared_ptr<actors::core> shared,
                            std::chrono::hours keep, std::chrono::milliseconds every) {
  actors::fail_node_on_exception(self, shared);
  self->delayed_send(self, every, actors::tick{});
  return {
      [self, shared, keep, every](actors::tick) {
        sweep(self, *shared, keep);
        self->delayed_send(self, every, actors::tick{});
      },
  };
}

} // namespace continuo::nodes
