#include "tests/support/businesses.hpp"

#include <continuo/saga.hpp>
#include <continuo/service.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

// Stamps: clients' commands to a service with effects. Some fail for good; people send them again, some with
// another text, while nodes die. And claims: more starts than a node may have in flight.
namespace continuo::tests {

using namespace std::chrono_literals;

namespace {

// -- stamps -----------------------------------------------------------------------------------------------

struct stamped {
  CONTINUO_FIELDS(stamped)
};

struct put_stamp {
  using reply = stamped;
  std::string id;
  std::string text;
  bool fails = false; ///< until a person sends it again
  CONTINUO_FIELDS(put_stamp, id, text, fails)
};

struct stamp_book {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> keys; ///< by id and text
  std::map<std::string, int> calls;
};

constexpr int stamp_attempts = 2;

class stamp_business : public business {
public:
  hosts_by_node offer(cluster& here) override {
    here.offer(
        service{"stamps"}
            .handle([book = book_](const put_stamp& command, command_context& call) -> outcome<stamped> {
              book->keys[{command.id, command.text}].insert(call.idempotency_key());
              if (command.fails && ++book->calls[command.id] <= stamp_attempts) {
                throw std::runtime_error{"no ink"};
              }
              return stamped{};
            })
            .retry({.attempts = stamp_attempts, .first = 20ms, .timeout = 2s}));
    here.handlers_take("stamps", 200ms);
    return {{"south", {"stamps"}}};
  }

  void act(cluster& here, int round) override {
    const auto id = fmt::format("stamp-{}", round);
    static_cast<void>(here.send(put_stamp{id, "plain", here.draw(3) != 0}, any_node(here)));
    sent_.push_back(id);
    clear(here, false);
  }

  bool tidy(cluster& here, int time) override { return clear(here, time >= 6); }

  void judge(cluster& here) override {
    for (const auto& [what, keys] : book_->keys) {
      must(keys.size() == 1, fmt::format("{} was tried ({}) under several keys", what.first, what.second));
    }
    here.sometimes("a corrected stamp was put",
                   std::any_of(book_->keys.begin(), book_->keys.end(),
                               [](const auto& one) { return one.first.second == "corrected"; }));
  }

private:
  bool clear(cluster& here, bool at_last) const {
    const auto found = clear_letters(here, {"put_stamp"}, at_last, {}, [&](const dead_letter_view& letter) {
      std::optional<std::string> payload;
      const auto stored = records_of(here, [&](const engine::record& one) {
        return one.kind == engine::record_kind::dead_letter && one.self.key == letter.id && one.failed;
      });
      if (here.draw(3) == 0 && !stored.empty()) {
        auto command = decode<put_stamp>(stored.front().stored.failed->payload).value();
        command.text = "corrected";
        payload = encode(command);
      }
      return payload;
    });
    if (found && !at_last && here.draw(2) == 0) { // the worst moment
      here.plan_faults({{fault::slow_disk}, 1, 1ms, {"south"}});
      here.plan_faults({{fault::crash}, 1, 400ms, {"south"}});
    }
    return found;
  }

  std::shared_ptr<stamp_book> book_ = std::make_shared<stamp_book>();
  std::vector<std::string> sent_;
};

// -- claims -----------------------------------------------------------------------------------------------

struct assessed {
  CONTINUO_FIELDS(assessed)
};

struct assess_claim {
  using reply = assessed;
  std::string id;
  CONTINUO_FIELDS(assess_claim, id)
};

struct claim_filed {
  std::string id;
  CONTINUO_FIELDS(claim_filed, id)
};

class claim : public saga<claim> {
public:
  static void define(saga_definition<claim>& saga) {
    saga.starts_on<claim_filed>(&claim_filed::id);
    saga.calls<assess_claim>().nothing_to_undo();
  }
  void on(const claim_filed& event, saga_context& context) { context.send(assess_claim{event.id}); }
  void on(const assessed&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(claim)
};

struct taken_claims {
  std::map<std::string, std::set<message_id>> answers; ///< by claim, as clients were told
  std::map<std::string, std::set<std::string>> heard;  ///< by claim: under which keys the archive heard of it
};

class claim_business : public business {
public:
  explicit claim_business(std::size_t in_flight) : in_flight_(in_flight) {}

  hosts_by_node offer(cluster& here) override {
    here.offer<claim>().offer(
        service{"assessors"}
            .handle([](const assess_claim&, command_context&) -> outcome<assessed> { return assessed{}; })
            .concurrency(2));
    here.offer(service{"archive"}.on([taken = taken_](const claim_filed& event, command_context& call) {
      taken->heard[event.id].insert(call.idempotency_key());
    }));
    here.handlers_take("assessors", 1s);
    return {{"west", {"claim", "assessors", "archive"}}};
  }

  void act(cluster& here, int round) override {
    here.start();
    for (int i = 0; i < 12 && here["west"].is_up(); ++i) {
      const auto id = fmt::format("claim-{}-{}", round, i);
      // Some wait, and file it once more with the same key: it waits, or is taken, by then.
      const auto waits = here.draw(3) == 0;
      publish_options how;
      how.wait_for_room = waits;
      how.idempotency_key = waits ? id : std::string{};
      for (int time = 0; time < (waits ? 2 : 1); ++time) {
        here["west"].client().publish("claim_filed", encode(claim_filed{id}), how,
                                      [taken = taken_, id](const result<accepted>& said) {
                                        if (said) {
                                          taken->answers[id].insert(said->id);
                                        }
                                      });
      }
      if (here.draw(3) == 0) {
        here.run_for(std::chrono::microseconds{here.draw(5'000)});
      }
    }
    here.run_for(5ms);
    check(here);
  }

  void judge(cluster& here) override {
    for (const auto& [id, answers] : taken_->answers) {
      must(status_of<claim>(here, id) == "completed",
           id + " was taken, and is " + status_of<claim>(here, id));
      must(answers.size() == 1, id + " was filed with one key, and taken twice");
      must(taken_->heard[id].size() == 1, id + " was not heard of once");
    }
    if (in_flight_ < 24) {
      here.sometimes("a claim is refused", taken_->answers.size() < 24);
    }
  }

private:
  /// What waits for a service of its own node is in flight, whether it is in memory or not.
  void check(cluster& here) const {
    const auto open = records_of(here, [](const engine::record& stored) {
      return stored.self.type == "claim" && !stored.requests.empty();
    });
    here.check(open.size() <= in_flight_,
               fmt::format("{} claims are in flight, and {} are allowed", open.size(), in_flight_));
  }

  std::size_t in_flight_;
  std::shared_ptr<taken_claims> taken_ = std::make_shared<taken_claims>();
};

} // namespace

std::shared_ptr<business> stamps() {
  return std::make_shared<stamp_business>();
}

std::shared_ptr<business> claims(std::size_t in_flight) {
  return std::make_shared<claim_business>(in_flight);
}

} // namespace continuo::tests
