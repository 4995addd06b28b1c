#include "tests/support/businesses.hpp"
#include "tests/support/orders.hpp"

#include <continuo/saga.hpp>
#include <continuo/workflow.hpp>

#include <fmt/format.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace continuo::tests {

using namespace std::chrono_literals;

namespace {

// Trips: a workflow that has a hotel and a coach booked side by side, each by a child of its own, and whose
// number of guests is changed while it is under way.

struct trip_ordered {
  std::string id;
  std::int64_t kind = 0; ///< see `act`
  CONTINUO_FIELDS(trip_ordered, id, kind)
};

struct hotel_confirmed {
  std::string id;
  CONTINUO_FIELDS(hotel_confirmed, id)
};

struct guests_changed {
  std::string id;
  std::string trip;
  std::int64_t guests = 0;
  CONTINUO_FIELDS(guests_changed, id, trip, guests)
};

struct room {
  std::string id;
  CONTINUO_FIELDS(room, id)
};

struct book_hotel {
  using reply = room;
  std::string id;
  bool is_full = false;
  bool must_be_confirmed = false;
  CONTINUO_FIELDS(book_hotel, id, is_full, must_be_confirmed)
};

struct take_room {
  using reply = room;
  std::string id;
  bool is_full = false;
  CONTINUO_FIELDS(take_room, id, is_full)
};

struct free_room {
  using reply = room;
  std::string id;
  CONTINUO_FIELDS(free_room, id)
};

struct seat {
  std::string id;
  CONTINUO_FIELDS(seat, id)
};

struct book_coach {
  using reply = seat;
  std::string id;
  CONTINUO_FIELDS(book_coach, id)
};

struct take_seat {
  using reply = seat;
  std::string id;
  CONTINUO_FIELDS(take_seat, id)
};

struct free_seat {
  using reply = seat;
  std::string id;
  CONTINUO_FIELDS(free_seat, id)
};

struct change_done {
  std::int64_t before = 0;
  CONTINUO_FIELDS(change_done, before)
};

struct change_guests {
  using reply = change_done;
  std::string trip;
  std::int64_t guests = 0;
  CONTINUO_FIELDS(change_guests, trip, guests)
};

struct noted {
  CONTINUO_FIELDS(noted)
};

struct note_change {
  using reply = noted;
  std::string trip;
  std::int64_t before = 0;
  std::int64_t guests = 0;
  CONTINUO_FIELDS(note_change, trip, before, guests)
};

struct note_bill {
  using reply = noted;
  std::string trip;
  std::int64_t guests = 0;
  CONTINUO_FIELDS(note_bill, trip, guests)
};

enum kind : std::int64_t { plain, full, full_at_first, unconfirmed, kinds };

workflow<std::string> trip(trip_ordered order, flow& flow) {
  std::int64_t guests = 0;
  auto open = flow.accept<change_guests>([&](const change_guests& to) -> outcome<change_done> {
    if (to.guests % 7 == 0) {
      return decline("an unlucky number");
    }
    if (to.guests % 5 == 0) {
      throw std::runtime_error{"nobody can count to that"};
    }
    return change_done{std::exchange(guests, to.guests)};
  });
  if (order.kind == full_at_first) {
    auto attempt = flow.call("hotel at first", book_hotel{order.id, true});
    auto end = attempt.outcome();
    co_await end;
  }
  auto hotel = flow.call("hotel", book_hotel{order.id, order.kind == full, order.kind == unconfirmed});
  hotel.undone_by(free_room{order.id});
  auto coach = flow.call("coach", book_coach{order.id});
  coach.undone_by(free_seat{order.id});
  auto all = flow.all(hotel, coach);
  if (order.kind == plain) { // asked for twice: the second time it joins
    auto again = flow.call("coach again", book_coach{order.id});
    co_await again;
  }
  co_await all;
  auto pause = flow.timer("packing", 5ms);
  co_await pause;
  auto bill = flow.call("bill", note_bill{order.id, guests});
  co_await bill;
  co_return order.id;
}

workflow<room> book_at_hotel(book_hotel wish, flow& flow) {
  auto taken = flow.call("room", take_room{wish.id, wish.is_full});
  taken.undone_by(free_room{wish.id});
  co_await taken;
  if (wish.must_be_confirmed) {
    auto word = flow.expect<hotel_confirmed>("word");
    co_await word;
  }
  co_return room{wish.id};
}

/// Tells a trip of another number of guests, and writes down what became of that.
workflow<> change(guests_changed wish, flow& flow) {
  auto asked = flow.call("ask", change_guests{wish.trip, wish.guests});
  auto end = asked.outcome();
  co_await end;
  if (end) {
    auto note = flow.call("note", note_change{wish.trip, end->before, wish.guests});
    co_await note;
  }
}

} // namespace

