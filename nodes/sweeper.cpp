#include "nodes/sweeper.hpp"

#include "actors/waiting.hpp"
#include "engine/expiry.hpp"
#include "engine/remembered_key.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace continuo::nodes {

namespace {

using engine::expiry_kind;

/// Looked after at a time, so that a sweep never floods the shards: the next ones when these have answered.
constexpr std::size_t portion_max = 1'000;

constexpr std::chrono::hours keep_keys{24};

/// What has passed its time in the index, a kind after the other, a portion at a time. Each entry has its
/// turn once in a sweep: one that is still needed then waits for the next sweep, and keeps no other one
/// waiting.
class sweep {
public:
  sweep(caf::event_based_actor* self, std::shared_ptr<actors::core> shared, std::chrono::hours keep)
      : self_(self), shared_(std::move(shared)), keep_(keep) {}

  void begin() {
    const auto now = shared_->time->now().wall;
    now_ = now;
    before_ = engine::later(now, -keep_);
    // A history is trimmed when its oldest entry is older by an eighth, so that an instance which is busy all
    // the time is not written for it at each sweep.
    phases_ = {{expiry_kind::client_key, engine::later(now, -keep_keys)},
               {expiry_kind::history, engine::later(before_, -(keep_ / 8))},
               {expiry_kind::ended, before_}};
    begin_phase();
    go_on();
  }

  /// One of a portion has answered. Whether the sweep is over.
  bool answered() {
    if (--unanswered_ == 0) {
      go_on();
    }
    return is_over();
  }

  [[nodiscard]] bool is_over() const { return unanswered_ == 0; }

private:
  struct phase {
    expiry_kind kind;
    time_point before;
  };

  void begin_phase() {
    after_ = phases_.empty() ? std::string{} : engine::expiry_prefix(phases_.back().kind);
  }

  /// Looks after the next portions, until one has to be waited for or nothing is left.
  void go_on() {
    while (unanswered_ == 0 && !phases_.empty() && !shared_->ending) {
      const auto due = next_portion();
      for (const auto& key : due) {
        look_after(key);
      }
      if (due.size() < portion_max) {
        phases_.pop_back();
        begin_phase();
      }
    }
  }

  std::vector<std::string> next_portion() {
    std::vector<std::string> due;
    const auto now = phases_.back();
    // An error of the store ends the node elsewhere: what is not swept now is swept later.
    static_cast<void>(shared_->store->scan(
        engine::expiry_prefix(now.kind),
        [&](std::string_view key, std::string_view) {
          const auto entry = engine::parse_expiry_key(key);
          if (!entry || entry->from >= now.before) {
            return false;
          }
          due.emplace_back(key);
          return due.size() < portion_max;
        },
        after_));
    if (!due.empty()) {
      after_ = due.back();
    }
    return due;
  }

  void look_after(const std::string& key) {
    const auto entry = engine::parse_expiry_key(key);
    if (entry->kind == expiry_kind::client_key) {
      look_after_key(key, *entry);
      return;
    }
    const auto id = entry->instance();
    const auto& home = shared_->home_of(id);
    if (!home || !shared_->peer_of(id).empty()) { // nothing here hosts it
      return;
    }
    const auto me = caf::actor_cast<caf::actor>(self_);
    if (entry->kind == expiry_kind::ended) {
      if (may_go(id)) {
        ++unanswered_;
        self_->send(home, actors::expire{id, before_, me});
      }
    } else if (auto wanted = trim_of(id)) {
      ++unanswered_;
      wanted->asks = me;
      self_->send(home, std::move(*wanted));
    }
  }

  /// Whether its record shows nobody who waits. The instance itself decides; but one that must stay is not
  /// brought into memory to say so.
  bool may_go(const instance_id& id) const {
    const auto bytes = shared_->store->get(engine::record_key(id));
    const auto stored =
        bytes && *bytes ? decode<engine::record>(**bytes) : result<engine::record>{fail(errc::not_found, "")};
    return stored && stored->requests.empty() && stored->outbox.empty() && stored->inbox.empty();
  }

