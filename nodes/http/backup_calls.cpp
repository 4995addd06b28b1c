#include "nodes/http/desk.hpp"
#include "nodes/http/opened.hpp"

#include "nodes/backup.hpp"

#include <array>
#include <atomic>

#include <filesystem>

namespace continuo::http {

namespace {

/// May take minutes. Only the store is held on to: a node that fails or stops does not wait for the whole
/// copy.
void run(desk& at, const std::string& to, const answer& done) {
  std::shared_ptr<journal::store> store;
  std::shared_ptr<detail::node_runtime> node;
  if (auto here = at.open(done)) {
    store = here->core->store;
    node = here->node;
  }
  if (!store) {
    return;
  }
  const auto place = nodes::place_of_backup(node->config().backup_folder, to);
  const auto made = place ? nodes::back_up(*store, *place, [&](std::uint64_t) { return !node->ending(); })
                          : result<nodes::backup_figures>{tl::unexpected(place.error())};
  if (made) {
    done(ok({{"to", to}, {"bytes", made->bytes}, {"took_ms", made->took.count()}}));
    return;
  }
  const auto& why = made.error();
  done(why.code == errc::invalid_configuration ? error_response(400, to_string(why.code), why.message)
                                               : error_response(why));
}

void back_up(desk& at, call&& one) {
  constexpr std::array<std::string_view, 1> known{"to"};
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  const auto body = object_body(one.asked, known);
  if (!body) {
    one.done(error_response(body.error()));
    return;
  }
  const auto to = body->find("to");
  if (to == body->end() || !to->is_string() || !std::filesystem::path{to->get<std::string>()}.is_absolute()) {
    one.done(error_response(
        {errc::malformed, R"(the body must be {"to": "DIR"} with the absolute path of a directory)"}));
    return;
  }
  static std::atomic<bool> busy{false}; // of the process: its disk has enough to do with one
  if (busy.exchange(true)) {
    one.done(error_response({errc::conflict, "a backup is being made already: wait until it is done"}));
    return;
  }
  // Free before the answer goes out, and where nobody answers: who has it may begin the next one.
  at.post(
      [self = at.shared_from_this(), to = to->get<std::string>(),
       done = answer{[done = std::move(one.done), free = std::shared_ptr<void>{&busy, [](void*) {
                                                                                 busy = false;
                                                                               }}](response&& said) mutable {
         free.reset();
         done(std::move(said));
       }}] { run(*self, to, done); });
}

} // namespace

std::span<const route> backup_routes() {
  static constexpr std::array routes{route{"POST", "/api/v1/backup", back_up}};
  return routes;
}

} // namespace continuo::http
