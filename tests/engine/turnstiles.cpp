// Who may start next at a stateless service, and when: every rule by itself, then all of them together over
// random histories, against what an outside observer counts.
#define CAF_SUITE turnstiles

#include "engine/turnstile.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace continuo;
using namespace continuo::engine;
using namespace std::chrono_literals;

namespace {

using ending = turnstile::ending;
using numbers = std::vector<std::uint64_t>;

/// A turnstile, the moment, and what may be said of who starts.
struct gate {
  detail::service_type type;
  boot_time now{1h};
  std::optional<turnstile> of;
  std::uint64_t last = 0;

  explicit gate(std::uint32_t concurrency = 1'000) { type.concurrency = concurrency; }

  turnstile& at() {
    if (!of) {
      of.emplace(type, now);
    }
    return *of;
  }

  void pass(std::chrono::nanoseconds time) { now = later(now, time); }

  /// Joins, and says by which number.
  std::uint64_t join(priority of_class = priority::normal, std::uint64_t key = 0) {
    at().join({7, ++last, 0}, of_class, key);
    return last;
  }

  void join_some(std::size_t count, priority of_class = priority::normal, std::uint64_t key = 0) {
    for (std::size_t i = 0; i < count; ++i) {
      join(of_class, key);
    }
  }

  /// All who may start now, in order, at most `most`.
  numbers start(std::size_t most = 1'000'000) {
    numbers started;
    while (started.size() < most) {
      const auto* next = at().next(now);
      if (next == nullptr) {
        break;
      }
      started.push_back(next->id.revision);
      at().begin(now);
    }
    return started;
  }

  void end(std::uint64_t number, ending how = ending::answered) {
    CAF_CHECK(at().end({7, number, 0}, how, now));
  }
};

} // namespace

CAF_TEST(so many run at a time and the others start in the order in which they came) {
  gate one{2};
  one.join_some(4);
  CAF_CHECK_EQUAL(one.start(), (numbers{1, 2}));
  CAF_CHECK(!one.at().look_again(one.now));
  one.end(1);
  CAF_CHECK_EQUAL(one.start(), numbers{3});
  CAF_CHECK_EQUAL(one.at().waiting(), 1u);
  CAF_CHECK(!one.at().end({7, 1, 0}, ending::answered, one.now));
}

CAF_TEST(a rate lets a burst through and then one at a time) {
  gate one;
  one.type.rate = rate_limit{.starts = 10, .per = 1s, .burst = 3};
  one.at();
  one.join_some(10);
  CAF_CHECK(one.start().empty()); // the bucket is empty at first
  CAF_CHECK(one.at().look_again(one.now) == later(one.now, 100ms));
  one.pass(100ms);
  CAF_CHECK_EQUAL(one.start(), numbers{1});
  one.pass(10s);
  CAF_CHECK_EQUAL(one.start(), (numbers{2, 3, 4}));
  one.pass(99ms);
  CAF_CHECK(one.start().empty());
  one.pass(1ms);
  CAF_CHECK_EQUAL(one.start(), numbers{5});
}

CAF_TEST(a rate that does not divide its time is never passed) {
  gate one;
  one.type.rate = rate_limit{.starts = 3, .per = 1s, .burst = 1};
  one.at();
  one.join_some(10);
  one.pass(1s);
  CAF_CHECK_EQUAL(one.start().size(), 1u);
  one.pass(333'333'333ns);
  CAF_CHECK(one.start().empty());
  one.pass(1ns);
  CAF_CHECK_EQUAL(one.start().size(), 1u);
}

CAF_TEST(of one key one runs at a time and the others do not wait for it) {
  gate one;
  one.join(priority::normal, 1);
  one.join(priority::normal, 1);
  one.join(priority::normal, 2);
  one.join();
  CAF_CHECK_EQUAL(one.start(), (numbers{1, 3, 4}));
  one.join(priority::high, 1);
  CAF_CHECK(one.start().empty());
  one.end(1);
  CAF_CHECK_EQUAL(one.start(), numbers{5}); // of two classes the higher one
  one.end(5);
  CAF_CHECK_EQUAL(one.start(), numbers{2});
  CAF_CHECK_EQUAL(one.at().waiting(), 0u);
}

CAF_TEST(one whose time is up keeps its key until it has returned) {
  gate one;
  one.join_some(2, priority::normal, 1);
  one.start();
  one.at().timed_out({7, 1, 0}, one.now);
  CAF_CHECK(one.start().empty());
  one.end(1, ending::failed);
  CAF_CHECK_EQUAL(one.start(), numbers{2});
}

CAF_TEST(who is passed over and put back stands where it stood) {
  gate one;
  one.join_some(2, priority::normal, 1);
  one.join_some(2);
  std::vector<turnstile::entry> aside;
  for (int i = 0; i < 3; ++i) {
    CAF_REQUIRE(one.at().next(one.now) != nullptr);
    aside.push_back(one.at().pass_over());
  }
  CAF_CHECK_EQUAL(one.start(), numbers{4});
  std::reverse(aside.begin(), aside.end());
  for (const auto& back : aside) {
    one.at().put_back(back);
  }
  CAF_CHECK_EQUAL(one.start(), (numbers{1, 3}));
  one.end(1);
  CAF_CHECK_EQUAL(one.start(), numbers{2});
}

CAF_TEST(three classes have their turns by weight) {
  gate one;
  one.join_some(100, priority::low);    // 1 to 100
  one.join_some(100, priority::normal); // 101 to 200
  one.join_some(100, priority::high);   // 201 to 300
  const auto round = one.start(13);
  const auto count = [&](std::uint64_t from, std::uint64_t to) {
    return std::count_if(round.begin(), round.end(), [&](auto n) { return n >= from && n <= to; });
  };
  CAF_CHECK_EQUAL(count(201, 300), 9);
  CAF_CHECK_EQUAL(count(101, 200), 3);
  CAF_CHECK_EQUAL(count(1, 100), 1);
  CAF_CHECK_EQUAL(round.front(), 201u);
  CAF_CHECK_EQUAL(round.back(), 1u);
}

CAF_TEST(of one key as well no class starves) {
  gate one{2};
  one.join_some(2, priority::high, 1);
  one.start();
  const auto low = one.join(priority::low, 1);
  std::size_t others = 0;
  std::set<std::uint64_t> runs{1};
  for (std::uint64_t key = 1; !runs.contains(low) && others < 1'000; key = 3 - key) {
    // Without end: urgent ones of this key and of others, and ones of the same class.
    one.join(priority::high, 1);
    one.join(priority::high);
    one.join(priority::low);
    const auto done = key == 1 ? *runs.begin() : *runs.rbegin();
    one.end(done);
    runs.erase(done);
    for (const auto number : one.start()) {
      runs.insert(number);
      ++others;
    }
  }
  CAF_CHECK_LESS(others, 13u * (turnstile::passed_over_max + 1));
}

CAF_TEST(a class that is alone has all turns) {
  gate one;
  one.join_some(30, priority::low);
  CAF_CHECK_EQUAL(one.start().size(), 30u);
}

CAF_TEST(nobody starts while it is paused) {
  gate one;
  one.join();
  one.at().pause(true);
  CAF_CHECK(one.start().empty());
  CAF_CHECK(!one.at().look_again(one.now));
  one.at().pause(false);
  CAF_CHECK_EQUAL(one.start().size(), 1u);
}

CAF_TEST(a breaker opens after so many failures in a row and tries one when its time is over) {
  gate one;
  one.type.breaker = breaker_policy{.failures = 3, .wait = 10s};
  one.join_some(20);
  one.start(5);
  one.end(1, ending::failed);
  one.end(2, ending::failed);
  one.end(3); // a success between
  one.end(4, ending::failed);
  CAF_CHECK(!one.at().is_open());
  one.start(2); // 6 and 7
  one.end(5, ending::failed);
  one.end(6, ending::failed);
  CAF_CHECK(one.at().is_open());
  CAF_CHECK(one.start().empty());
  CAF_CHECK(one.at().look_again(one.now) == later(one.now, 10s));
  one.end(7); // it began before that: it says nothing of now
  CAF_CHECK(one.at().is_open());
  one.pass(10s);
  CAF_CHECK_EQUAL(one.start(), numbers{8}); // one alone
  one.end(8, ending::failed);
  CAF_CHECK(one.start().empty());
  one.pass(10s);
  CAF_CHECK_EQUAL(one.start(), numbers{9});
  one.end(9);
  CAF_CHECK(!one.at().is_open());
  CAF_CHECK_EQUAL(one.start().size(), 11u);
  CAF_CHECK_EQUAL(one.at().times_opened(), 2u);
}

CAF_TEST(one that is tried and hangs opens the breaker again and one that says nothing does not ) {
  gate one;
  one.type.breaker = breaker_policy{.failures = 1, .wait = 10s};
  one.join_some(5);
  one.start(1);
  one.at().timed_out({7, 1, 0}, one.now);
  CAF_CHECK(one.at().is_open());
  one.end(1, ending::failed); // counted when its time was up
  CAF_CHECK_EQUAL(one.at().times_opened(), 1u);
  one.pass(10s);
  CAF_CHECK_EQUAL(one.start(), numbers{2});
  one.at().timed_out({7, 2, 0}, one.now);
  CAF_CHECK_EQUAL(one.at().times_opened(), 2u);
  CAF_CHECK(one.start().empty());
  one.pass(10s);
  CAF_CHECK_EQUAL(one.start(), numbers{3});
  one.end(3, ending::unknown);
  CAF_CHECK(one.at().is_open());
  CAF_CHECK_EQUAL(one.start(), numbers{4}); // at once, and alone
}

CAF_TEST(an attempt that takes too long and then fails is one failure) {
  gate one;
  one.type.breaker = breaker_policy{.failures = 2, .wait = 10s};
  one.join_some(3);
  one.start();
  one.at().timed_out({7, 1, 0}, one.now);
  one.end(1, ending::failed);
  CAF_CHECK(!one.at().is_open());
  one.end(2, ending::failed);
  CAF_CHECK(one.at().is_open());
}

CAF_TEST(all rules hold together over random histories) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random{seed};
    const auto draw = [&](std::uint64_t below) { return random() % below; };
    gate one{static_cast<std::uint32_t>(1 + draw(6))};
    const auto has_rate = draw(2) == 0;
    if (has_rate) {
      one.type.rate = rate_limit{.starts = static_cast<std::uint32_t>(1 + draw(20)),
                                 .per = std::chrono::milliseconds{100 + draw(2'000)},
                                 .burst = static_cast<std::uint32_t>(1 + draw(5))};
    }
    if (draw(2) == 0) {
      one.type.breaker = breaker_policy{.failures = 2, .wait = 500ms};
    }
    one.at();
    struct running {
      std::uint64_t key;
    };
    std::map<std::uint64_t, running> runs;
    std::map<std::uint64_t, turnstile::entry> waits; // by arrival, which is the number
    std::map<std::uint64_t, unsigned> passed;        // by whom could start and did not
    std::vector<std::chrono::nanoseconds> starts;
    bool paused = false;
    bool fine = true;
    const auto check = [&](bool holds, const char* what) {
      if (fine && !holds) {
        CAF_ERROR("seed " << seed << ": " << what);
        fine = false;
      }
    };
    for (int step = 0; step < 600 && fine; ++step) {
      const auto what = draw(10);
      if (what < 5) {
        const auto of = static_cast<priority>(draw(3));
        const auto key = draw(4);
        const auto number = one.join(of, key);
        waits[number] = {{7, number, 0}, number, key, of};
      } else if (what < 8 && !runs.empty()) {
        const auto which = std::next(runs.begin(), static_cast<std::ptrdiff_t>(draw(runs.size())));
        const auto id = message_id{7, which->first, 0};
        if (draw(6) == 0) {
          one.at().timed_out(id, one.now);
        } else {
          one.at().end(id, static_cast<ending>(draw(3)), one.now);
          runs.erase(which);
        }
      } else if (what == 8) {
        one.pass(std::chrono::milliseconds{draw(300)});
      } else if (draw(10) == 0) {
        one.at().pause(paused = !paused);
      }
      const auto is_free = [&](std::uint64_t key) {
        return key == 0 || std::none_of(runs.begin(), runs.end(),
                                        [&](const auto& other) { return other.second.key == key; });
      };
      while (const auto* next = one.at().next(one.now)) {
        const auto started = *next;
        one.at().begin(one.now);
        check(!paused, "one starts while it is paused");
        check(runs.size() < one.type.concurrency, "too many run at a time");
        check(is_free(started.key), "two of one key run at a time");
        for (const auto& [number, other] : waits) {
          check(number >= started.arrival || other.of != started.of ||
                    (other.key != 0 && other.key != started.key),
                "one overtakes another one of its class");
        }
        for (const auto& one_waiting : waits) {
          const auto number = one_waiting.first;
          const auto& other = one_waiting.second;
          const auto is_head = std::none_of(waits.begin(), waits.end(), [&](const auto& before) {
            return before.first < number && before.second.of == other.of && is_free(before.second.key);
          });
          if (started.of == other.of && started.arrival < number) {
            passed[number] = 0; // it is one nearer
          } else if (number != started.arrival && is_head && other.key == 0) {
            check(++passed[number] <= turnstile::passed_over_max, "a class starves");
          }
        }
        waits.erase(started.arrival);
        runs[started.arrival] = {started.key};
        starts.push_back(one.now.since_boot);
        if (has_rate) {
          const auto& rate = *one.type.rate;
          for (std::size_t from = 0; from < starts.size(); ++from) {
            const auto time = std::chrono::duration<double>(starts.back() - starts[from]);
            const auto most = rate.burst + time / std::chrono::duration<double>(rate.per) * rate.starts;
            check(static_cast<double>(starts.size() - from) <= most + 1e-6, "the rate is passed");
          }
        }
      }
      check(one.at().waiting() == waits.size(), "it counts other ones that wait");
      if (const auto again = one.at().look_again(one.now)) {
        check(*again > one.now, "it wants to look again before now");
      }
      const auto could = std::any_of(waits.begin(), waits.end(),
                                     [&](const auto& other) { return is_free(other.second.key); });
      if (could && !paused && runs.size() < one.type.concurrency && !one.at().is_open()) {
        const auto again = one.at().look_again(one.now);
        check(again.has_value(), "nobody will look again, and somebody could start");
        if (again) {
          auto then = one.at(); // a copy: what would be then
          check(then.next(*again) != nullptr, "at the time that it names nobody may start");
        }
      }
    }
    // In the end all start.
    one.at().pause(false);
    for (int i = 0; i < 10'000 && !waits.empty(); ++i) {
      for (const auto number : one.start()) {
        waits.erase(number);
        runs[number] = {};
      }
      while (!runs.empty()) {
        one.at().end({7, runs.begin()->first, 0}, ending::answered, one.now);
        runs.erase(runs.begin());
      }
      one.pass(100ms);
    }
    check(waits.empty(), "some never start");
  }
}
