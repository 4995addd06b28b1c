#pragma once

#include "actors/core.hpp"
#include "actors/link.hpp"

#include <string>

/// Questions between two nodes: calls of the HTTP interface that one passes on to the other. They share the
/// link's connection and its epoch, and nothing else: what the journal knows of, such as messages and credit,
/// is not touched. On the link's own thread.
namespace continuo::actors {

/// Takes a question or an answer of the peer's. False where the frame is neither.
bool on_question_frame(caf::stateful_actor<link_state>* self, core& shared,
                       decltype(messages::frame::body)& body);

void on_ask(caf::stateful_actor<link_state>* self, core& shared, ask_peer& asks);
void on_question_over(caf::stateful_actor<link_state>* self, const question_over& over);

/// Sends an answer, unless the epoch in which it was asked for is over. `asked_bytes`: of the question.
void on_say(caf::stateful_actor<link_state>* self, core& shared, messages::answer&& said,
            std::size_t asked_bytes);

/// Tells everybody who waits for an answer that none will come.
void drop_questions(link_state& state, const std::string& why);

} // namespace continuo::actors
