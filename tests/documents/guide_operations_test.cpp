#define CAF_SUITE guide_operations

#include <continuo/node.hpp>

#include <caf/test/dsl.hpp>

#include <atomic>
#include <iostream>
#include <stdexcept>
#include <string>

// The chapters "Looking and acting" and "Dead letters" of docs/guide.md.
namespace guide_operations {

using namespace std::chrono_literals;

struct order_placed {
  std::string order_id;
  CONTINUO_FIELDS(order_placed, order_id)
};

struct order_approved {
  std::string order_id;
  CONTINUO_FIELDS(order_approved, order_id)
};

struct mail_sent {
  CONTINUO_FIELDS(mail_sent)
};

struct send_mail {
  using reply = mail_sent;
  std::string to;
  CONTINUO_FIELDS(send_mail, to)
};

class approval : public continuo::saga<approval> {
public:
  static void define(continuo::saga_definition<approval>& saga) {
    saga.starts_on<order_placed>(&order_placed::order_id);
    saga.on<order_approved>(&order_approved::order_id, continuo::unknown_instance::dead_letter);
  }

  void on(const order_placed&, continuo::saga_context& context) { context.expect<order_approved>(); }

  void on(const order_approved&, continuo::saga_context& context) { context.complete("approved"); }

  CONTINUO_FIELDS(approval)
};

std::atomic<bool> server_is_down{true};

continuo::service mail() {
  return continuo::service{"mail"}
      .handle([](const send_mail& command, continuo::command_context&) -> continuo::outcome<mail_sent> {
        if (server_is_down || command.to.empty()) {
          throw std::runtime_error{"refused"};
        }
        return mail_sent{};
      })
      .retry({.attempts = 1});
}

} // namespace guide_operations

using namespace guide_operations;

CAF_TEST(an operator pauses and cancels) {
  continuo::node node{continuo::node_config::in_memory()};
  node.host<approval>();
  CAF_REQUIRE(node.start().has_value());
  const auto client = node.client();
  const auto sent = client.publish(order_placed{"o-1"});
  CAF_REQUIRE(sent.get().has_value());
  while (!client.show({"approval", "o-1"}).get()) {
  }
  // doc: verbs
  const continuo::instance_id id{"approval", "o-1"};
  auto paused = client.pause(id, "anna", "the customer called").get();
  auto resumed = client.resume(id, "anna").get();
  auto cancelled = client.cancel(id, "anna", "the customer gave up").get();
  // doc: end
  CAF_CHECK(paused.has_value());
  CAF_CHECK(resumed.has_value());
  CAF_CHECK(cancelled.has_value());
  const auto end = sent.result_of<approval>().get();
  CAF_REQUIRE(end.has_value());
  CAF_CHECK_EQUAL(to_string(end->status), "compensated");
  CAF_CHECK_EQUAL(end->reason, "cancelled: the customer gave up");
  std::string told;
  // doc: history
  auto history = client.history(id).get();
  for (const auto& entry : history.value()) {
    told += entry.what + " -> " + std::string{to_string(entry.status)} + "  " + entry.note + '\n';
  }
  // doc: end
  CAF_CHECK_EQUAL(told, "start -> running  \n"
                        "pause -> paused  pause by anna: the customer called\n"
                        "resume -> running  resume by anna\n"
                        "cancel -> compensated  cancel by anna: the customer gave up\n");
}

CAF_TEST(a dead letter is sent again or discarded) {
  server_is_down = true;
  continuo::node node{continuo::node_config::in_memory()};
  node.host(mail());
  node.host<approval>();
  CAF_REQUIRE(node.start().has_value());
  const auto client = node.client();
  const auto failed = client.send(send_mail{"anna@example.org"}).get();
  CAF_REQUIRE(!failed.has_value());
  server_is_down = false;
  // doc: letters
  auto letters = client.dead_letters().get();
  for (const auto& letter : letters.value()) {
    std::cout << letter.type << ' ' << letter.reason << ' ' << letter.payload << '\n';
    auto done = letter.may_redrive ? client.redrive(letter.id).get() : client.discard(letter.id).get();
    CAF_CHECK(done.has_value());
  }
  // doc: end
  CAF_REQUIRE_EQUAL(letters->size(), 1u);
  CAF_CHECK_EQUAL(letters->front().type, "send_mail");
  CAF_CHECK_EQUAL(letters->front().reason, "refused");
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!client.dead_letters().get()->empty() && std::chrono::steady_clock::now() < deadline) {
  }
  CAF_CHECK(client.dead_letters().get()->empty());
}