/// The coach's child is a class of handlers.
class coach_booking : public saga<coach_booking> {
public:
  static void define(saga_definition<coach_booking>& saga) {
    saga.starts_on_command<book_coach>(&book_coach::id, second_starter::joins);
    saga.calls<take_seat>().undone_by([](const take_seat& sent, const seat*) { return free_seat{sent.id}; });
  }

  CONTINUO_FIELDS(coach_booking, id_)

private:
  void on(const book_coach& wish, saga_context& context) {
    id_ = wish.id;
    context.send(take_seat{wish.id});
  }
  void on(const seat& taken, saga_context& context) { context.complete(taken); }

  std::string id_;
};

namespace {

template <class Message, class Reply>
auto acting(outside_world& book, const char* what, const char* undoes = nullptr) {
  return [&book, what, undoes](const Message& command, command_context& context) -> outcome<Reply> {
    if (undoes == nullptr || book.count(undoes, command.id) > book.count(what, command.id)) {
      book.act(what, command.id, context);
    }
    return Reply{command.id};
  };
}

service rooms(outside_world& book) {
  return service{"rooms"}
      .handle([&book](const take_room& command, command_context& context) -> outcome<room> {
        if (command.is_full) {
          return decline("full");
        }
        book.act("take room", command.id, context);
        return room{command.id};
      })
      .handle(acting<free_room, room>(book, "free room", "take room"));
}

service seats(outside_world& book) {
  return service{"seats"}
      .handle(acting<take_seat, seat>(book, "take seat"))
      .handle(acting<free_seat, seat>(book, "free seat", "take seat"));
}

class trips_business : public business {
public:
  hosts_by_node offer(cluster& here) override {
    workflow_type trips{"trip", trip};
    trips.starts_on<trip_ordered>(&trip_ordered::id)
        .answers<change_guests>(&change_guests::trip)
        .calls<book_hotel>()
        .calls<book_coach>();
    workflow_type hotels{"hotel", book_at_hotel};
    hotels.starts_on_command<book_hotel>(&book_hotel::id, second_starter::declined)
        .hears<hotel_confirmed>(&hotel_confirmed::id, unknown_instance::discard);
    workflow_type changes{"change", change};
    changes.starts_on<guests_changed>(&guests_changed::id);
    here.offer(trips).offer(hotels).offer(changes).offer<coach_booking>();
    here.offer(rooms(*book_)).offer(seats(*book_)).offer(notes());
    return {{"north", {"trip", "rooms"}},
            {"south", {"hotel", "change", "seats"}},
            {"west", {"coach_booking", "notes"}}};
  }