  /// How far the history of an instance that is too old goes; nothing where it has none.
  std::optional<actors::trim> trim_of(const instance_id& id) const {
    actors::trim wanted{id, 0, before_};
    bool any = false;
    static_cast<void>(
        shared_->store->scan(engine::history_prefix(id), [&](std::string_view, std::string_view bytes) {
          const auto entry = decode<engine::history_entry>(bytes);
          if (!entry) {
            return false; // of a newer program: it stays, and so does what stands behind it
          }
          any = true;
          if (entry->at >= before_) {
            wanted.since = entry->at;
            return false;
          }
          wanted.up_to = entry->revision;
          return !shared_->ending;
        }));
    return any ? std::optional{std::move(wanted)} : std::nullopt;
  }

  /// An idempotency key is kept a day, and as long as an instance that its message started.
  void look_after_key(const std::string& key, const engine::expiry_entry& entry) {
    using kind = journal::operation::kind;
    const auto stored_under = std::string{engine::key_prefix} + std::string{entry.about};
    const auto bytes = shared_->store->get(stored_under);
    auto known = bytes && *bytes ? decode<engine::remembered_key>(**bytes)
                                 : result<engine::remembered_key>{fail(errc::not_found, "")};
    if (!known) {
      return;
    }
    const auto exists = [&](const instance_id& one) {
      const auto there = shared_->store->get(engine::record_key(one));
      return !there || there->has_value(); // one that lives elsewhere is not asked for
    };
    journal::commit commit;
    commit.revision = shared_->next_revision();
    commit.operations.push_back({kind::erase, key, {}});
    if (std::any_of(known->instances.begin(), known->instances.end(), exists)) {
      known->at = now_; // looked at again in a day
      commit.operations.push_back({kind::put, stored_under, encode(*known)});
      commit.operations.push_back(
          {kind::put, engine::expiry_key(expiry_kind::client_key, now_, entry.about), {}});
    } else {
      commit.operations.push_back({kind::erase, stored_under, {}});
    }
    ++unanswered_;
    commit.releases.push_back(
        {caf::actor_cast<caf::actor>(self_), caf::make_message(actors::looked_after{})});
    self_->send(shared_->journal, std::move(commit));
  }

  caf::event_based_actor* self_;
  std::shared_ptr<actors::core> shared_;
  std::chrono::hours keep_;
  time_point now_;
  time_point before_;
  std::vector<phase> phases_; // the last one is under way
  std::string after_;         // the entry looked after last
  std::size_t unanswered_ = 0;
};

constexpr std::chrono::seconds look_every{1};

std::string to_sentence(const actors::running_handlers::slow& one) {
  const auto seconds = std::chrono::seconds{look_every * one.looks}.count();
  if (one.of.type.empty()) {
    return fmt::format("a callback given to client::{} has run for {} s. Nothing is taken in meanwhile: what "
                       "blocks or takes long belongs on a thread of the application",
                       one.of.key, seconds);
  }
  return fmt::format(
      "{}: its handler{} has run for {} s. It keeps one of the node's workers from all else, and "
      "its instance from every verb: what blocks or takes long belongs into the handler of a "
      "service",
      to_string(one.of), one.message_type.empty() ? "" : " of " + one.message_type, seconds);
}

} // namespace

caf::behavior sweeper_actor(caf::event_based_actor* self, std::shared_ptr<actors::core> shared,
                            std::chrono::hours keep, std::chrono::milliseconds every,
                            bool looks_at_handlers) {
  actors::fail_node_on_trouble(self, shared);
  actors::send_later(self, every, actors::tick{});
  if (looks_at_handlers) {
    actors::send_later(self, look_every, actors::look_at_handlers{});
  }
  const auto under_way = std::make_shared<sweep>(self, shared, keep);
  return {
      [self, under_way, every](actors::tick) {
        under_way->begin();
        if (under_way->is_over()) {
          actors::send_later(self, every, actors::tick{});
        }
      },
      [self, under_way, every](actors::looked_after) {
        if (under_way->answered()) {
          actors::send_later(self, every, actors::tick{});
        }
      },
      [self, shared](actors::look_at_handlers) {
        for (const auto& one : shared->handlers->look()) {
          shared->log(log_level::warn, to_sentence(one));
        }
        actors::send_later(self, look_every, actors::look_at_handlers{});
      },
  };
}

} // namespace continuo::nodes
