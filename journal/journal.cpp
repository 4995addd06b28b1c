#include "journal/journal.hpp"

#include "engine/planted.hpp"
#include "journal/key_ranges.hpp"

#include <continuo/archive.hpp>

#include <caf/send.hpp>

#include <algorithm>

namespace continuo::journal {

namespace {

/// Records are overwritten and deleted, and so is what is known of peers and what is owed to them; all other
/// keys are written once.
bool is_overwritten(std::string_view key) {
  return !key.empty() && (key.front() == 'r' || key.front() == 'o' || key.front() == peer_prefix.front());
}

/// What is owed to a peer is put where nothing stands, and erased where it stands. So where one batch does
/// both, which is the rule for what is answered at once, the disk sees neither.
bool is_put_once(const operation& next) {
  return next.what == operation::kind::put && next.key.front() == 'o';
}

std::size_t size_of(const commit& one) {
  std::size_t bytes = 0;
  for (const auto& operation : one.operations) {
    bytes += operation.key.size() + operation.value.size();
  }
  return bytes;
}

constexpr std::chrono::seconds space_interval{1};

void check_space(caf::stateful_actor<journal_state>* self, const journal_options& options) {
  auto& state = self->state;
  state.space_checked = self->clock().now();
  const auto low = options.to->free_bytes() < options.disk_reserve;
  if (low != state.is_low) {
    state.is_low = low;
    if (options.disk_low) {
      options.disk_low(low);
    }
  }
  // While starts are refused there may be nothing to write, and so nothing after which to look.
  if (low && !state.look_sent) {
    state.look_sent = true;
    self->delayed_send(self, space_interval, look_for_room{});
  }
}

void write_waiting(caf::stateful_actor<journal_state>* self, const journal_options& options) {
  auto& state = self->state;
  if (state.waiting.empty() || state.stopped) {
    state.waiting.clear();
    return;
  }
  for (const auto& one : state.waiting) {
    state.revision = std::max(state.revision, one.revision);
  }
  auto changes = coalesce(state.waiting);
  const auto is_barrier = std::all_of(state.waiting.begin(), state.waiting.end(),
                                      [](const commit& one) { return one.operations.empty(); });
  if (!is_barrier) {
    changes.push_back({operation::kind::put, std::string{revision_key}, encode(state.revision)});
    const auto begun = std::chrono::steady_clock::now();
    const auto bytes_before = options.to->written_bytes();
    const auto written = options.to->commit(changes);
    options.done->sync_times.add(
        static_cast<std::uint64_t>((std::chrono::steady_clock::now() - begun).count()));
    if (!written && !planted("retry_after_a_failed_sync")) { // it goes on as if that sync had been one
      state.stopped = true;
      // First: who is answered because the answer is dropped finds a node that has failed.
      if (options.failed) {
        options.failed(written.error());
      }
      state.waiting.clear();
      return;
    }
    options.done->durable = state.revision;
    ++options.done->syncs;
    options.done->operations += changes.size();
    options.done->bytes += options.to->written_bytes() - bytes_before;
    const auto transitions = std::count_if(state.waiting.begin(), state.waiting.end(),
                                           [](const commit& one) { return one.revision != 0; });
    options.done->commits += static_cast<std::uint64_t>(transitions);
    options.done->batches.add(static_cast<std::uint64_t>(transitions));
  }
  // Durable from here: everything in this batch, so what waited for it may leave.
  for (auto& one : state.waiting) {
    for (auto& waiting : one.releases) {
      self->send(waiting.to, std::move(waiting.what));
    }
  }
  state.waiting.clear();
  state.waiting_bytes = 0;
  if (self->clock().now() - state.space_checked >= space_interval) {
    check_space(self, options);
  }
}

} // namespace

batch coalesce(std::vector<commit>& commits) {
  struct place {
    std::size_t position;
    bool fresh; // the store holds nothing under this key
  };
  batch changes;
  std::vector<bool> dropped;
  std::unordered_map<std::string_view, place> places;
  places.reserve(commits.size());
  std::size_t count = 0;
  for (const auto& one : commits) {
    count += one.operations.size();
  }
  changes.reserve(count + 1);
  dropped.reserve(count);
  for (auto& one : commits) {
    bool creates = one.creates;
    for (auto& next : one.operations) {
      if (!is_overwritten(next.key) || next.what == operation::kind::erase_range) {
        changes.push_back(std::move(next));
        dropped.push_back(false);
        continue;
      }
      const auto position = changes.size();
      changes.push_back(std::move(next));
      dropped.push_back(false);
      // The views stay valid: `changes` never grows beyond what was reserved, so its strings do not move.
      const auto [known, first] = places.try_emplace(
          changes[position].key, place{position, creates || is_put_once(changes[position])});
      if (!first) {
        dropped[known->second.position] = true;
        const auto fresh = known->second.fresh;
        const auto vanishes = fresh && changes[position].what == operation::kind::erase;
        places.erase(known); // its key views the dropped entry
        if (vanishes) {
          dropped[position] = true;
        }
        places.try_emplace(changes[position].key, place{position, fresh});
      }
      creates = false;
    }
  }
  // From the end: a range makes needless what stands before it, and nothing behind it.
  key_ranges emptied;
  for (auto i = changes.size(); i-- > 0;) {
    if (changes[i].what == operation::kind::erase_range) {
      emptied.add(changes[i].key, changes[i].value);
    } else if (!emptied.empty() && emptied.contains(changes[i].key)) {
      dropped[i] = true;
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (!dropped[i]) {
      if (kept != i) {
        changes[kept] = std::move(changes[i]);
      }
      ++kept;
    }
  }
  changes.resize(kept);
  return changes;
}

caf::behavior journal_actor(caf::stateful_actor<journal_state>* self, journal_options options) {
  auto shared = std::make_shared<journal_options>(std::move(options));
  self->state.revision = shared->done->durable; // what is written never goes back
  return {
      [self, shared](commit& one) {
        auto& state = self->state;
        if (state.stopped) {
          return;
        }
        const auto hurried = !one.releases.empty();
        state.waiting_bytes += size_of(one);
        state.waiting.push_back(std::move(one));
        if (state.waiting_bytes >= shared->batch_bytes_max) {
          write_waiting(self, *shared);
        } else if (hurried && !state.flush_sent) {
          state.flush_sent = true;
          self->send(self, flush{});
        } else if (!hurried && !state.flush_sent && !state.later_sent) {
          state.later_sent = true;
          self->delayed_send(self, shared->patience, flush{false});
        }
      },
      [self, shared](flush which) {
        (which.hurried ? self->state.flush_sent : self->state.later_sent) = false;
        write_waiting(self, *shared);
      },
      [self, shared](look_for_room) {
        self->state.look_sent = false;
        if (!self->state.stopped) {
          check_space(self, *shared);
        }
      },
  };
}

} // namespace continuo::journal
