#include "actors/link_questions.hpp"

#include "actors/waiting.hpp"
#include "messages/caf_types.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

namespace continuo::actors {

namespace {

using link = caf::stateful_actor<link_state>;

constexpr std::size_t questions_max = 1'000;

/// Of these, for what may take long: who waits for a thousand ends must not keep operators out.
constexpr std::size_t waits_max = 800;
constexpr std::chrono::seconds wait_least{10};

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
  if (!shared.answer_peer) {
    return; // whoever asks has a time limit
  }
  // Not the handle itself: an answer that nobody gives would keep the actor alive.
  shared.answer_peer(std::move(asked.text),
                     [to = self->address(), epoch = asked.epoch, number = asked.number](std::string text) {
                       if (const auto link = caf::actor_cast<caf::actor>(to)) {
                         caf::anon_send(link, say_to_peer{{epoch, number, std::move(text)}});
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

void on_say(link* self, core& shared, messages::answer&& said) {
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
