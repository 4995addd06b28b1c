#include "nodes/quarantine.hpp"

#include "actors/service.hpp"
#include "engine/dead_letter.hpp"
#include "engine/mailbox.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace continuo::nodes {

namespace {

using actors::core;
using engine::record;
using engine::transition;
using messages::envelope;

/// A suspect with the message that it was handling, as far as the store still holds one.
struct found_suspect {
  actors::suspect what;
  std::optional<envelope> message;
};

bool is_named(const std::vector<found_suspect>& suspects, const message_id& id) {
  return std::any_of(suspects.begin(), suspects.end(),
                     [&](const found_suspect& one) { return !one.message && one.what.message == id; });
}

void give(std::vector<found_suspect>& suspects, const envelope& message) {
  for (auto& one : suspects) {
    if (!one.message && one.what.message == message.id && message.kind != engine::message_kind::withdrawal) {
      one.message = message;
    }
  }
}

/// Looks for the messages in all records: in the outboxes of their senders, or taken over by their receivers.
result<void> find_messages(const core& shared, std::vector<found_suspect>& suspects) {
  result<void> outcome;
  auto scanned = shared.store->scan("r", [&](std::string_view key, std::string_view bytes) {
    auto stored = decode<record>(bytes);
    if (!stored) {
      outcome = tl::unexpected(actors::unreadable_record(key, stored.error()));
      return false;
    }
    if (stored->failed) {
      give(suspects, *stored->failed);
    }
    for (const auto& timer : stored->timers) {
      if (is_named(suspects, timer.id)) {
        envelope message;
        message.id = timer.id;
        message.kind = engine::message_kind::timer;
        message.from = stored->self;
        message.to = stored->self;
        message.type = timer.type;
        message.payload = timer.payload;
        give(suspects, message);
      }
    }
    if (!stored->requests.empty() || !stored->outbox.empty()) {
      for (const auto& one : engine::mailbox{*stored}.owed()) {
        give(suspects, one.message);
      }
    }
    return true;
  });
  return outcome ? scanned : outcome;
}

/// Writes what a transition decided, and drops what it would send.
template <class Machine>
result<void> write(core& shared, const Machine& machine, const transition& decided, const instance_id& self) {
  if (decided.write == engine::write_kind::none) {
    return {};
  }
  journal::batch changes;
  changes.push_back({journal::operation::kind::put, engine::record_key(self), machine.encoded()});
  actors::add_upkeep(decided, self, changes);
  for (const auto& letter : decided.dead_letters) {
    changes.push_back({journal::operation::kind::put, engine::record_key(letter.self), encode(letter)});
  }
  changes.push_back({journal::operation::kind::put, std::string{journal::revision_key},
                     encode(shared.last_revision.load())});
  return shared.store->commit(changes);
}

template <class Machine, class Environment>
result<void> run_instance(core& shared, const Environment& environment, const instance_id& self,
                          const envelope& message) {
  auto stored = actors::read_record(shared, self);
  if (!stored) {
    return tl::unexpected(stored.error());
  }
  Machine machine{environment, self, std::move(*stored)};
  auto counted = machine.suspect(message, shared.time->now(), shared.next_revision());
  if (auto written = write(shared, machine, counted, self); !written) {
    return written;
  }
  if (!machine.retrying()) {
    return {}; // stuck, or it was handled after all
  }
  // Durable from here: the count. Its handler runs, alone.
  transition handled;
  {
    const actors::marker::note running{shared.suspects.get(), self, message.id};
    handled = machine.try_again(shared.time->now(), shared.next_revision());
  }
  return write(shared, machine, handled, self);
}

result<void> run_execution(core& shared, const engine::execution_environment& environment,
                           const instance_id& self, const std::optional<envelope>& message) {
  auto stored = actors::read_record(shared, self);
  if (!stored || (!*stored && !message)) {
    return stored ? result<void>{} : tl::unexpected(stored.error());
  }
  auto execution = *stored ? std::make_unique<engine::execution>(environment, std::move(**stored))
                           : std::make_unique<engine::execution>(environment, *message);
  if (execution->now_in() != engine::execution::phase::answered &&
      actors::calls_http(environment, execution->message())) {
    return {}; // it was a handler of the program once: what answers it now cannot end the process
  }
  const auto counted = execution->suspect(shared.time->now(), shared.next_revision());
  if (auto written = write(shared, *execution, counted, self); !written) {
    return written;
  }
  if (execution->now_in() != engine::execution::phase::waiting) {
    return {};
  }
  execution->begin();
  auto done = actors::run_handler(shared, environment, self, execution->message(), execution->attempt(),
                                  execution->idempotency_key());
  const auto finished =
      execution->finished(std::move(done.outcome), done.asked, shared.time->now(), shared.next_revision());
  return write(shared, *execution, finished, self);
}

} // namespace

result<std::uint64_t> run_suspects(core& shared, const std::vector<actors::suspect>& found) {
  std::vector<found_suspect> suspects;
  for (const auto& one : found) {
    const auto same = [&](const found_suspect& other) { return other.what == one; };
    if (std::none_of(suspects.begin(), suspects.end(), same)) {
      suspects.push_back({one, std::nullopt});
    }
  }
  if (suspects.empty()) {
    return 0;
  }
  if (auto looked = find_messages(shared, suspects); !looked) {
    return tl::unexpected(looked.error());
  }
  for (const auto& one : suspects) {
    const auto& self = one.what.instance;
    result<void> ran;
    const auto service = shared.execution_environments.find(self.type);
    if (!one.message) {
      // What it handled may be durable nowhere, and then it comes again only if its cause does. Messages for
      // a service go to its name alone.
      shared.watched.insert(service == shared.execution_environments.end() ? self
                                                                           : instance_id{self.type, {}});
    }
    if (service != shared.execution_environments.end()) {
      ran = run_execution(shared, service->second, self, one.message);
    } else if (!one.message) {
      continue;
    } else if (const auto saga = shared.saga_environments.find(self.type);
               saga != shared.saga_environments.end()) {
      ran = run_instance<engine::saga_machine>(shared, saga->second, self, *one.message);
    } else if (const auto keyed = shared.keyed_environments.find(self.type);
               keyed != shared.keyed_environments.end()) {
      ran = run_instance<engine::keyed_machine>(shared, keyed->second, self, *one.message);
    }
    if (!ran) {
      return tl::unexpected(ran.error());
    }
  }
  return suspects.size();
}

} // namespace continuo::nodes
