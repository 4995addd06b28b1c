// Two instances exchange messages through a bad network and crashes, drawn from a seed.
#define CAF_SUITE exchange

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

#include <deque>

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

const instance_id saga_id{"order", "o-1"};
const instance_id shelf_id{"stock", "nail"};

/// A saga that sends the keyed service numbered commands while a client pokes it with numbered events, and
/// hears an event from the service for each. What each of them handled stands in their states, so a crash
/// takes it back with the rest.
///
/// The network keeps nothing for sure: it loses, repeats and reorders. What it owes in the end is what the
/// design asks of it: after the last crash everything unacknowledged is sent again, in order, until nothing
/// is left.
class exchange : public world {
public:
  explicit exchange(std::uint64_t seed) : random_(seed) {
    play().on_placed = [](order&, const placed&, saga_context& context) { context.expect<changed>(); };
    play().on_changed = [](order& state, const changed& event, saga_context& context) {
      context.expect<changed>();
      if (event.number >= 0) { // of the client: each makes a command
        context.send(reserve{"nail", ++state.count});
      } else { // of the service: what it handled
        state.text += std::to_string(-event.number) + " ";
      }
    };
    play().on_reserved = [](order&, const reserved&, saga_context&) {};
    play_shelf().on_reserve = [](testing::shelf& state, const reserve& sent,
                                 keyed_context& context) -> outcome<reserved> {
      state.padding += std::to_string(sent.pieces) + " ";
      context.publish(changed{"o-1", -sent.pieces});
      return reserved{0};
    };
  }

  void run(int steps) {
    act(saga.take(event(placed{"o-1", 1})));
    for (int step = 0; step < steps; ++step) {
      const auto dice = draw(100);
      if (dice < 25) {
        poke();
      } else if (dice < 90) {
        deliver_one(true);
      } else if (dice < 94) {
        act(saga.flush());
        act(shelf.flush());
      } else if (dice < 97) {
        crash();
      } else {
        act(draw(2) == 0 ? saga.crash()
                         : shelf.crash()); // a passivated instance comes back, or a new connection
      }
      clients_forget();
    }
    settle();
  }

  std::string expected(std::int64_t count) const {
    std::string all;
    for (std::int64_t number = 1; number <= count; ++number) {
      all += std::to_string(number) + " ";
    }
    return all;
  }

  saga_box saga{*this};
  keyed_box shelf{*this};
  std::int64_t poked = 0;

private:
  std::uint64_t draw(std::uint64_t below) { return detail::next_random(random_) % below; }

  /// What leaves an instance goes into the network, in order.
  void act(const transition& decided) {
    for (const auto& message : decided.sent) {
      network_.push_back({message.to, message, {}, {}});
    }
    for (const auto& message : decided.released) {
      network_.push_back({message.to, message, {}, {}});
    }
    for (const auto& said : decided.receipts) {
      network_.push_back({said.to, {}, said, {}});
    }
    for (const auto& call : decided.calls) {
      network_.push_back({call.to, {}, {}, call});
    }
  }

  /// A client's event: its sender keeps it until it is done, as the intake does.
  void poke() {
    clients_.push_back(event(changed{"o-1", ++poked}, {"continuo.publish", "the one client"}));
    auto& last = clients_.back();
    last.predecessor = clients_.size() > 1 ? clients_[clients_.size() - 2].id : message_id{};
    network_.push_back({saga_id, last, {}, {}});
  }

  void client_hears(const receipt& said) {
    if (said.done) {
      done_ = std::max(done_, said.done);
      std::erase_if(clients_, [&](const envelope& sent) { return sent.id == said.done; });
      if (clients_.empty()) {
        network_.push_back({saga_id, {}, receipt{said.to, saga_id, {}, done_, {}}, {}});
      }
    }
  }

