#include "actors/letters.hpp"

#include "engine/correspondence.hpp"
#include "engine/dead_letter.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

namespace continuo::actors {

namespace {

using letters = caf::stateful_actor<letters_state>;

std::vector<journal::release> when_durable(core& shared, std::function<void(result<void>)> answer) {
  std::vector<journal::release> releases;
  releases.push_back({shared.intake, caf::make_message(call{[answer = std::move(answer)] { answer({}); }})});
  return releases;
}

result<engine::record> read_letter(const core& shared, const std::string& id) {
  const auto bytes = shared.store->get(engine::record_key({std::string{engine::dead_letter_type}, id}));
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  if (!*bytes) {
    return fail(errc::not_found, fmt::format("there is no dead letter {}", id));
  }
  return decode<engine::record>(**bytes);
}

void erase(letters* self, core& shared, const instance_id& letter,
           std::vector<journal::release> releases = {}) {
  engine::transition decided;
  decided.write = engine::write_kind::erase;
  act(self, shared, decided, letter, {}, shared.next_revision(), std::move(releases));
}

void on_redrive(letters* self, const std::shared_ptr<core>& shared, redrive& request) {
  auto found = self->state.redriven.contains(request.id)
                   ? result<engine::record>{fail(errc::conflict, "it is being redriven already")}
                   : read_letter(*shared, request.id);
  if (!found) {
    request.answer(tl::unexpected(found.error()));
    return;
  }
  auto& letter = *found;
  if (!letter.failed) {
    request.answer(fail(errc::conflict, "it is being redriven already"));
    return;
  }
  if (engine::requester_was_told(letter)) {
    request.answer(fail(errc::conflict,
                        fmt::format("{} was told of the failure and no longer reckons with this command: "
                                    "it can only be discarded",
                                    to_string(letter.failed->from))));
    return;
  }
  auto message = std::move(*letter.failed);
  letter.failed.reset();
  const auto command = message.kind == messages::message_kind::command;
  if (message.idempotency_key.empty()) {
    message.idempotency_key = to_string(message.id);
  }
  if (request.corrected) {
    message.payload = std::move(*request.corrected);
    message.idempotency_key += "/1";
  }
  const auto revision = shared->next_revision();
  message.id = {shared->store_id, revision, 0};
  message.from = letter.self;
  message.predecessor = {};
  message.in_reply_to = {};
  const auto service = shared->services.find(message.to.type);
  const auto effects = service != shared->services.end() && !service->second.pure;
  if (command) {
    letter.requests = {{message.id, message.to, message.type, message.payload, shared->time->now().wall,
                        effects, false, false, false}};
  } else {
    letter.outbox = {{message.id, message.kind, message.to, {}, message.type, message.payload, effects}};
  }
  letter.result = message.idempotency_key; // what a resend after a restart needs
  letter.revision = revision;
  engine::transition decided;
  decided.write = engine::write_kind::put;
  (effects ? decided.released : decided.sent).push_back(std::move(message));
  act(
      self, *shared, decided, letter.self, [&] { return encode(letter); }, revision,
      when_durable(*shared, std::move(request.answer)));
  self->state.redriven.emplace(request.id, std::move(letter));
}

void on_discard(letters* self, const std::shared_ptr<core>& shared, discard_letter& request) {
  const auto found = read_letter(*shared, request.id);
  if (!found || self->state.redriven.contains(request.id)) {
    request.answer(found ? result<void>{fail(errc::conflict, "it is being redriven")}
                         : tl::unexpected(found.error()));
    return;
  }
  erase(self, *shared, found->self, when_durable(*shared, std::move(request.answer)));
}

/// The redriven message has its outcome, good or bad (a bad one has made a dead letter of its own): this one
/// is over.
void finish(letters* self, core& shared, const std::string& key) {
  const auto found = self->state.redriven.find(key);
  if (found != self->state.redriven.end()) {
    erase(self, shared, found->second.self);
    self->state.redriven.erase(found);
  }
}

void on_adopt(letters* self, const std::shared_ptr<core>& shared, adopt& record) {
  auto& letter = record.stored;
  if (letter.failed) {
    return; // nobody has touched it
  }
  engine::correspondence mail{letter};
  engine::transition decided;
  mail.recover(decided);
  for (auto& message : decided.sent) {
    message.idempotency_key = letter.result;
  }
  act(self, *shared, decided, letter.self, {}, 0);
  const auto key = letter.self.key;
  self->state.redriven.emplace(key, std::move(letter));
}

} // namespace

caf::behavior letters_actor(letters* self, std::shared_ptr<core> shared) {
  fail_node_on_exception(self, shared);
  return {
      [self, shared](redrive& request) { on_redrive(self, shared, request); },
      [self, shared](discard_letter& request) { on_discard(self, shared, request); },
      [self, shared](const messages::envelope& answer) {
        finish(self, *shared, answer.to.key);
        engine::transition decided;
        decided.receipts.push_back({answer.to, answer.from, answer.id, {}, answer.in_reply_to});
        if (!answer.from.key.empty()) {
          decided.receipts.back().forget = answer.in_reply_to; // the letter's one and only command
        }
        act(self, *shared, decided, answer.to, {}, 0);
      },
      [self, shared](const messages::receipt& receipt) {
        if (receipt.done) {
          finish(self, *shared, receipt.to.key);
          engine::transition decided;
          decided.receipts.push_back({receipt.to, receipt.from, {}, receipt.done, {}});
          act(self, *shared, decided, receipt.to, {}, 0);
        }
      },
      [self, shared](adopt& record) { on_adopt(self, shared, record); },
  };
}

} // namespace continuo::actors
