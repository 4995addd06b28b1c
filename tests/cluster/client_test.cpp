// ctest: timeout=300
// A client answers for the whole cluster, from whichever node it is asked on.
#define CAF_SUITE client

#include "actors/core.hpp"
#include "actors/protocol.hpp"
#include "messages/frame_bounds.hpp"
#include "nodes/http/api.hpp"
#include "nodes/http/bodies.hpp"
#include "nodes/http/desk.hpp"
#include "tests/support/cluster_world.hpp"
#include "tests/support/world.hpp"

#include <continuo/json.hpp>
#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <caf/test/dsl.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct errand_asked {
  std::string key;
  bool works = false;
  CONTINUO_FIELDS(errand_asked, key, works)
};

struct errand_confirmed {
  std::string key;
  CONTINUO_FIELDS(errand_confirmed, key)
};

struct bell_rung {
  std::string by;
  CONTINUO_FIELDS(bell_rung, by)
};

struct work_done {
  std::int64_t number = 0;
  CONTINUO_FIELDS(work_done, number)
};

struct do_work {
  using reply = work_done;
  std::string key;
  CONTINUO_FIELDS(do_work, key)
};

struct undo_work {
  using reply = work_done;
  std::string key;
  CONTINUO_FIELDS(undo_work, key)
};

struct count_up {
  using reply = work_done;
  std::string key;
  CONTINUO_FIELDS(count_up, key)
};

struct count {
  std::int64_t value = 0;
  CONTINUO_FIELDS(count, value)
};

/// What is wrong outside, for the handlers.
struct {
  bool saga = false;
  bool work = false;
  bool undo = false;
  std::map<std::string, int> works; ///< how often each was done
  int bells = 0;
} outside;

class errand : public saga<errand> {
public:
  static void define(saga_definition<errand>& saga) {
    saga.starts_on<errand_asked>(&errand_asked::key);
    saga.on<errand_confirmed>(&errand_confirmed::key, unknown_instance::dead_letter);
    saga.calls<do_work>().undone_by(
        [](const do_work& sent, const work_done*) { return undo_work{sent.key}; });
  }
  void on(const errand_asked& event, saga_context& context) {
    key = event.key;
    if (event.works) {
      context.send(do_work{key});
    } else {
      context.expect<errand_confirmed>();
    }
  }
  void on(const work_done&, saga_context& context) { context.expect<errand_confirmed>(); }
  void on(const errand_confirmed&, saga_context& context) {
    if (outside.saga) {
      throw std::runtime_error{"a bug"};
    }
    context.complete("done " + key);
  }
  std::string key;
  CONTINUO_FIELDS(errand, key)
};

std::string code_of(const auto& answer) {
  return answer ? "ok" : std::string{to_string(answer.error().code)};
}

/// A request of a client that may leave.
struct http_call {
  http_call(cluster_world& world, const std::string& node, std::string method, const std::string& target,
            std::string body = {})
      : over_http(world.node(node).weak_from_this(), std::string{}) {
    http::request asked;
    asked.method = std::move(method);
    CAF_REQUIRE_EQUAL(http::read_target(target, asked), "");
    asked.body = std::move(body);
    asked.client_left = left;
    over_http.answers()(std::move(asked), [to = said](http::response made) { *to = std::move(made); });
  }

  http::api over_http;
  std::shared_ptr<std::atomic<bool>> left = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::optional<http::response>> said = std::make_shared<std::optional<http::response>>();
};

/// Three nodes: `front` hosts nothing, the others share the rest.
struct fixture {
  cluster_world here{
      [](detail::node_runtime& node) {
        node.host(errand::describe());
        node.host(keyed_service<count>{"counts"}
                      .handle(&count_up::key,
                              [](count& state, const count_up&, keyed_context&) -> outcome<work_done> {
                                return work_done{++state.value};
                              })
                      .describe());
        node.host(service{"work"}
                      .handle([](const do_work& command, command_context&) -> outcome<work_done> {
                        if (outside.work) {
                          throw std::runtime_error{"out of order"};
                        }
                        return work_done{++outside.works[command.key]};
                      })
                      .handle([](const undo_work&, command_context&) -> outcome<work_done> {
                        if (outside.undo) {
                          return decline("what is done is done");
                        }
                        return work_done{};
                      })
                      .retry({.attempts = 2, .first = 10ms})
                      .when_exhausted(exhausted::park)
                      .describe());
        node.host(service{"bell"}.on([](const bell_rung&, command_context&) { ++outside.bells; }).describe());
      },
      {{"front", {}},
       {"left", {"errand", "counts", "work"}},
       {"right", {"errand", "counts", "work", "bell"}}}};
  client front;

