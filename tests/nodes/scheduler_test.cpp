// The scheduler of a node's own actor system: nobody waits who could work, and nobody is woken for nothing.
#define CAF_SUITE scheduler

#include "messages/envelope.hpp"
#include "nodes/scheduler.hpp"
#include "nodes/thread_pool.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/test/dsl.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

/// Less than a worker that nobody calls sleeps: it would hide that.
constexpr auto patience = 10s;

/// Counts what it gets, and tells `done` of the last one.
caf::behavior counter(caf::event_based_actor*, std::shared_ptr<std::promise<void>> done, int expected) {
  auto count = std::make_shared<int>(0);
  return {[=](int) {
    if (++*count == expected) {
      done->set_value();
    }
  }};
}

bool is_soon(const std::shared_ptr<std::promise<void>>& done) {
  return done->get_future().wait_for(patience) == std::future_status::ready;
}

/// Looks until it is so, or patience ends.
template <class Condition>
bool becomes(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!condition() && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  return condition();
}

/// An actor that calls `work` once, with the first number that it gets.
template <class Work>
caf::actor spawn_once(caf::actor_system& system, Work work) {
  return system.spawn([work](caf::event_based_actor* self) -> caf::behavior {
    return {[self, work](int) {
      work(self);
      self->quit();
    }};
  });
}

/// Says something, and then something more, when the run in which it is destroyed is over.
class has_last_words : public caf::event_based_actor {
public:
  has_last_words(caf::actor_config& config, std::shared_ptr<std::atomic<int>> said,
                 std::shared_future<void> alone)
      : caf::event_based_actor(config), said_(std::move(said)), alone_(std::move(alone)) {}

  ~has_last_words() override {
    continuo::nodes::when_run_is_over(said_, [](const std::shared_ptr<void>& of) {
      count(of);
      continuo::nodes::when_run_is_over(of, count);
    });
  }

  caf::behavior make_behavior() override {
    return {[this](int) {
      alone_.wait();
      quit();
    }};
  }

private:
  static void count(const std::shared_ptr<void>& of) { ++*static_cast<std::atomic<int>*>(of.get()); }

  std::shared_ptr<std::atomic<int>> said_;
  std::shared_future<void> alone_;
};

/// Passes a number on to the next of a ring until it is 0.
struct ring {
  std::vector<caf::actor> members;
  std::atomic<int> ended{0};
};

caf::behavior member(caf::event_based_actor* self, ring* of, std::size_t place) {
  return {[=](int left) {
    if (left == 0) {
      ++of->ended;
    } else {
      self->send(of->members[(place + 1 + static_cast<std::size_t>(left) % 3) % of->members.size()],
                 left - 1);
    }
  }};
}

struct fixture {
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;

  fixture() {
    config.set("scheduler.policy", caf::atom("sharing"));
    config.set("scheduler.max-threads", std::size_t{2});
    continuo::nodes::share_work(config);
    system = std::make_unique<caf::actor_system>(config);
  }

  /// For the workers to be asleep, as a rule: one that is awake hides that nobody is woken.
  static void rest() { std::this_thread::sleep_for(2ms); }