  void clients_send_again() {
    message_id before;
    for (auto& sent : clients_) {
      sent.predecessor = before;
      before = sent.id;
      network_.push_back({saga_id, sent, {}, {}});
    }
  }

  void clients_forget() {
    if (clients_.empty() && done_ && draw(10) == 0) {
      network_.push_back(
          {saga_id, {}, receipt{{"continuo.publish", "the one client"}, saga_id, {}, done_, {}}, {}});
    }
  }

  struct packet {
    instance_id to;
    std::optional<envelope> message;
    std::optional<receipt> said;
    std::optional<call_for> call;
  };

  void deliver_one(bool badly) {
    if (network_.empty()) {
      return;
    }
    std::size_t place = 0;
    if (badly && draw(5) == 0) {
      // Messages may come in any order. Receipts and calls for an instance take the path of its messages and
      // so may not overtake them; but the whole path may break, and then what stood in it is gone.
      place = draw(network_.size());
      if (!network_[place].message) {
        place = 0;
      }
    }
    const auto packet = network_[place];
    const auto repeats = badly && draw(10) == 0;
    if (!repeats) {
      network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(place));
    }
    if (badly && draw(10) == 0) {
      return; // lost
    }
    deliver(packet);
  }

  void deliver(const packet& packet) {
    if (packet.to == saga_id) {
      give(saga, packet);
    } else if (packet.to == shelf_id) {
      give(shelf, packet);
    } else if (packet.said) {
      client_hears(*packet.said);
    } else if (packet.call) {
      clients_send_again();
    }
  }

  template <class Box>
  void give(Box& box, const packet& packet) {
    act(packet.message ? box.take(*packet.message)
        : packet.said  ? box.take(*packet.said)
                       : box.take(*packet.call));
  }

  /// The node goes down and comes back: what is in the air is gone, and everything unacknowledged is sent
  /// again first.
  void crash() {
    network_.clear();
    act(saga.crash());
    act(shelf.crash());
    clients_send_again();
  }

  void settle() {
    for (int round = 0; round < 4; ++round) {
      crash();
      for (int step = 0; step < 50'000 && !network_.empty(); ++step) {
        deliver_one(false);
      }
      CAF_REQUIRE(network_.empty());
      act(saga.flush());
      act(shelf.flush());
      for (int step = 0; step < 50'000 && !network_.empty(); ++step) {
        deliver_one(false);
      }
    }
    saga.flush();
    shelf.flush();
    saga.crash();
    shelf.crash();
  }

  std::uint64_t random_;
  std::deque<packet> network_;
  std::vector<envelope> clients_;
  message_id done_;
};

/// Splits what a state noted and says whether it is 1, 2, 3, ... in order.
void check(exchange& ran) {
  const auto saga = decode<order>(ran.saga.current().state);
  CAF_REQUIRE(saga);
  const auto all = ran.expected(ran.poked);
  CAF_CHECK_EQUAL(ran.saga.status(), "running");
  CAF_CHECK_EQUAL(saga->count, ran.poked);
  CAF_CHECK_EQUAL(saga->text, all);
  if (ran.poked > 0) {
    const auto shelf = decode<testing::shelf>(ran.shelf.current().state);
    CAF_REQUIRE(shelf);
    CAF_CHECK_EQUAL(shelf->padding, all);
  }
  CAF_CHECK(ran.saga.current().requests.empty());
  CAF_CHECK(ran.saga.current().outbox.empty());
  CAF_CHECK(ran.saga.current().inbox.empty());
  CAF_CHECK(ran.shelf.current().outbox.empty());
  CAF_CHECK(ran.shelf.current().inbox.empty());
  CAF_CHECK(!ran.saga.machine().dirty());
  CAF_CHECK(!ran.shelf.machine().dirty());
}

} // namespace

CAF_TEST(each message is handled once and in order and in the end nothing is left) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAF_MESSAGE("seed " << seed);
    exchange run{seed};
    run.run(120);
    check(run);
  }
}
