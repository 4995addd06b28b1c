#include "tools/letter_commands.hpp"

#include "config/http_url.hpp"
#include "tools/json_text.hpp"
#include "tools/node_client.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

#include <memory>

namespace continuo::tools {

namespace {

using config::percent_encoded;

using nlohmann::json;

struct letter_options {
  node_options at;
  page_options page;
  std::string id;
  std::string payload; ///< empty: the one that failed
};

std::string letter_path(const letter_options& chosen) {
  return "/api/v1/dead-letters/" + percent_encoded(chosen.id);
}

std::string address_at(const json& letter, const char* field) {
  const auto found = letter.is_object() ? letter.find(field) : letter.end();
  return found == letter.end() ? std::string{} : address_text(*found);
}

int list_letters(const letter_options& chosen) {
  const list_view view{"dead_letters",
                       {"ID", "MESSAGE", "FROM", "TO", "ATTEMPTS>", "AGE>", "REASON"},
                       [](const json& one) {
                         return std::vector{text_at(one, "id"),       text_at(one, "type"),
                                            address_at(one, "from"),  address_at(one, "to"),
                                            text_at(one, "attempts"), age_at(one, "since"),
                                            text_at(one, "reason")};
                       },
                       "no dead letters"};
  return show_list(chosen.at, chosen.page, "/api/v1/dead-letters", {}, view);
}

int show_letter(const letter_options& chosen) {
  return ask_and_show(
      chosen.at, [&](const node_client& node) { return node.get(letter_path(chosen), "id"); },
      [](const json& one) {
        const auto line = [](const char* name, const std::string& text) {
          fmt::print("{:<12} {}\n", name, printable(text));
        };
        line("message", text_at(one, "type"));
        line("from", address_at(one, "from"));
        line("to", address_at(one, "to"));
        line("reason", text_at(one, "reason"));
        line("attempts", text_at(one, "attempts"));
        line("since", text_at(one, "since"));
        line("node", text_at(one, "node"));
        line("redrive", text_at(one, "parked") == "true" ? "possible: it is parked, and its requester waits"
                        : text_at(one, "may_redrive") == "true" ? "possible"
                                                                : "not possible: the requester was told");
        line("payload", text_at(one, "payload"));
      });
}

int redrive(const letter_options& chosen) {
  return ask_and_show(
      chosen.at,
      [&](const node_client& node) -> result<node_answer> {
        auto payload = chosen.payload.empty() ? std::string{} : read_json(chosen.payload);
        if (!payload) {
          return tl::unexpected(payload.error());
        }
        return node.call("POST", letter_path(chosen) + "/redrive", "id", *payload);
      },
      [&](const json&) { fmt::print("{} is sent again\n", printable(chosen.id)); });
}

int discard(const letter_options& chosen) {
  return ask_and_show(
      chosen.at, [&](const node_client& node) { return node.call("DELETE", letter_path(chosen), "id"); },
      [&](const json&) { fmt::print("{} is discarded\n", printable(chosen.id)); });
}

} // namespace

void add_letter_commands(CLI::App& program, chosen_run& run) {
  const auto chosen = std::make_shared<letter_options>();
  auto* letters =
      add_command(program, "dead-letters", "What failed for good: list it, send it again, discard it",
                  "continuo dead-letters redrive ID --payload @corrected.json");
  letters->require_subcommand(0, 1);
  const auto runs = [&run, chosen](int (*command)(const letter_options&)) {
    return [&run, chosen, command] { run = [chosen, command] { return command(*chosen); }; };
  };
  const auto add = [&](const char* name, const char* help, const char* example,
                       int (*command)(const letter_options&)) {
    auto* added = add_command(*letters, name, help, example);
    add_node_options(*added, chosen->at);
    added->callback(runs(command));
    return added;
  };
  const auto add_with_id = [&](const char* name, const char* help, const char* example,
                               int (*command)(const letter_options&)) {
    auto* added = add(name, help, example, command);
    added->add_option("ID", chosen->id, "The letter, as the list shows it")
        ->required()
        ->check(is_not_empty());
    return added;
  };
  add_page_options(*letters, chosen->page);
  add_node_options(*letters, chosen->at);
  letters->callback([letters, list = runs(list_letters)] {
    if (letters->get_subcommands().empty()) {
      list();
    }
  });
  add_page_options(*add("list", "List them; so does the command without a subcommand",
                        "continuo dead-letters list --all", list_letters),
                   chosen->page);
  add_with_id("show", "Show one with its payload", "continuo dead-letters show ID", show_letter);
  auto* again = add_with_id("redrive", "Send one again, with fresh attempts",
                            "continuo dead-letters redrive ID --payload @corrected.json", redrive);
  again
      ->add_option("--payload", chosen->payload,
                   "The corrected payload; - reads standard input, @FILE a file")
      ->type_name("JSON")
      ->check(is_not_empty());
  add_with_id("discard", "Discard one", "continuo dead-letters discard ID", discard);
}

} // namespace continuo::tools
