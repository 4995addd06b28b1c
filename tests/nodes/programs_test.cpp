// Data that one program wrote, and another one starts on.
#define CAF_SUITE programs

#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <chrono>
#include <memory>
#include <sstream>
#include <thread>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

// -- fields ---------------------------------------------------------------------------------

template <class Saga>
void define_note(saga_definition<Saga>& saga) {
  saga.template starts_on<order_placed>(&order_placed::order_id);
}

namespace before {
class note : public saga<note> {
public:
  static void define(saga_definition<note>& saga) { define_note(saga); }
  void on(const order_placed& event, saga_context& context) {
    first = event.order_id;
    context.complete();
  }
  std::string first;
  std::string second = "second";
  CONTINUO_FIELDS(note, first, second)
};
} // namespace before

namespace after {
class note : public saga<note> {
public:
  static void define(saga_definition<note>& saga) { define_note(saga); }
  void on(const order_placed& event, saga_context& context) {
    first = event.order_id;
    context.complete();
  }
  std::string first;
  std::string second;
  CONTINUO_FIELDS(note, second, first)
};
} // namespace after

/// Runs one order in a program with that saga; what `start` objects to.
template <class Saga>
std::string run_one(const std::filesystem::path& directory, const std::string& order) {
  node here{node_config::embedded(directory)};
  here.host<Saga>();
  if (const auto started = here.start(); !started) {
    return std::string{to_string(started.error().code)} + ": " + started.error().message;
  }
  const auto end = wait_for(here.client().publish(order_placed{order, 1}).template result_of<Saga>());
  CAF_CHECK(end.has_value());
  const auto shown = wait_for(here.client().show({"note", order}));
  return shown ? shown->state : "not shown";
}

} // namespace

CAF_TEST(a start is refused where stored bytes would be misread) {
  const temporary_directory directory;
  CAF_CHECK_EQUAL(run_one<before::note>(directory.path(), "o-1"), R"({"first":"o-1","second":"second"})");
  const auto refused = run_one<after::note>(directory.path(), "o-2");
  CAF_CHECK(refused.starts_with("invalid_definition: note.first stood in the place of second"));
  CAF_CHECK_EQUAL(run_one<before::note>(directory.path(), "o-3"), R"({"first":"o-3","second":"second"})");
}

// -- messages and services ------------------------------------------------------------------

namespace {

struct charged {
  std::string id;
  CONTINUO_FIELDS(charged, id)
};

namespace older {
struct charge {
  using reply = charged;
  std::string id;
  CONTINUO_FIELDS(charge, id)
};
} // namespace older

namespace newer {
struct charge {
  using reply = charged;
  std::string id;
  std::string currency = "EUR";
  CONTINUO_FIELDS(charge, id, CONTINUO_SINCE(1, currency))
};
} // namespace newer

template <class Charge>
class purchase : public saga<purchase<Charge>> {
public:
  static void define(saga_definition<purchase>& saga) {
    saga.template starts_on<order_placed>(&order_placed::order_id);
    saga.template calls<Charge>().nothing_to_undo();
  }
  void on(const order_placed& event, saga_context& context) {
    Charge sent;
    sent.id = event.order_id;
    context.send(sent);
  }
  void on(const charged& reply, saga_context& context) { context.complete(reply.id); }
  std::string id;
  CONTINUO_FIELDS(purchase, id)
};

/// One program: the saga and a service that charges.
template <class Charge>
struct program {
  explicit program(const std::filesystem::path& directory, const char* service_name = "till",
                   std::shared_ptr<gate> held = nullptr) {
    auto config = node_config::embedded(directory);
    config.stop_within = {};
    config.logger =
        std::make_shared<spdlog::logger>("node", std::make_shared<spdlog::sinks::ostream_sink_mt>(log));
    const auto start = [&] {
      here.emplace(config);
      here->template host<purchase<Charge>>();
      here->host(
          service{service_name}.handle([held](const Charge& command, command_context&) -> outcome<charged> {
            if (held != nullptr) {
              held->pass();
            }
            return charged{command.id};
          }));
      return here->start();
    };
    auto started = start();
    // The directory stays in use until the handler that the program before left behind has returned.
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!started && started.error().code == errc::in_use && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
      started = start();
    }
    CAF_REQUIRE_EQUAL(started ? "" : started.error().message, "");
  }

  /// Leaves an order behind whose command was in its handler when the program ended.
  void leave_order(gate& held) {
    const auto taken = here->client().publish(order_placed{"o-1", 1}).get();
    CAF_REQUIRE(taken.has_value());
    CAF_REQUIRE(held.wait_for_held(1));
    here->stop();
    held.open();
    here.reset();
  }

  instance_view order() { return wait_for(here->client().show({"purchase", "o-1"})).value(); }

  std::string end() { return line_of(wait_for(here->client().template result_of<purchase<Charge>>("o-1"))); }

  std::ostringstream log;
  std::optional<node> here;
};

} // namespace

CAF_TEST(a command of a newer version waits through an older program and costs no attempt) {
  const temporary_directory directory;
  {
    const auto held = std::make_shared<gate>();
    program<newer::charge> first{directory.path(), "till", held};
    first.leave_order(*held);
  }
  {
    program<older::charge> back{directory.path()};
    // Another order shows that the service works; by then it has looked at the first one.
    const auto other = back.here->client().publish(order_placed{"o-2", 1});
    CAF_CHECK_EQUAL(line_of(wait_for(other.result_of<purchase<older::charge>>())), "completed: o-2");
    CAF_CHECK_EQUAL(to_string(back.order().status), "running");
    CAF_CHECK(wait_for(back.here->client().dead_letters()).value().empty());
    back.here->stop();
    CAF_CHECK(back.log.str().find("till does not know charge") != std::string::npos);
  }
  program<newer::charge> again{directory.path()};
  CAF_CHECK_EQUAL(again.end(), "completed: o-1");
}

CAF_TEST(a command for a service that was renamed waits for a person and retry sends it to the new one) {
  const temporary_directory directory;
  {
    const auto held = std::make_shared<gate>();
    program<older::charge> first{directory.path(), "till", held};
    first.leave_order(*held);
  }
  program<older::charge> renamed{directory.path(), "counter"};
  const auto waits = renamed.order();
  CAF_REQUIRE_EQUAL(waits.waiting_for.size(), 1u);
  CAF_CHECK_EQUAL(waits.waiting_for.front().kind, "operator");
  CAF_CHECK(waits.waiting_for.front().what.find("charge went to till, which nothing hosts any more") !=
            std::string::npos);
  CAF_CHECK(wait_for(renamed.here->client().retry({"purchase", "o-1"})).has_value());
  CAF_CHECK_EQUAL(renamed.end(), "completed: o-1");
}
