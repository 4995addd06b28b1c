#include "nodes/sweeper.hpp"

#include "actors/waiting.hpp"
#include "engine/remembered_key.hpp"

#include <continuo/archive.hpp>

#include <algorithm>

namespace continuo::nodes {

namespace {

constexpr std::size_t deletions_max = 10'000; // at a time, so that a sweep never floods the shards
constexpr std::chrono::hours keep_keys{24};

void erase_key(caf::event_based_actor* self, actors::core& shared, std::string_view key) {
  journal::commit commit;
  commit.revision = shared.next_revision();
  commit.operations.push_back({journal::operation::kind::erase, std::string{key}, {}});
  self->send(shared.journal, std::move(commit));
}

/// Idempotency keys are kept a day, and as long as an instance that their message started.
void sweep_keys(caf::event_based_actor* self, actors::core& shared) {
  const auto before = shared.time->now().wall - keep_keys;
  std::size_t found = 0;
  static_cast<void>(shared.store->scan(engine::key_prefix, [&](std::string_view key, std::string_view bytes) {
    const auto known = decode<engine::remembered_key>(bytes);
    if (!known || known->at >= before) {
      return true;
    }
    const auto exists = [&](const instance_id& one) {
      const auto there = shared.store->get(engine::record_key(one));
      return !there || there->has_value(); // one that lives elsewhere is not asked for
    };
    if (std::none_of(known->instances.begin(), known->instances.end(), exists)) {
      erase_key(self, shared, key);
      ++found;
    }
    return found < deletions_max;
  }));
}

void sweep(caf::event_based_actor* self, actors::core& shared, std::chrono::hours keep) {
  const auto before = engine::later(shared.time->now().wall, -keep);
  std::size_t found = 0;
  // An error of the store ends the node elsewhere: what is not swept now is swept later.
  const auto scanned = shared.store->scan("r", [&](std::string_view /*key*/, std::string_view bytes) {
    const auto stored = decode<engine::record>(bytes);
    if (!stored || !is_terminal(stored->status) || stored->updated_at >= before) {
      return true;
    }
    if (stored->kind == engine::record_kind::saga ||
        (stored->kind == engine::record_kind::send && stored->requests.empty())) {
      if (const auto& home = shared.home_of(stored->self)) {
        self->send(home, actors::expire{stored->self, before});
        ++found;
      }
    }
    return found < deletions_max;
  });
  static_cast<void>(scanned);
}

} // namespace

caf::behavior sweeper_actor(caf::event_based_actor* self, std::shared_ptr<actors::core> shared,
                            std::chrono::hours keep, std::chrono::milliseconds every) {
  actors::fail_node_on_trouble(self, shared);
  actors::send_later(self, every, actors::tick{});
  return {
      [self, shared, keep, every](actors::tick) {
        sweep(self, *shared, keep);
        sweep_keys(self, *shared);
        actors::send_later(self, every, actors::tick{});
      },
  };
}

} // namespace continuo::nodes
