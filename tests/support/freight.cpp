#include "tests/support/businesses.hpp"

#include <fmt/format.h>

#include <memory>
#include <stdexcept>
#include <utility>

namespace continuo::tests {

using namespace std::chrono_literals;

namespace {

// A reply waits at its service, behind what is heavy, until the connection is back; its receiver cannot take
// it then, and calls for it later.

struct parcel_noted {
  std::string id;
  std::string text;
  CONTINUO_FIELDS(parcel_noted, id, text)
};

class note : public saga<note> {
public:
  static void define(saga_definition<note>& saga) { saga.starts_on<parcel_noted>(&parcel_noted::id); }
  void on(const parcel_noted&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(note)
};

struct lifted {
  CONTINUO_FIELDS(lifted)
};

struct lift {
  using reply = lifted;
  CONTINUO_FIELDS(lift)
};

struct load_begun {
  std::string id;
  CONTINUO_FIELDS(load_begun, id)
};

struct looked {
  CONTINUO_FIELDS(looked)
};

thread_local bool dark = false;

class load : public saga<load> {
public:
  static void define(saga_definition<load>& saga) {
    saga.starts_on<load_begun>(&load_begun::id);
    saga.calls<lift>().nothing_to_undo();
    saga.timer<looked>();
  }
  void on(const load_begun&, saga_context& context) {
    context.send(lift{});
    context.set_timer("look", 500ms, looked{});
  }
  void on(const looked&, saga_context&) {
    if (std::exchange(dark, false)) { // so that the reply has to wait for the next attempt
      throw std::runtime_error{"too dark"};
    }
  }
  void on(const lifted&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(load)
};

} // namespace

void run_freight(cluster& here) {
  dark = true;
  here.offer<load>().offer<note>();
  here.offer(
      service{"crane"}.handle([](const lift&, command_context&) -> outcome<lifted> { return lifted{}; }));
  here.configure([](node_config& config) {
    config.handler_attempts = 10;
    config.handler_delay = 1s;
  });
  here.add("dock", {"load", "note"});
  here.add("yard", {"crane"});
  here.start();
  here.run_for(2s);
  here.separate("dock", "yard");
  here.run_for(5s);
  for (auto left = 4 * (1 + here.draw(5)); left > 0; --left) {
    const parcel_noted heavy{fmt::format("note-{}", left), std::string(300'000, 'x')};
    here["yard"].client().publish("parcel_noted", encode(heavy), {}, [](const result<accepted>&) {});
  }
  here.run_for(1s);
  here.publish(load_begun{"only"}, "dock");
  here.run_for(1s);
  here.heal();
  here.run_for(30s);
  must(status_of<load>(here, "only") == "completed", "the load is " + status_of<load>(here, "only"));
  here.finish();
}

} // namespace continuo::tests