  /// What `work` says in a run of an actor each time: given the actor, and another one that says when it has
  /// got something.
  template <class Work>
  bool is_soon_each_time(Work work) {
    for (int i = 0; i < 20; ++i) {
      const auto begun = std::make_shared<std::promise<void>>();
      const auto heard = std::make_shared<std::promise<bool>>();
      const auto next = system->spawn(counter, begun, 1);
      const auto busy = spawn_once(
          *system, [=](caf::event_based_actor* self) { heard->set_value(work(self, next, begun)); });
      rest();
      caf::anon_send(busy, 1);
      if (!heard->get_future().get()) {
        return false;
      }
    }
    return true;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(scheduler_tests, fixture)

CAF_TEST(who is alone behind a run that lets others work does not wait for its end) {
  CAF_CHECK(is_soon_each_time([](caf::event_based_actor* self, const caf::actor& next, const auto& begun) {
    self->send(next, 1);
    continuo::nodes::let_others_work();
    return is_soon(begun);
  }));
}

CAF_TEST(of two behind a run the first begins at once) {
  const auto other = system->spawn(counter, std::make_shared<std::promise<void>>(), 0);
  CAF_CHECK(
      is_soon_each_time([other](caf::event_based_actor* self, const caf::actor& next, const auto& begun) {
        self->send(next, 1);
        self->send(other, 1);
        return is_soon(begun);
      }));
}

CAF_TEST(who is sent something from elsewhere does not wait for a run) {
  CAF_CHECK(is_soon_each_time([](caf::event_based_actor*, const caf::actor& next, const auto& begun) {
    caf::anon_send(next, 1); // as a client of the node does, in a callback
    return is_soon(begun);
  }));
}

CAF_TEST(who is alone behind a run does not wait for more messages of it than are in a run) {
  const auto done = std::make_shared<std::promise<void>>();
  const auto heard = std::make_shared<std::promise<bool>>();
  const auto next = system->spawn(counter, done, 1);
  const auto busy = system->spawn([=](caf::event_based_actor* self) -> caf::behavior {
    self->set_default_handler(caf::skip);
    return {[=](int) { // all others wait by then
      self->send(next, 1);
      self->become([=](double place) {
        if (place == continuo::nodes::messages_a_run + 1.0) {
          heard->set_value(is_soon(done));
        }
      });
    }};
  });
  for (std::size_t i = 1; i <= 2 * continuo::nodes::messages_a_run; ++i) {
    caf::anon_send(busy, static_cast<double>(i));
  }
  rest();
  caf::anon_send(busy, 1);
  CAF_CHECK(heard->get_future().get());
}

CAF_TEST(no message is left behind whoever sends it and however idle the workers are) {
  ring all;
  for (std::size_t i = 0; i < 16; ++i) {
    all.members.push_back(system->spawn(member, &all, i));
  }
  constexpr int rounds = 3'000;
  const auto ends = [&](int count) { return becomes([&] { return all.ended >= count; }); };
  // One at a time, so that all sleep between two, from threads that are no workers.
  for (int i = 1; i <= rounds; ++i) {
    caf::anon_send(all.members[static_cast<std::size_t>(i) % all.members.size()], i % 7);
    if (!ends(i)) {
      CAF_FAIL("message " << i << " is left behind");
    }
  }
  // Many at a time, from several.
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < rounds; ++i) {
        caf::anon_send(all.members[static_cast<std::size_t>(i + t) % all.members.size()], i % 50);
      }
    });
  }
  for (auto& one : threads) {
    one.join();
  }
  CAF_CHECK(ends(4 * rounds));
}

CAF_TEST(what is to be done at the end of a run is done once and not by others) {
  const auto state = std::make_shared<std::atomic<int>>(0);
  const auto at_the_end = std::make_shared<std::promise<int>>();
  const auto count = [](const std::shared_ptr<void>& of) { ++*static_cast<std::atomic<int>*>(of.get()); };
  CAF_CHECK(!continuo::nodes::when_run_is_over(state, count)); // this thread is no worker
  const auto asks = system->spawn([=](caf::event_based_actor*) -> caf::behavior {
    return {[=](int) {
      for (int i = 0; i < 5; ++i) {
        continuo::nodes::when_run_is_over(state, count);
      }
      at_the_end->set_value(*state);
    }};
  });
  caf::anon_send(asks, 1);
  CAF_CHECK_EQUAL(at_the_end->get_future().get(), 0);
  CAF_CHECK(becomes([&] { return *state == 1; }));
}

