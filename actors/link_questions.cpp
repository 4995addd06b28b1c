#include "actors/link_questions.hpp"

#include "actors/waiting.hpp"
#include "messages/caf_types.hpp"
#include "messages/frame_bounds.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace continuo::actors {

namespace {

using link = caf::stateful_actor<link_state>;

constexpr std::size_t questions_max = 1'000;

/// Of these, for what may take long: who waits for a thousand ends must not keep operators out.
constexpr std::size_t waits_max = 800;
constexpr std::chrono::seconds wait_least{10};

/// Of a peer, over all of its connections: those of an epoch that is over are still being answered.
constexpr std::size_t asked_max = 4'000;
constexpr std::size_t asked_bytes_max = 256u << 20;

template <class Body>
void send_frame(link* self, const core& shared, Body&& body) {
  auto& state = self->state;
  if (state.other) {
    messages::frame made;
    made.body = std::forward<Body>(body);
    state.spoke = shared.time->now().up;
    self->send(state.other, messages::wire{encode(made)});
  }
}

/// Whether a frame belongs to the connection that there is.
bool is_current(const link_state& state, const messages::epoch_id& epoch) {
  return state.machine->is_up() && epoch == state.machine->epoch();
}

void on_question(link* self, core& shared, messages::question&& asked) {
  auto& state = self->state;
  const auto bytes = asked.text.size();
  if (!shared.answer_peer || state.asked >= asked_max || state.asked_bytes + bytes > asked_bytes_max) {
    return; // whoever asks has a time limit
  }
  ++state.asked;
  state.asked_bytes += bytes;
  // Not the handle itself: an answer that nobody gives would keep the actor alive.
  shared.answer_peer(std::move(asked.text), [to = self->address(), epoch = asked.epoch, number = asked.number,
                                             bytes](std::string text) {
    if (const auto link = caf::actor_cast<caf::actor>(to)) {
      caf::anon_send(link, say_to_peer{{epoch, number, std::move(text)}, bytes});
    }
  });
}

void finish(link_state& state, std::uint64_t number, result<std::string> outcome) {
  auto found = state.questions.extract(number);
  if (!found.empty()) {
    state.waits -= found.mapped().waits ? 1 : 0;
    found.mapped().answer(std::move(outcome));
  }
}

} // namespace

bool on_question_frame(link* self, core& shared, decltype(messages::frame::body)& body) {
  auto& state = self->state;
  auto* asked = std::get_if<messages::question>(&body);
  auto* said = std::get_if<messages::answer>(&body);
  if (asked == nullptr && said == nullptr) {
    return false;
  }
  if (!is_current(state, asked != nullptr ? asked->epoch : said->epoch)) {
    return true;
  }
  state.heard = shared.time->now().up;
  if (asked != nullptr) {
    on_question(self, shared, std::move(*asked));
  } else {
    finish(state, said->number, std::move(said->text));
  }
  return true;
}

void on_ask(link* self, core& shared, ask_peer& asks) {
  auto& state = self->state;
  if (!state.machine->is_up()) {
    asks.answer(fail(errc::unavailable, fmt::format("the node {} cannot be reached now", state.peer)));
    return;
  }
  if (asks.text.size() > messages::question_bytes_max) {
    asks.answer(
        fail(errc::malformed,
             fmt::format("what is to be asked of {} has {} bytes, {} are the most: send less at a time",
                         state.peer, asks.text.size(), messages::question_bytes_max)));
    return;
  }
  const auto waits = asks.patience >= wait_least;
  const auto open = waits ? state.waits : state.questions.size();
  if (open >= (waits ? waits_max : questions_max)) {
    asks.answer(
        fail(errc::overloaded, fmt::format("{} {} to {} are open already: try again later", open,
                                           waits ? "waits for an end or a reply" : "questions", state.peer)));
    return;
  }
  const auto number = ++state.last_question;
  state.questions.emplace(number, link_state::question{std::move(asks.answer), waits});
  state.waits += waits ? 1 : 0;
  send_frame(self, shared, messages::question{state.machine->epoch(), number, std::move(asks.text)});
  send_later(self, asks.patience, question_over{number});
}

void on_question_over(link* self, const question_over& over) {
  finish(self->state, over.number,
         fail(errc::timed_out,
              fmt::format("the node {} did not answer in time; what was asked for may happen all the same",
                          self->state.peer)));
}

void on_say(link* self, core& shared, messages::answer&& said, std::size_t asked_bytes) {
  self->state.asked -= std::min<std::size_t>(self->state.asked, 1);
  self->state.asked_bytes -= std::min(self->state.asked_bytes, asked_bytes);
  if (is_current(self->state, said.epoch)) {
    send_frame(self, shared, std::move(said));
  }
}

void drop_questions(link_state& state, const std::string& why) {
  state.waits = 0;
  for (auto& [number, question] : std::exchange(state.questions, {})) {
    question.answer(
        fail(errc::unavailable,
             fmt::format(
                 "the node {} was lost before it answered ({}); what was asked for may happen all the same",
                 state.peer, why)));
  }
}

} // namespace continuo::actors
