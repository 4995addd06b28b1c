#include "actors/trouble.hpp"

#include <caf/actor_system.hpp>
#include <caf/message_view.hpp>
#include <caf/result.hpp>

#include <fmt/format.h>

#include <exception>

namespace continuo::actors {

void fail_node_on_trouble(caf::scheduled_actor* self, std::function<void(const error&)> failed) {
  const auto fails = [failed = std::move(failed)](const std::string& what) {
    failed(error{errc::unavailable, "an actor of the node failed: " + what});
  };
  self->set_exception_handler([self, fails](std::exception_ptr& thrown) -> caf::error {
    std::string what = "an unknown exception";
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& caught) {
      what = caught.what();
    } catch (...) {
    }
    fails(fmt::format("{}: {}", self->name(), what));
    return caf::make_error(caf::sec::runtime_error, what);
  });
  self->set_default_handler([fails](caf::scheduled_actor* which,
                                    caf::message_view& message) -> caf::result<caf::message> {
    fails(fmt::format("{} knows no {}", which->name(), caf::to_string(message.move_content_to_message())));
    return caf::message{};
  });
  self->set_error_handler([fails](caf::scheduled_actor* which, caf::error& error) {
    fails(fmt::format("{}: {}", which->name(), which->system().render(error)));
  });
}

} // namespace continuo::actors