  fixture() : front(started()) {}

  client started() {
    outside = {};
    here.start_all();
    here.run_for(1s);
    return here.client("front");
  }

  /// The first so many keys of instances that live on a node.
  std::vector<std::string> keys_on(const std::string& node, std::size_t count = 1,
                                   const std::string& type = "errand") const {
    std::vector<std::string> keys;
    const auto core = here.node("front").open_core();
    for (int i = 0; keys.size() < count; ++i) {
      const auto key = "k-" + std::to_string(i);
      if (core->peer_of({type, key}) == node) {
        keys.push_back(key);
      }
    }
    return keys;
  }

  static instance_id id_of(const std::string& key) { return {"errand", key}; }

  void begin(const std::string& key, bool works = false) {
    CAF_REQUIRE_EQUAL(code_of(take(front.publish(errand_asked{key, works}))), "ok");
    here.run_for(1s);
  }

  result<accepted> take(const publication& sent) {
    here.run_for(100ms);
    return is_taken(sent) ? sent.get() : fail(errc::timed_out, "it is under way");
  }

  static bool is_taken(const publication& sent) {
    return sent.taken().wait_for(0s) == std::future_status::ready;
  }

  std::string status_of(const std::string& key) {
    const auto seen = here.finish(front.show(id_of(key)));
    return seen ? std::string{to_string(seen->status)} : code_of(seen);
  }

  std::string do_it(std::future<result<void>> verb) {
    const auto verdict = here.finish(std::move(verb));
    here.run_for(1s);
    return code_of(verdict);
  }

  static std::int64_t number_of(const result<work_done>& reply) {
    CAF_REQUIRE_EQUAL(code_of(reply), "ok");
    return reply->number;
  }

  std::vector<std::string> keys_of(const result<std::vector<instance_view>>& page) {
    std::vector<std::string> keys;
    CAF_REQUIRE_EQUAL(code_of(page), "ok");
    for (const auto& one : *page) {
      keys.push_back(one.instance.key);
    }
    return keys;
  }

  /// Whether it says that the node is down, and that one may try again.
  bool names(const error& why, const std::string& node) {
    CAF_MESSAGE(why.message);
    return why.code == errc::unavailable && is_retryable(why.code) &&
           why.message.find(node) != std::string::npos;
  }

