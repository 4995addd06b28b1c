// Every row of the table at the top of engine/acceptance.hpp. The last test reports rows that none of them
// takes.
#define CAF_SUITE acceptances

#include "engine/acceptance.hpp"

#include <caf/test/dsl.hpp>

#include "tests/engine/world.hpp"

using namespace continuo;
using namespace continuo::engine;
using namespace continuo::engine::testing;
using namespace std::chrono_literals;

namespace {

/// What a client sent, with its place on disk.
class accepted_box {
public:
  accepted_box(world& in, bool is_command, std::vector<destination> where) : world_(&in) {
    revision_ = in.next_revision();
    self_ = {std::string{is_command ? send_type : publish_type},
             to_string(message_id{world::store, revision_, 0})};
    load();
    acceptance::wish wanted{is_command,
                            is_command ? "pay" : "changed",
                            is_command ? encode(pay{"o-1", 42}) : encode(changed{"o-1", 1}),
                            {},
                            std::move(where)};
    first = keep(machine_->accept(std::move(wanted), in.now, revision_));
  }

  template <class Message>
  transition take(const Message& message) {
    if constexpr (std::is_same_v<Message, envelope>) {
      return keep(machine_->receive(message, world_->now, world_->next_revision()));
    } else {
      return keep(machine_->receive(message));
    }
  }
  transition called(const call_for& call) { return machine_->called(call); }
  transition flush() { return keep(machine_->flush(world_->now, world_->next_revision())); }
  transition expire(time_point before) { return keep(machine_->expire(before)); }
  transition move(const message_id& id, const std::string& from) {
    return keep(machine_->move(id, from, false, world_->now, world_->next_revision()));
  }
  transition crash() {
    load();
    return keep(machine_->recover(world_->now, world_->next_revision()));
  }
  bool stored() const { return disk_.has_value(); }
  const acceptance& machine() const { return *machine_; }

  transition first;

private:
  void load() {
    machine_ = std::make_unique<acceptance>(
        environment_, self_, disk_ ? std::optional{decode<record>(*disk_).value()} : std::nullopt);
  }
  transition keep(transition decided) {
    taken("acceptance").insert(decided.edge);
    keep_on(disk_, *machine_, decided);
    return decided;
  }

  world* world_;
  acceptance_environment environment_{&world_->routes, world::store};
  std::uint64_t revision_ = 0;
  instance_id self_;
  std::optional<std::string> disk_;
  std::unique_ptr<acceptance> machine_;
};

struct fixture : world {
  destination to_order{{"order", "o-1"}, false};
  destination to_mail{{"mail", ""}, false};
  destination to_payment{{"payment", ""}, true};

  static receipt heard(const envelope& sent) { return {sent.to, sent.from, sent.id, {}, {}}; }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(acceptance_tests, fixture)

CAF_TEST(an event stands in its record until all its receivers have it) {
  accepted_box box{*this, false, {to_order, to_mail}};
  CAF_CHECK_EQUAL(edge_of(box.first), "publish");
  CAF_CHECK_EQUAL(sent_by(box.first), "changed changed");
  CAF_CHECK(box.machine().in_flight());
  CAF_CHECK_EQUAL(box.crash().sent.size(), 2u);
  CAF_CHECK_EQUAL(edge_of(box.take(heard(box.first.sent.front()))), "delivered");
  CAF_CHECK_EQUAL(edge_of(box.flush()), "flush");
  CAF_CHECK_EQUAL(box.crash().sent.size(), 1u);
  const auto last = box.take(heard(box.first.sent.back()));
  CAF_CHECK(last.write == write_kind::erase);
  CAF_CHECK(forget_for(last, to_mail.to) == box.first.sent.back().id);
  CAF_CHECK(!box.stored());
  // A receiver that missed the word asks again.
  const auto asked = box.take(heard(box.first.sent.front()));
  CAF_CHECK_EQUAL(edge_of(asked), "absent");
  CAF_CHECK(forget_for(asked, to_order.to) == box.first.sent.front().id);
}

CAF_TEST(an event that nobody hears leaves nothing) {
  accepted_box box{*this, false, {}};
  CAF_CHECK(box.first.write == write_kind::none);
  CAF_CHECK(box.first.verdict.has_value());
}

CAF_TEST(an event that no record could hold is refused and leaves nothing) {
  accepted_box box{*this, false, std::vector<destination>(20'000, to_order)};
  CAF_CHECK(!box.first.verdict);
  CAF_CHECK(box.first.write == write_kind::none);
}

CAF_TEST(a receiver that put an event off is sent it when it asks) {
  accepted_box box{*this, false, {to_order}};
  const auto& sent = box.first.sent.front();
  CAF_CHECK_EQUAL(sent_by(box.called({sent.to, sent.from, sent.id})), "changed");
}

CAF_TEST(a command ends with its answer which is kept for those who ask) {
  accepted_box box{*this, true, {to_payment}};
  CAF_CHECK_EQUAL(edge_of(box.first), "send");
  CAF_CHECK_EQUAL(sent_by(box.first), "(pay)");
  const auto& sent = box.first.released.front();
  const auto answer = reply(sent, paid{"o-1", "p-1"});
  const auto ended = box.take(answer);
  const auto place = expiry_key(expiry_kind::ended, now.wall, box.machine().current().self);
  CAF_CHECK(ended.indexed == std::vector<std::string>{place});
  CAF_CHECK_EQUAL(edge_of(ended), "answered");
  CAF_CHECK(says_done(ended, answer));
  CAF_CHECK(!box.machine().in_flight());
  CAF_CHECK_EQUAL(edge_of(box.take(answer)), "duplicate");
  box.crash();
  CAF_CHECK(box.machine().current().status == instance_status::completed);
  CAF_CHECK_EQUAL(edge_of(box.expire(now.wall)), "expire");
  CAF_CHECK(box.stored()); // too early
  pass(1s);
  CAF_CHECK(box.expire(now.wall).unindexed == std::vector<std::string>{place});
  CAF_CHECK(!box.stored());
}

CAF_TEST(a command that nobody can take elsewhere stays) {
  accepted_box box{*this, true, {to_payment}};
  const auto& sent = box.first.released.front();
  CAF_CHECK_EQUAL(edge_of(box.move(sent.id, "another")), "stays");
  CAF_CHECK_EQUAL(edge_of(box.move(sent.id, "payment")), "stays"); // there is no other node
}

CAF_TEST(a command for a service that was renamed goes to the new one with the next start) {
  accepted_box box{*this, true, {to_payment}};
  const auto sent = box.first.released.front();
  rename_payment("till");
  const auto moved = box.crash();
  CAF_CHECK_EQUAL(edge_of(moved), "move");
  CAF_REQUIRE_EQUAL(moved.released.size(), 1u);
  CAF_CHECK_EQUAL(moved.released.front().to.type, "till");
  CAF_CHECK(moved.released.front().id == sent.id);
  CAF_CHECK_EQUAL(edge_of(box.crash()), "delivered"); // as with any restart
}

CAF_TEST(every row was taken) {
  CAF_CHECK_EQUAL(rows_missing("acceptance", acceptance_edges()), "");
  CAF_CHECK_EQUAL(rows_unknown("acceptance", acceptance_edges()), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
