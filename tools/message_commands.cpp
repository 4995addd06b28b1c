#include "tools/message_commands.hpp"

#include "config/http_url.hpp"
#include "tools/json_text.hpp"
#include "tools/node_client.hpp"
#include "tools/report.hpp"
#include "tools/table.hpp"
#include "tools/waiting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace continuo::tools {

namespace {

using config::percent_encoded;

using nlohmann::json;

struct message_options {
  node_options at;
  std::string service; ///< of a command
  std::string type;
  std::string body;
  std::string key;
  std::chrono::milliseconds wait{0};
  bool waits = false;
};

result<node_answer> post(const node_client& node, const std::string& target, const message_options& chosen) {
  auto body = read_json(chosen.body);
  if (!body) {
    return tl::unexpected(body.error());
  }
  std::vector<std::pair<std::string, std::string>> headers;
  if (!chosen.key.empty()) {
    headers.emplace_back("Idempotency-Key", chosen.key);
  }
  return node.call("POST", target, "message_id", *body, std::move(headers));
}

int publish(const message_options& chosen) {
  return ask_and_show(
      chosen.at,
      [&](const node_client& node) {
        return post(node, "/api/v1/publish/" + percent_encoded(chosen.type), chosen);
      },
      [](const json& answer) {
        fmt::print("message {}\n", printable(text_at(answer, "message_id")));
        const auto& starts = list_at(answer, "instances");
        for (const auto& instance : starts) {
          fmt::print("starts {}, unless it is there already\n", printable(address_text(instance)));
        }
        if (starts.empty()) {
          fmt::print("accepted: it starts no instance, and goes to those that take it\n");
        }
      });
}

// -- send ------------------------------------------------------------------------------------------------

void show_outcome(const json& outcome) {
  const auto status = text_at(outcome, "status");
  fmt::print("{}\n", coloured_status(printable(status), status));
  if (status == "completed") {
    fmt::print("{} {}\n", printable(text_at(outcome, "reply_type")), printable(text_at(outcome, "reply")));
  } else if (const auto failure = outcome.find("failure"); failure != outcome.end()) {
    fmt::print("{}: {}\n", printable(text_at(*failure, "kind")), printable(text_at(*failure, "reason")));
  }
}

int send(const message_options& chosen) {
  const auto node = node_client::open(chosen.at);
  if (!node) {
    return refuse(node.error());
  }
  const auto sent = post(
      *node, fmt::format("/api/v1/send/{}/{}", percent_encoded(chosen.service), percent_encoded(chosen.type)),
      chosen);
  if (!sent) {
    return refuse(sent.error());
  }
  const auto id = text_at(sent->json, "message_id");
  if (!chosen.at.json) {
    fmt::print("message {}\n", printable(id));
    std::fflush(stdout);
  }
  if (!chosen.waits) {
    if (chosen.at.json) {
      print_json(*sent);
    }
    return 0;
  }
  const waited_for what{"/api/v1/commands/" + percent_encoded(id), "the outcome of " + printable(id),
                        chosen.wait, "failed"};
  return wait_and_show(*node, chosen.at.json, what, show_outcome);
}

void add_message_options(CLI::App& to, message_options& chosen) {
  to.add_option("JSON", chosen.body, "Its fields; - reads standard input, @FILE a file")->required();
  to.add_option("--key", chosen.key,
                "Idempotency key: the same call with it again gets the same answer, and does nothing new")
      ->check([](const std::string& key) {
        const auto visible = std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7f; });
        return !key.empty() && key.size() <= 256 && visible
                   ? std::string{}
                   : std::string{"it has 1 to 256 visible characters"};
      })
      ->type_name("KEY");
  add_node_options(to, chosen.at);
}

} // namespace

void add_message_commands(CLI::App& program, chosen_run& run) {
  {
    const auto chosen = std::make_shared<message_options>();
    auto* added =
        add_command(program, "publish", "Publish an event; prints its id and the instances it starts",
                    "continuo publish order_placed '{\"order_id\": \"o-1\"}' --key o-1");
    added->add_option("TYPE", chosen->type, "The event, as order_placed")->required()->check(is_not_empty());
    add_message_options(*added, *chosen);
    added->callback([chosen, &run] { run = [chosen] { return publish(*chosen); }; });
  }
  const auto chosen = std::make_shared<message_options>();
  auto* added = add_command(program, "send", "Send a single command to a service; prints its id",
                            "continuo send payment make_payment @payment.json --wait 10s");
  added->add_option("SERVICE", chosen->service, "The service, as payment")->required()->check(is_not_empty());
  added->add_option("TYPE", chosen->type, "The command, as make_payment")->required()->check(is_not_empty());
  add_message_options(*added, *chosen);
  auto* wait =
      add_duration(*added, "--wait", chosen->wait,
                   "Wait for its outcome; exits with 0 completed, 1 failed, 124 not yet, 125 no answer");
  added->callback([chosen, wait, &run] {
    chosen->waits = wait->count() > 0;
    run = [chosen] { return send(*chosen); };
  });
}

} // namespace continuo::tools