CAF_TEST(what is called at the end of a run may let others work) {
  const auto state = std::make_shared<std::atomic<int>>(0);
  const auto other = std::make_shared<std::atomic<int>>(0);
  caf::anon_send(spawn_once(*system,
                            [=](caf::event_based_actor*) {
                              for (const auto& one : {state, other}) {
                                continuo::nodes::when_run_is_over(one, [](const std::shared_ptr<void>& of) {
                                  continuo::nodes::let_others_work(); // as an application's code does there
                                  ++*static_cast<std::atomic<int>*>(of.get());
                                });
                              }
                            }),
                 1);
  CAF_CHECK(becomes([&] { return *state == 1 && *other == 1; }));
}

CAF_TEST(what the end of an actor asks for is done though nothing follows) {
  const auto said = std::make_shared<std::atomic<int>>(0);
  std::promise<void> alone;
  {
    const auto ends = system->spawn<has_last_words>(said, alone.get_future().share());
    caf::anon_send(ends, 1);
  }
  alone.set_value(); // so the worker holds it last
  CAF_CHECK(becomes([&] { return *said == 2; }));
}

CAF_TEST(a handler begins at the end of the run that posts it or once the run lets others work) {
  continuo::nodes::thread_pool pool{2, [](const continuo::error& why) { CAF_FAIL(why.message); }};
  const auto post = [&pool](const std::shared_ptr<std::promise<void>>& begun) {
    pool.post({}, [begun](const continuo::messages::envelope&) { begun->set_value(); });
  };
  const auto at_the_end = std::make_shared<std::promise<void>>();
  caf::anon_send(spawn_once(*system, [=](caf::event_based_actor*) { post(at_the_end); }), 1);
  CAF_CHECK(is_soon(at_the_end));
  const auto within = std::make_shared<std::promise<void>>();
  const auto heard = std::make_shared<std::promise<bool>>();
  caf::anon_send(spawn_once(*system,
                            [=](caf::event_based_actor*) {
                              post(within);
                              continuo::nodes::let_others_work();
                              heard->set_value(is_soon(within));
                            }),
                 1);
  CAF_CHECK(heard->get_future().get());
  const auto first = std::make_shared<std::promise<void>>();
  const auto heard_first = std::make_shared<std::promise<bool>>();
  caf::anon_send(spawn_once(*system,
                            [=](caf::event_based_actor*) {
                              post(first);
                              for (int i = 0; i < 20; ++i) { // more than wait for the end of a run
                                post(std::make_shared<std::promise<void>>());
                              }
                              heard_first->set_value(is_soon(first));
                            }),
                 1);
  CAF_CHECK(heard_first->get_future().get());
}

CAF_TEST(time limits end what they are for and go with their actors) {
  const auto silent = system->spawn([](caf::event_based_actor* self) -> caf::behavior {
    // The promise is dropped: one that is kept holds who asked, and this actor too, which would never end.
    return {[self](int) -> caf::result<int> { return self->make_response_promise<int>(); }};
  });
  caf::scoped_actor self{*system};
  bool timed_out = false;
  self->request(silent, 20ms, 1)
      .receive([](int) {}, [&](const caf::error& why) { timed_out = why == caf::sec::request_timeout; });
  CAF_CHECK(timed_out);
  const auto outcome = std::make_shared<std::promise<bool>>();
  const auto asks = system->spawn([=](caf::event_based_actor* it) {
    it->request(silent, 20ms, 2)
        .then([=](int) { outcome->set_value(false); }, [=](const caf::error&) { outcome->set_value(true); });
  });
  CAF_CHECK(outcome->get_future().get());
  // One that ends before its limit: nothing holds it any more.
  caf::actor_addr gone;
  {
    const auto short_lived = system->spawn([=](caf::event_based_actor* it) -> caf::behavior {
      it->request(silent, 3'600s, 3).then([](int) {});
      return {[=](int) { it->quit(); }};
    });
    gone = short_lived.address();
    caf::anon_send(short_lived, 1);
  }
  CAF_CHECK(becomes([&] { return !caf::actor_cast<caf::strong_actor_ptr>(gone); }));
}

CAF_TEST_FIXTURE_SCOPE_END()