  std::set<std::string> letters(const client& from) {
    const auto found = here.finish(from.dead_letters());
    CAF_REQUIRE_EQUAL(code_of(found), "ok");
    std::set<std::string> ids;
    for (const auto& one : *found) {
      ids.insert(one.id);
    }
    return ids;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(client_tests, fixture)

// -- looking ------------------------------------------------------------------------------------

CAF_TEST(a list has the instances of all nodes in the order of their keys) {
  std::vector<std::string> all;
  for (const auto* node : {"left", "right"}) {
    for (const auto& key : keys_on(node, 15)) {
      begin(key);
      all.push_back(key);
    }
  }
  std::sort(all.begin(), all.end());
  for (const auto* node : {"front", "left", "right"}) {
    CAF_CHECK(keys_of(here.finish(here.client(node).list("errand"))) == all);
  }
  const std::vector<std::string> some(all.begin() + 5, all.begin() + 12);
  CAF_CHECK(keys_of(here.finish(front.list("errand", std::nullopt, 7, all[4]))) == some);
  CAF_CHECK_EQUAL(do_it(front.pause(id_of(all[3]))), "ok");
  CAF_CHECK(keys_of(here.finish(front.list("errand", instance_status::paused))) ==
            std::vector<std::string>{all[3]});
  CAF_CHECK_EQUAL(code_of(here.finish(front.list("no_saga"))), "unknown_type");
}

CAF_TEST(a list goes on behind what one page holds) {
  for (int i = 0; i < 2'500; ++i) {
    front.publish(errand_asked{"k-" + std::to_string(i), false});
  }
  here.run_for(10s);
  const auto all = keys_of(here.finish(front.list("errand", std::nullopt, 10'000)));
  CAF_CHECK_EQUAL(all.size(), 2'500u);
  CAF_CHECK(std::is_sorted(all.begin(), all.end()));
  CAF_CHECK_EQUAL(here.finish(front.list("errand", std::nullopt, 1'500))->size(), 1'500u);
}

CAF_TEST(what an instance is and was is the same from every node) {
  for (const std::string home : {"left", "right"}) {
    const auto key = keys_on(home).front();
    begin(key, true);
    const auto there = here.finish(here.client(home).show(id_of(key)));
    const auto seen = here.finish(front.show(id_of(key)));
    CAF_REQUIRE_EQUAL(code_of(seen), "ok");
    CAF_CHECK_EQUAL(seen->state, "{\"key\":\"" + key + "\"}");
    CAF_CHECK(*seen == *there);
    const auto past = here.finish(front.history(id_of(key)));
    CAF_REQUIRE_EQUAL(code_of(past), "ok");
    CAF_REQUIRE_EQUAL(past->size(), 2u);
    CAF_CHECK_EQUAL(past->front().what, "start");
    CAF_CHECK_EQUAL(past->back().message, "work_done");
    CAF_CHECK(*past == *here.finish(here.client(home).history(id_of(key))));
  }
  CAF_CHECK_EQUAL(code_of(here.finish(front.show(id_of("nobody")))), "not_found");
  CAF_CHECK_EQUAL(code_of(here.finish(front.history(id_of("nobody")))), "not_found");
  CAF_CHECK_EQUAL(code_of(here.finish(front.show({"no_saga", "k"}))), "unknown_type");
}

CAF_TEST(keyed instances are shown and listed from every node) {
  for (const std::string home : {"left", "right"}) {
    const auto key = keys_on(home, 1, "counts").front();
    CAF_CHECK_EQUAL(number_of(here.finish(front.send(count_up{key}))), 1);
    CAF_CHECK_EQUAL(number_of(here.finish(front.send(count_up{key}))), 2);
    CAF_CHECK(here.finish(front.show({"counts", key}))->state == "{\"value\":2}");
    CAF_CHECK_EQUAL(here.finish(front.history({"counts", key}))->size(), 2u);
  }
  CAF_CHECK_EQUAL(here.finish(front.list("counts"))->size(), 2u);
}

// -- ends ------------------------------------------------------------------------------------------

CAF_TEST(an end is waited for on another node however long it takes) {
  const auto key = keys_on("left").front();
  std::vector<std::string> told;
  const pending<saga_result> end{front.result_of<errand>(key)}; // it has not begun
  front.result_of(id_of(key), std::nullopt, [&](const result<saga_result>& said) {
    told.push_back(said ? said->text() : code_of(said));
  });
  const pending<saga_result> early{front.result_of<errand>(key, 200s)};
  begin(key);
  here.run_for(198s);
  CAF_CHECK(!early.is_ready());
  here.run_for(5s);
  CAF_REQUIRE(early.is_ready());
  CAF_CHECK_EQUAL(code_of(early.get()), "timed_out");
  here.run_for(1h);
  CAF_CHECK(!end.is_ready());
  front.publish(errand_confirmed{key});
  here.run_for(1s);
  CAF_REQUIRE(end.is_ready());
  CAF_CHECK_EQUAL(end.get()->text(), "done " + key);
  CAF_CHECK(told == std::vector<std::string>{"done " + key});
  CAF_CHECK_EQUAL(here.finish(front.result_of<errand>(key))->text(), "done " + key); // long ago
}

CAF_TEST(the end of what a publication starts on another node comes through it) {
  const auto key = keys_on("right").front();
  const auto sent = front.publish(errand_asked{key, false});
  CAF_REQUIRE_EQUAL(code_of(take(sent)), "ok");
  const pending<saga_result> end{sent.result_of<errand>()};
  front.publish(errand_confirmed{key});
  here.run_for(1s);
  CAF_REQUIRE(end.is_ready());
  CAF_CHECK_EQUAL(end.get()->text(), "done " + key);
}

// -- acting ------------------------------------------------------------------------------------------

CAF_TEST(an operator acts on instances of other nodes) {
  for (const auto* home : {"left", "right"}) {
    outside = {};
    const auto keys = keys_on(home, 3);
    begin(keys[0]);
    CAF_CHECK_EQUAL(do_it(front.pause(id_of(keys[0]), "anna", "a moment")), "ok");
    CAF_CHECK_EQUAL(status_of(keys[0]), "paused");
    CAF_CHECK_EQUAL(do_it(front.retry(id_of(keys[0]))), "conflict");
    CAF_CHECK_EQUAL(do_it(front.resume(id_of(keys[0]), "anna")), "ok");
    CAF_CHECK_EQUAL(status_of(keys[0]), "running");
    CAF_CHECK_EQUAL(do_it(front.cancel(id_of(keys[0]), "anna", "not wanted")), "ok");
    CAF_CHECK_EQUAL(status_of(keys[0]), "compensated");
    const auto past = here.finish(front.history(id_of(keys[0])));
    CAF_CHECK_EQUAL(past.value().at(1).note, "pause by anna: a moment");
    outside.saga = true;
    begin(keys[1]);
    front.publish(errand_confirmed{keys[1]});
    here.run_for(10s);
    CAF_CHECK_EQUAL(status_of(keys[1]), "stuck");
    outside.saga = false;
    CAF_CHECK_EQUAL(do_it(front.retry(id_of(keys[1]))), "ok");
    CAF_CHECK_EQUAL(status_of(keys[1]), "completed");
    outside.undo = true;
    begin(keys[2], true);
    CAF_CHECK_EQUAL(do_it(front.cancel(id_of(keys[2]))), "ok");
    CAF_CHECK_EQUAL(status_of(keys[2]), "stuck");
    CAF_CHECK_EQUAL(do_it(front.skip(id_of(keys[2]), "anna", {})), "malformed");
    CAF_CHECK_EQUAL(do_it(front.skip(id_of(keys[2]), "anna", "undone by hand")), "ok");
    CAF_CHECK_EQUAL(status_of(keys[2]), "compensated");
  }
  CAF_CHECK_EQUAL(do_it(front.cancel(id_of("nobody"))), "not_found");
  CAF_CHECK_EQUAL(do_it(front.cancel({"no_saga", "k"})), "unknown_type");
}

CAF_TEST(dead letters of all nodes are seen sent again and discarded from every node) {
  const std::vector<std::string> keys{keys_on("left").front(), keys_on("right").front()};
  for (const auto& key : keys) {
    CAF_REQUIRE_EQUAL(code_of(take(front.publish(errand_confirmed{key}))), "ok"); // nothing to confirm
  }
  here.run_for(1s);
  const auto found = here.finish(front.dead_letters());
  CAF_REQUIRE_EQUAL(code_of(found), "ok");
  CAF_REQUIRE_EQUAL(found->size(), 2u);
  CAF_CHECK_EQUAL(found->front().type, "errand_confirmed");
  CAF_CHECK(letters(here.client("left")) == letters(here.client("right")));
  for (const auto& letter : *found) {
    CAF_CHECK_EQUAL(do_it(front.redrive(letter.id, "")), "malformed");
    const auto key = letter.to.key;
    begin(key);
    CAF_CHECK_EQUAL(do_it(front.redrive(letter.id, encode(errand_confirmed{key}))), "ok");
    CAF_CHECK_EQUAL(status_of(key), "completed");
  }
  CAF_CHECK(letters(front).empty());
  CAF_CHECK_EQUAL(do_it(front.redrive(found->front().id)), "not_found");
  CAF_REQUIRE_EQUAL(code_of(take(front.publish(errand_confirmed{keys_on("right", 2).back()}))), "ok");
  here.run_for(1s);
  const auto left = letters(here.client("left"));
  CAF_REQUIRE_EQUAL(left.size(), 1u);
  CAF_CHECK_EQUAL(do_it(here.client("left").discard(*left.begin())), "ok");
  CAF_CHECK(letters(front).empty());
}

CAF_TEST(parked commands are found retried and discarded from every node) {
  outside.work = true;
  std::vector<pending<work_done>> sent;
  for (int i = 0; i < 8; ++i) {
    sent.emplace_back(front.send(do_work{"w-" + std::to_string(i)}));
  }
  here.run_for(5s);
  const auto parked = here.finish(front.list("work", instance_status::stuck));
  CAF_REQUIRE_EQUAL(keys_of(parked).size(), 8u);
  std::set<std::string> addresses;
  for (const auto& one : *parked) {
    addresses.insert(one.instance.type);
  }
  CAF_CHECK_EQUAL(addresses.size(), 2u); // on both nodes
  CAF_CHECK_EQUAL(here.finish(front.list("work", instance_status::stuck, 3))->size(), 3u);
  const auto id_at = [&](std::size_t i) { return parse_message_id(parked->at(i).instance.key).value(); };
  CAF_CHECK_EQUAL(do_it(front.retry_command("bell", id_at(0))), "not_found");
  CAF_CHECK_EQUAL(do_it(front.retry_command("no_service", id_at(0))), "unknown_type");
  outside.work = false;
  for (std::size_t i = 0; i < parked->size(); ++i) {
    CAF_CHECK_EQUAL(
        do_it(i % 2 == 0 ? front.retry_command("work", id_at(i)) : front.discard_command("work", id_at(i))),
        "ok");
  }
  CAF_CHECK_EQUAL(std::count_if(sent.begin(), sent.end(),
                                [](const auto& one) { return one.is_ready() && one.get().has_value(); }),
                  4);
  CAF_CHECK_EQUAL(do_it(front.retry_command("work", id_at(0))), "not_found");
}

// -- a node is down --------------------------------------------------------------------------------------

CAF_TEST(what lives on a node that is down is unavailable by name and the rest is there) {
  const auto gone = id_of(keys_on("left").front());
  const auto there = id_of(keys_on("right").front());
  begin(gone.key);
  begin(there.key);
  const pending<saga_result> waits{front.result_of(gone)};
  here.run_for(1s);
  here.crash("left");
  here.run_for(10s);
  CAF_REQUIRE(waits.is_ready());
  CAF_CHECK(names(waits.get().error(), "left"));
  CAF_CHECK(names(here.finish(front.show(gone)).error(), "left"));
  CAF_CHECK(names(here.finish(front.history(gone)).error(), "left"));
  CAF_CHECK(names(here.finish(front.result_of(gone)).error(), "left"));
  CAF_CHECK(names(here.finish(front.pause(gone)).error(), "left"));
  CAF_CHECK(names(here.finish(front.list("errand")).error(), "left"));
  CAF_CHECK(names(here.finish(front.dead_letters()).error(), "left"));
  CAF_CHECK(names(here.finish(front.redrive("1-1-1")).error(), "left"));
  CAF_CHECK(names(here.finish(front.discard("1-1-1")).error(), "left"));
  CAF_CHECK(names(here.finish(front.retry_command("work", {1, 1, 1})).error(), "left"));
  CAF_CHECK_EQUAL(status_of(there.key), "running");
  CAF_CHECK_EQUAL(here.finish(front.history(there))->size(), 1u);
  CAF_CHECK_EQUAL(code_of(here.finish(front.list("bell"))), "ok"); // which is on the right alone
  CAF_REQUIRE(here.start("left").has_value());
  here.run_for(10s);
  CAF_CHECK_EQUAL(status_of(gone.key), "running");
  CAF_CHECK_EQUAL(here.finish(front.list("errand"))->size(), 2u);
}

CAF_TEST(a node that says nothing is waited for three seconds) {
  const auto key = keys_on("left").front();
  begin(key);
  here.inspect([](const std::string& from, const std::string&, messages::frame& frame) {
    return from != "left" || !std::holds_alternative<messages::answer>(frame.body);
  });
  const pending<instance_view> shown{front.show(id_of(key))};
  const pending<std::vector<instance_view>> listed{front.list("errand")};
  here.run_for(2'900ms);
  CAF_CHECK(!shown.is_ready());
  CAF_CHECK(!listed.is_ready());
  here.run_for(200ms);
  CAF_REQUIRE(shown.is_ready());
  CAF_CHECK(names(shown.get().error(), "left"));
  CAF_REQUIRE(listed.is_ready());
  CAF_CHECK(names(listed.get().error(), "left"));
}

CAF_TEST(a node that answers in another way is unavailable and whoever asks goes on) {
  const auto key = keys_on("left").front();
  begin(key);
  const auto page = encode(http::instance_page{{{"00", {}}}, "00"});
  const std::vector<http::response> answers{{200, ""},
                                            {200, "{}"},
                                            {200, std::string(100'000, '\xff')},
                                            {200, page.substr(1)},
                                            {200, page},
                                            {404, "{\"error\": 7}"},
                                            {503, ""},
                                            {999, "{}"},
                                            {503, "{\"error\": {\"code\": [], \"message\": \"later\"}}"}};
  for (const auto& said : answers) {
    for (const auto* peer : {"left", "right"}) {
      here.node(peer).open_core()->answer_peer =
          [said](const std::string&, const std::function<void(std::string)>& done) { done(encode(said)); };
    }
    CAF_MESSAGE(said.status << " " << said.body.substr(0, 60));
    CAF_CHECK_EQUAL(code_of(here.finish(front.show(id_of(key)))), "unavailable");
    CAF_CHECK_EQUAL(code_of(here.finish(front.history(id_of(key)))), "unavailable");
    CAF_CHECK_EQUAL(code_of(here.finish(front.result_of(id_of(key)))), "unavailable");
    CAF_CHECK_EQUAL(code_of(here.finish(front.list("errand"))), "unavailable");
    CAF_CHECK_EQUAL(code_of(here.finish(front.dead_letters())), "unavailable");
  }
}

CAF_TEST(a node whose pages lead to and fro is left) {
  const auto key = keys_on("left").front();
  begin(key);
  int asked = 0;
  for (const auto* peer : {"left", "right"}) {
    here.node(peer).open_core()->answer_peer = [&](const std::string& text,
                                                   const std::function<void(std::string)>& done) {
      const auto next = http::cursor_of(++asked % 2 == 0 ? "1" : "2");
      done(encode(http::response{
          200,
          text.find("history") != std::string::npos        ? encode(http::history_page{{}, next})
          : text.find("dead-letters") != std::string::npos ? encode(http::letter_page{{}, next})
                                                           : encode(http::instance_page{{}, next}),
          {}}));
    };
  }
  CAF_CHECK_EQUAL(code_of(here.finish(front.history(id_of(key)))), "unavailable");
  CAF_CHECK_EQUAL(code_of(here.finish(front.list("errand"))), "unavailable");
  CAF_CHECK_EQUAL(code_of(here.finish(front.list("work"))), "unavailable");
  CAF_CHECK_EQUAL(code_of(here.finish(front.dead_letters())), "unavailable");
  CAF_CHECK_LESS(asked, 20);
}

CAF_TEST(a node that does not wait as long as it is asked to is not asked again and again) {
  const auto key = keys_on("left").front();
  begin(key);
  int asked = 0;
  here.node("left").open_core()->answer_peer = [&](const std::string&,
                                                   const std::function<void(std::string)>& done) {
    ++asked;
    done(encode(http::error_response(504, "timed_out", "not yet")));
  };
  CAF_CHECK_EQUAL(code_of(here.finish(front.result_of(id_of(key)))), "unavailable");
  CAF_CHECK_EQUAL(asked, 1);
}

CAF_TEST(who waits for many ends keeps no operator out) {
  const auto key = keys_on("left").front();
  begin(key);
  std::vector<pending<saga_result>> ends;
  for (int i = 0; i < 1'100; ++i) {
    ends.emplace_back(front.result_of(id_of(key)));
  }
  here.run_for(1s);
  const auto refused =
      std::count_if(ends.begin(), ends.end(), [](const auto& one) { return one.is_ready(); });
  CAF_CHECK_EQUAL(refused, 300);
  CAF_CHECK_EQUAL(status_of(key), "running");
  here.run_for(10min); // they are renewed
  CAF_CHECK_EQUAL(std::count_if(ends.begin(), ends.end(), [](const auto& one) { return one.is_ready(); }),
                  300);
  CAF_CHECK_EQUAL(do_it(front.cancel(id_of(key))), "ok");
  here.run_for(10s);
  CAF_CHECK(std::all_of(ends.begin(), ends.end(), [](const auto& one) { return one.is_ready(); }));
}

CAF_TEST(each callback is called once also where the asking node ends first) {
  const auto key = keys_on("left").front();
  begin(key);
  outside.work = true;
  std::map<std::string, std::vector<std::string>> told;
  front.result_of(id_of(key), std::nullopt,
                  [&](const result<saga_result>& said) { told["end"].push_back(code_of(said)); });
  front.send(
      "do_work", encode(do_work{"w"}),
      [&](const result<accepted>& said) { told["taken"].push_back(code_of(said)); },
      [&](const result<command_result>& said) { told["outcome"].push_back(code_of(said)); }, {"a-key"});
  here.run_for(5s);
  CAF_CHECK(told["end"].empty());
  CAF_CHECK(told["outcome"].empty());
  front.publish("errand_asked", encode(errand_asked{"late", false}), {.idempotency_key = "another"},
                [&](const result<accepted>& said) { told["publish"].push_back(code_of(said)); });
  front = here.client("left"); // the last client of the node
  here.crash("front");
  here.run_for(10s);
  const std::vector<std::string> lost{"unavailable"};
  CAF_CHECK(told["taken"] == std::vector<std::string>{"ok"});
  CAF_CHECK(told["end"] == lost);
  CAF_CHECK(told["outcome"] == lost);
  CAF_CHECK_EQUAL(told["publish"].size(), 1u);
}

// -- idempotency keys ---------------------------------------------------------------------------------------

CAF_TEST(an event of one key is published once wherever it is published) {
  const auto key = keys_on("left").front();
  const auto first = take(front.publish(errand_asked{key, true}, {.idempotency_key = "order-1"}));
  CAF_REQUIRE_EQUAL(code_of(first), "ok");
  for (const std::string node : {"left", "right", "front"}) {
    const auto again =
        take(here.client(node).publish(errand_asked{key, true}, {.idempotency_key = "order-1"}));
    CAF_REQUIRE_EQUAL(code_of(again), "ok");
    CAF_CHECK(*again == *first);
    const auto other =
        take(here.client(node).publish(errand_asked{key, false}, {.idempotency_key = "order-1"}));
    CAF_CHECK_EQUAL(code_of(other), "conflict");
  }
  CAF_CHECK_EQUAL(here.finish(front.history(id_of(key)))->size(), 2u); // no event was dropped
  for (const auto* name : {"front", "left", "right"}) {
    here.crash(name);
  }
  here.start_all();
  here.run_for(10s);
  CAF_CHECK(*take(here.client("right").publish(errand_asked{key, true}, {.idempotency_key = "order-1"})) ==
            *first);
  CAF_CHECK_EQUAL(outside.works[key], 1);
}

CAF_TEST(the keys of events that start nothing have one home as well) {
  const auto first = take(front.publish(bell_rung{"anna"}, {.idempotency_key = "ring"}));
  CAF_REQUIRE_EQUAL(code_of(first), "ok");
  for (const std::string node : {"left", "right"}) {
    CAF_CHECK(*take(here.client(node).publish(bell_rung{"anna"}, {.idempotency_key = "ring"})) == *first);
    CAF_CHECK_EQUAL(code_of(take(here.client(node).publish(bell_rung{"bert"}, {.idempotency_key = "ring"}))),
                    "conflict");
  }
  here.run_for(1s);
  CAF_CHECK_EQUAL(outside.bells, 1);
}

CAF_TEST(a command of one key is carried out once and every sender has its reply) {
  for (const std::string key : {"pay-1", "pay-2", "pay-3", "pay-4"}) {
    for (const std::string node : {"front", "left", "right", "front"}) {
      const auto reply = here.finish(here.client(node).send(do_work{key}, {key}));
      CAF_CHECK_EQUAL(number_of(reply), 1);
    }
    CAF_CHECK_EQUAL(code_of(here.finish(here.client("left").send(do_work{"other"}, {key}))), "conflict");
    CAF_CHECK_EQUAL(outside.works[key], 1);
  }
  CAF_CHECK_EQUAL(outside.works["other"], 0);
  CAF_CHECK_EQUAL(number_of(here.finish(front.send(do_work{"pay-1"}))), 2); // without a key it is another one
}

CAF_TEST(a reply under a key is waited for however long the service is down) {
  outside.work = true;
  const pending<work_done> first{front.send(do_work{"slow"}, {"slow-1"})};
  here.run_for(1h);
  const pending<work_done> second{here.client("right").send(do_work{"slow"}, {"slow-1"})};
  here.run_for(10min);
  CAF_CHECK(!first.is_ready());
  outside.work = false;
  const auto parked = here.finish(front.list("work"));
  CAF_REQUIRE_EQUAL(code_of(parked), "ok");
  for (const auto& one : *parked) {
    CAF_CHECK_EQUAL(do_it(front.retry_command("work", *parse_message_id(one.instance.key))), "ok");
  }
  CAF_REQUIRE(first.is_ready());
  CAF_REQUIRE(second.is_ready());
  CAF_CHECK_EQUAL(number_of(first.get()), 1);
  CAF_CHECK_EQUAL(number_of(second.get()), 1);
}

CAF_TEST(a key whose home is down is unavailable by name and good afterwards) {
  const auto key = keys_on("left").front();
  CAF_REQUIRE_EQUAL(code_of(take(front.publish(errand_asked{key, false}, {.idempotency_key = "once"}))),
                    "ok");
  here.crash("left");
  here.run_for(10s);
  const auto refused = take(front.publish(errand_asked{key, false}, {.idempotency_key = "once"}));
  CAF_REQUIRE(!refused);
  CAF_CHECK(names(refused.error(), "left"));
  CAF_REQUIRE(here.start("left").has_value());
  here.run_for(10s);
  CAF_CHECK_EQUAL(code_of(take(front.publish(errand_asked{key, false}, {.idempotency_key = "once"}))), "ok");
  CAF_CHECK_EQUAL(here.finish(front.history(id_of(key)))->size(), 1u);
}

CAF_TEST(a key has at most 256 visible characters) {
  for (const auto& key : {std::string(257, 'x'), std::string{"two words"}, std::string{"\n"}}) {
    CAF_CHECK_EQUAL(code_of(take(front.publish(bell_rung{"anna"}, {.idempotency_key = key}))), "malformed");
    CAF_CHECK_EQUAL(code_of(here.finish(front.send(do_work{"w"}, {key}))), "malformed");
  }
  const std::string longest(256, 'x');
  CAF_CHECK_EQUAL(code_of(take(front.publish(bell_rung{"anna"}, {.idempotency_key = longest}))), "ok");
  CAF_CHECK(outside.works.empty());
}

CAF_TEST(a client and HTTP share the keys) {
  const auto key = keys_on("right").front();
  const auto first = take(front.publish(errand_asked{key, false}, {.idempotency_key = "shared"}));
  CAF_REQUIRE_EQUAL(code_of(first), "ok");
  const http::api outside_of{here.node("left").weak_from_this(), std::string{}};
  const auto post = [&](const std::string& body) {
    http::request asked;
    asked.method = "POST";
    CAF_REQUIRE_EQUAL(http::read_target("/api/v1/publish/errand_asked", asked), "");
    asked.headers = {{"host", "localhost"}, {"idempotency-key", "shared"}};
    asked.body = body;
    http::response said;
    said.status = 0;
    outside_of.answers()(std::move(asked), [&](http::response made) { said = std::move(made); });
    here.run_for(100ms);
    return said;
  };
  const auto again = post(R"({ "works": false, "key": ")" + key + R"(" })");
  CAF_CHECK_EQUAL(again.status, 202u);
  CAF_CHECK_EQUAL(nlohmann::json::parse(again.body)["message_id"].get<std::string>(), to_string(first->id));
  CAF_CHECK_EQUAL(post(R"({ "works": true, "key": ")" + key + R"(" })").status, 409u);
}

CAF_TEST(what a client waits for over HTTP is dropped soon after it has left) {
  outside.work = true; // the command has no outcome: it is parked
  http_call sent{here, "front", "POST", "/api/v1/send/work/do_work", R"({"key": "w"})"};
  here.run_for(1s);
  CAF_REQUIRE(sent.said->has_value());
  const auto id = nlohmann::json::parse((*sent.said)->body)["message_id"].get<std::string>();
  std::vector<std::pair<std::string, unsigned>> targets{{"/api/v1/commands/" + id, 202}};
  for (const auto* node : {"left", "right"}) {
    targets.emplace_back("/api/v1/instances/errand/" + keys_on(node).front() + "/result", 404);
  }
  for (const auto* asked_node : {"left", "right", "front"}) {
    for (const auto& [target, status] : targets) {
      const http_call stays{here, asked_node, "GET", target + "?wait=60s"};
      here.run_for(55s);
      CAF_CHECK(!*stays.said);
      here.run_for(10s);
      CAF_REQUIRE(stays.said->has_value());
      CAF_CHECK_EQUAL((*stays.said)->status, status);
      const http_call leaves{here, asked_node, "GET", target + "?wait=60s"};
      here.run_for(5s);
      CAF_CHECK(!*leaves.said);
      *leaves.left = true;
      here.run_for(3s);
      CAF_CHECK(leaves.said->has_value()); // nobody hears it
    }
  }
}

CAF_TEST(a client that waits over HTTP gets what comes while it does) {
  for (const auto* node : {"left", "right"}) {
    const auto key = keys_on(node).front();
    const http_call waits{here, "left", "GET", "/api/v1/instances/errand/" + key + "/result?wait=60s"};
    here.run_for(7s);
    begin(key);
    here.run_for(7s);
    CAF_CHECK(!*waits.said);
    CAF_REQUIRE_EQUAL(code_of(take(front.publish(errand_confirmed{key}))), "ok");
    here.run_for(1s);
    CAF_REQUIRE(waits.said->has_value());
    CAF_CHECK_EQUAL((*waits.said)->status, 200u);
    const auto body = nlohmann::json::parse((*waits.said)->body);
    CAF_CHECK_EQUAL(body["status"], "completed");
    CAF_CHECK_EQUAL(body["result"], "done " + key);
  }
}

CAF_TEST(what is too large to be asked of another node is refused where it is asked) {
  std::optional<result<std::string>> said;
  const auto core = here.node("left").open_core();
  CAF_REQUIRE(static_cast<bool>(core));
  caf::anon_send(core->links.at("right"),
                 actors::ask_peer{std::string(messages::question_bytes_max + 1, 'x'), 1s,
                                  [&](result<std::string> answer) { said = std::move(answer); }});
  here.run_for(1s);
  CAF_REQUIRE(said.has_value());
  CAF_CHECK_EQUAL(code_of(*said), "malformed");
  CAF_CHECK(core->peers.is_up("right"));
}

CAF_TEST_FIXTURE_SCOPE_END()