  void act(cluster& here, int round) override {
    const auto kind = static_cast<std::int64_t>(here.draw(kinds));
    const auto is_cancelled = kind == unconfirmed ? here.draw(2) == 0 : here.draw(6) == 0;
    const auto id = fmt::format("t-{}", round);
    here.publish(trip_ordered{id, kind}, any_node(here));
    ordered_.push_back({id, kind, is_cancelled});
    for (auto i = here.draw(4); i > 0; --i) {
      here.run_for(std::chrono::microseconds{here.draw(8'000)});
      ++changes_;
      here.publish(guests_changed{fmt::format("{}-{}", id, changes_), id, changes_}, any_node(here));
    }
    if (is_cancelled) {
      here.run_for(std::chrono::microseconds{here.draw(10'000)});
      operate(here, {"trip", id}, cancel_verb);
    } else if (kind == unconfirmed) {
      here.run_for(std::chrono::microseconds{here.draw(20'000)});
    }
  }

  /// Hotels that are asked, and that nobody has given up, give their word.
  bool tidy(cluster& here, int) override {
    auto did = clear_letters(here, {"change_guests"}, true); // of updates that failed
    for (const auto& [node, stored] : records_of(here, [](const engine::record& one) {
           return one.self.type == "hotel" && one.expected.contains("hotel_confirmed");
         })) {
      const auto trip_status = status_of(here, {"trip", stored.self.key});
      if (trip_status == "running") {
        here.publish(hotel_confirmed{stored.self.key}, node);
        did = true;
      }
    }
    return did;
  }

  void judge(cluster& here) override {
    for (const auto& [id, kind, is_cancelled] : ordered_) {
      const auto end = status_of(here, {"trip", id});
      must(end == "completed" || end == "compensated", fmt::format("the trip {} is {}", id, end));
      const auto wanted = end == "completed" ? 1u : 0u;
      for (const auto* what : {"room", "seat"}) {
        const auto taken = book_->count(fmt::format("take {}", what), id);
        const auto freed = book_->count(fmt::format("free {}", what), id);
        must(taken <= 1 && taken - freed == wanted,
             fmt::format("{} is {}: {} was taken {} times and freed {} times", id, end, what, taken, freed));
      }
      for (const auto* child : {"hotel", "coach_booking"}) {
        const auto its = status_of(here, {child, id});
        must(end == "completed" ? its == "completed"
                                : its == "completed" || its == "compensated" || its == "absent",
             fmt::format("{} is {}, and its {} is {}", id, end, child, its));
      }
      must(kind != full || end == "compensated", id + " has a room in a hotel that is full");
      judge_changes(here, id, end == "completed");
      here.sometimes("a child is cancelled",
                     is_cancelled && end == "compensated" && status_of(here, {"hotel", id}) == "compensated");
      here.sometimes("a key has had two lives as a child", kind == full_at_first && end == "completed");
    }
  }

private:
  struct ordered {
    std::string id;
    std::int64_t kind;
    bool is_cancelled;
  };

  service notes() {
    return service{"notes"}
        .handle([this](const note_change& command, command_context&) -> outcome<noted> {
          changed_[command.trip][command.guests] = command.before; // at least once: the same again
          return noted{};
        })
        .handle([this](const note_bill& command, command_context&) -> outcome<noted> {
          billed_[command.trip] = command.guests;
          return noted{};
        });
  }

  /// Each change that was answered with yes followed another one, and the bill knows the last one that came
  /// before it.
  void judge_changes(cluster& here, const std::string& id, bool completed) {
    std::map<std::int64_t, std::int64_t> chain; // from, to
    for (const auto& [guests, before] : changed_[id]) {
      must(chain.emplace(before, guests).second,
           fmt::format("two changes of {} were answered as if {} were the number before", id, before));
    }
    std::int64_t at = 0;
    std::size_t length = 0;
    auto bill_is_known = !completed || billed_[id] == 0;
    for (auto next = chain.find(at); next != chain.end() && length <= chain.size(); next = chain.find(at)) {
      at = next->second;
      ++length;
      bill_is_known = bill_is_known || billed_[id] == at;
    }
    must(length == chain.size(),
         fmt::format("{} of {} changes of {} follow one another", length, chain.size(), id));
    must(bill_is_known, fmt::format("{} has a bill for {} guests", id, billed_[id]));
    here.sometimes("two changes of a trip are accepted", length > 1);
    here.sometimes("a trip is billed for others than at first", completed && billed_[id] > 0);
  }

  std::shared_ptr<outside_world> book_ = std::make_shared<outside_world>();
  std::vector<ordered> ordered_;
  std::int64_t changes_ = 0;
  std::map<std::string, std::map<std::int64_t, std::int64_t>> changed_; // by trip: to, from
  std::map<std::string, std::int64_t> billed_;
};

} // namespace

std::shared_ptr<business> trips() {
  return std::make_shared<trips_business>();
}

} // namespace continuo::tests
