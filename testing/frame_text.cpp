#include "testing/frame_text.hpp"

#include "testing/trace.hpp"

#include <utility>
#include <vector>

namespace continuo::testing {

std::string text_of(const messages::frame& frame) {
  struct words {
    std::string operator()(const messages::hello&) const { return "hello"; }
    std::string operator()(const messages::welcome&) const { return "welcome"; }
    std::string operator()(const messages::refusal& body) const { return "refuses: " + body.reason; }
    std::string operator()(const messages::question&) const { return "question"; }
    std::string operator()(const messages::answer&) const { return "answer"; }
    std::string operator()(const messages::batch& body) const {
      std::vector<std::string> words;
      const auto add = [&](std::string more) { words.push_back(std::move(more)); };
      for (const auto& item : body.items) {
        if (const auto* message = std::get_if<messages::envelope>(&item)) {
          switch (message->kind) {
          case messages::message_kind::withdrawal:
            add("withdrawal from " + message->from.key);
            break;
          case messages::message_kind::failure:
            add("failure for " + message->to.key);
            break;
          case messages::message_kind::reply:
            add(message->type + " for " + message->to.key);
            break;
          default:
            add(message->type + " from " + message->from.key);
          }
        } else if (const auto* said = std::get_if<messages::receipt>(&item)) {
          add(said->done != message_id{} ? "done" : "forget");
        } else {
          add("calls " + std::get<messages::call_for>(item).to.key);
        }
      }
      return list_of(words);
    }
  };
  return std::visit(words{}, frame.body);
}

} // namespace continuo::testing
