#include "tools/node_commands.hpp"

#include "config/http_url.hpp"
#include "tools/json_text.hpp"
#include "tools/node_client.hpp"
#include "tools/report.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace continuo::tools {

namespace {

using nlohmann::json;

/// Who has paused it, and why; or where it is not called since it fails.
std::string held_text(const json& service) {
  const auto& pause = field_at(service, "paused");
  if (!pause.is_object()) {
    const auto& opened = list_at(service, "breaker_open_on");
    const auto nodes = joined(opened);
    return opened.empty() ? std::string{}
                          : fmt::format("breaker open{}{}", nodes.empty() ? "" : " on ", nodes);
  }
  const auto by = text_at(pause, "by");
  const auto note = text_at(pause, "note");
  return fmt::format("paused by {}{}{}", by.empty() ? "an operator" : by, note.empty() ? "" : ": ", note);
}

const list_view services{
    "services",
    {"SERVICE", "KIND", "ON", "STATE*", "WAITING>", "RUNNING>", "COMPLETED>", "FAILED>", "OLDEST>", "HELD"},
    [](const json& one) {
      const auto is_held = field_at(one, "paused").is_object() && text_at(one, "state") == "up";
      return std::vector{
          text_at(one, "name"),          text_at(one, "kind"),
          joined(list_at(one, "nodes")), is_held ? std::string{"paused"} : text_at(one, "state"),
          text_at(one, "waiting"),       text_at(one, "in_execution"),
          text_at(one, "completed"),     text_at(one, "failed"),
          age_at(one, "oldest_waiting"), held_text(one)};
    },
    "no services"};

// -- pausing a service ---------------------------------------------------------------------------------

struct pause_options {
  node_options at;
  std::string service;
  std::string note;
};

int pause_or_resume(const pause_options& chosen, const std::string& verb) {
  json body = json::object();
  if (const auto* who = std::getenv("USER"); who != nullptr && *who != '\0') {
    body["who"] = who;
  }
  if (!chosen.note.empty()) {
    body["note"] = chosen.note;
  }
  return ask_and_show(
      chosen.at,
      [&](const node_client& node) {
        return node.call("POST",
                         fmt::format("/api/v1/services/{}/{}", config::percent_encoded(chosen.service), verb),
                         "paused", body.dump(-1, ' ', false, json::error_handler_t::replace));
      },
      [&](const json& said) {
        fmt::print("{} is {}d{}\n", printable(chosen.service), verb,
                   list_at(said, "unreachable").empty()
                       ? ""
                       : "; who did not answer hears of it when it is connected again");
      });
}

const list_view nodes{
    "nodes",
    {"NODE", "STATE*", "SINCE>", "PEERS AT", "HTTP AT", "HOSTS", "UNACKNOWLEDGED>", "VERSION", "LAST ERROR"},
    [](const json& one) {
      return std::vector{
          text_at(one, "name"),           text_at(one, "state"),   age_at(one, "since"),
          text_at(one, "address"),        text_at(one, "http"),    joined(list_at(one, "hosts")),
          text_at(one, "unacknowledged"), text_at(one, "version"), text_at(one, "last_error")};
    },
    "no nodes"};

const list_view message_types{"message_types",
                              {"MESSAGE", "VERSION>", "FIELDS"},
                              [](const json& one) {
                                std::string fields;
                                for (const auto& field : list_at(one, "fields")) {
                                  fields += fmt::format("{}{}: {}", fields.empty() ? "" : ", ",
                                                        text_at(field, "name"), text_at(field, "type"));
                                }
                                return std::vector{text_at(one, "name"), text_at(one, "version"), fields};
                              },
                              "no message types"};

// -- events --------------------------------------------------------------------------------------------

struct event_options {
  node_options at;
  std::string after; ///< id of an event
};

/// One server-sent event, as it comes line by line.
struct server_event {
  std::string id;
  std::string name;
  std::string data;
};

/// `FIELD=VALUE ...`, for people.
std::string fields_text(const json& data) {
  if (!data.is_object()) {
    return text_of(data);
  }
  std::string made;
  for (const auto& [name, value] : data.items()) {
    made += fmt::format("{}{}={}", made.empty() ? "" : " ", name, text_of(value));
  }
  return made;
}

void print_event(const server_event& event, bool as_json) {
  auto data = json::parse(event.data, nullptr, false);
  if (data.is_discarded()) {
    data = event.data;
  }
  if (as_json) {
    const json line{{"id", event.id}, {"event", event.name}, {"data", data}};
    fmt::print("{}\n", line.dump(-1, ' ', false, json::error_handler_t::replace));
  } else {
    const auto fields = printable(fields_text(data));
    fmt::print("{}\n", fields.empty() ? printable(event.name)
                                      : fmt::format("{:<12} {}", printable(event.name), fields));
  }
  std::fflush(stdout);
}

int follow_events(const event_options& chosen) {
  const auto node = node_client::open(chosen.at);
  if (!node) {
    return refuse(node.error());
  }
  std::vector<std::pair<std::string, std::string>> headers{{"Accept", "text/event-stream"}};
  if (!chosen.after.empty()) {
    headers.emplace_back("Last-Event-ID", chosen.after);
  }
  server_event next;
  auto last = chosen.after;
  auto why = node->follow("/api/v1/events", std::move(headers), [&](std::string_view line) {
    if (line.empty()) {
      if (!next.data.empty()) {
        print_event(next, chosen.at.json);
        last = next.id;
      }
      next.name.clear();
      next.data.clear();
      return;
    }
    const auto colon = line.find(':'); // at 0: a comment, which keeps the connection alive
    const auto field = line.substr(0, colon);
    auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
    value.remove_prefix(value.starts_with(' ') ? 1 : 0);
    if (field == "id") {
      next.id = value;
    } else if (field == "event") {
      next.name = value;
    } else if (field == "data") {
      next.data += (next.data.empty() ? "" : "\n") + std::string{value};
    }
  });
  if (!last.empty()) {
    why.message += fmt::format("; `continuo events --after {}` goes on from there", printable(last));
  }
  return refuse(why);
}

void add_list(CLI::App& program, chosen_run& run, const char* name, const char* help, const list_view& view) {
  const auto chosen = std::make_shared<node_options>();
  auto* added =
      add_command(program, name, help, fmt::format("continuo {} --node http://127.0.0.1:8101", name));
  add_node_options(*added, *chosen);
  added->callback([chosen, name, &view, &run] {
    run = [chosen, name, &view] { return show_list(*chosen, {}, fmt::format("/api/v1/{}", name), {}, view); };
  });
}

void add_services(CLI::App& program, chosen_run& run) {
  const auto chosen = std::make_shared<pause_options>();
  auto* added =
      add_command(program, "services", "Every service: show where it runs and what waits for it, pause it",
                  "continuo services pause payment --note \"the bank is closed\"");
  added->require_subcommand(0, 1);
  add_node_options(*added, chosen->at);
  const auto list = [chosen, &run] {
    run = [chosen] { return show_list(chosen->at, {}, "/api/v1/services", {}, services); };
  };
  added->callback([added, list] {
    if (added->get_subcommands().empty()) {
      list();
    }
  });
  auto* listed = add_command(*added, "list", "List them; so does the command without a subcommand",
                             "continuo services list");
  add_node_options(*listed, chosen->at);
  listed->callback(list);
  const auto add_verb = [&](const char* verb, const char* help) {
    auto* one = add_command(*added, verb, help,
                            fmt::format("continuo services {} payment --note \"the bank is closed\"", verb));
    one->add_option("SERVICE", chosen->service, "A stateless service")->required()->check(is_not_empty());
    one->add_option("--note", chosen->note, "Why; is shown with $USER by what waits for it")
        ->check(is_not_empty())
        ->type_name("TEXT");
    add_node_options(*one, chosen->at);
    one->callback([chosen, verb, &run] { run = [chosen, verb] { return pause_or_resume(*chosen, verb); }; });
  };
  add_verb("pause", "Stop a service on all its nodes; what is sent to it waits");
  add_verb("resume", "Let a paused service go on");
}

} // namespace

void add_node_commands(CLI::App& program, chosen_run& run) {
  add_services(program, run);
  add_list(program, run, "nodes", "Show every node, as the one that is asked sees it", nodes);
  add_list(program, run, "message-types", "Show the types that are known, with their fields", message_types);
  const auto chosen = std::make_shared<event_options>();
  auto* added = add_command(program, "events", "Print what changes, a line each, until Ctrl-C",
                            "continuo events --json");
  add_node_options(*added, chosen->at);
  added->add_option("--after", chosen->after, "Go on after the event of this id, as --json shows it")
      ->type_name("ID");
  added->callback([chosen, &run] { run = [chosen] { return follow_events(*chosen); }; });
}

} // namespace continuo::tools
