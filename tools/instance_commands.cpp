#include "tools/instance_commands.hpp"

#include "tools/json_text.hpp"
#include "tools/node_client.hpp"
#include "tools/report.hpp"
#include "tools/table.hpp"
#include "tools/waiting.hpp"

#include <continuo/detail/time_text.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <sstream>

namespace continuo::tools {

namespace {

using nlohmann::json;

// -- instances -----------------------------------------------------------------------------------------

struct list_options {
  node_options at;
  page_options page;
  std::string type;
  std::string status;
  std::string waiting_for;
  std::string kind;
};

std::string in_parentheses(const std::string& text) {
  return text.empty() ? text : fmt::format(" ({})", text);
}

/// One cause that can wake an instance.
std::string cause_text(const json& cause) {
  const auto at = [&](const char* field) { return text_at(cause, field); };
  const auto kind = at("kind");
  if (kind == "reply") {
    const auto step = cause.contains("step") ? at("step") + ": " : std::string{};
    const auto why = cause.contains("held") ? at("held") : at("last_error");
    return fmt::format("{}{} of {}{}", step, at("command"), at("service"), in_parentheses(why));
  }
  if (kind == "timer") {
    const auto due = time_of(at("due"));
    return due && detail::is_never(*due) ? fmt::format("timer {}, never", at("name"))
                                         : fmt::format("timer {} at {}", at("name"), at("due"));
  }
  if (kind == "event") {
    return fmt::format("event {}", joined(list_at(cause, "types")));
  }
  if (kind == "delivery") {
    return fmt::format("delivery of {} to {}{}", at("message"), at("node"), in_parentheses(at("last_error")));
  }
  if (kind == "operator") {
    return fmt::format("operator: {}", at("reason"));
  }
  return text_of(cause); // of a newer node
}

/// What it waits for; else why it has ended so.
std::string causes_text(const json& instance) {
  std::string made;
  for (const auto& cause : list_at(instance, "waiting_for")) {
    made += (made.empty() ? "" : "; ") + cause_text(cause);
  }
  return made.empty() ? text_at(instance, "reason") : made;
}

int list_instances(const list_options& chosen) {
  const list_view view{"instances",
                       {"TYPE", "KEY", "STATUS*", "NODE", "CHANGED>", "WAITS FOR"},
                       [](const json& one) {
                         return std::vector{text_at(one, "type"),      text_at(one, "key"),
                                            text_at(one, "status"),    text_at(one, "node"),
                                            age_at(one, "updated_at"), causes_text(one)};
                       },
                       "no instances"};
  return show_list(chosen.at, chosen.page, "/api/v1/instances",
                   {{"type", chosen.type},
                    {"status", chosen.status},
                    {"waiting_for", chosen.waiting_for},
                    {"kind", chosen.kind}},
                   view);
}

// -- show ----------------------------------------------------------------------------------------------

struct show_options {
  instance_options of;
  bool history = false;
};

void show_instance(const json& one) {
  const auto line = [](const char* name, const std::string& text) {
    if (!text.empty()) {
      fmt::print("{:<12} {}\n", name, text);
    }
  };
  const auto status = text_at(one, "status");
  fmt::print("{}\n", printable(address_text(one)));
  line("status", coloured_status(printable(status), status));
  for (const auto& cause : list_at(one, "waiting_for")) {
    line("waits for", printable(cause_text(cause)));
  }
  for (const auto* field : {"reason", "result", "kind", "node", "revision", "definition_version"}) {
    line(field == std::string_view{"definition_version"} ? "version" : field, printable(text_at(one, field)));
  }
  if (const auto parent = one.find("parent"); parent != one.end() && parent->is_object()) {
    line("parent", printable(address_text(*parent)));
  }
  for (const auto& child : list_at(one, "children")) {
    line("child", printable(address_text(child)));
  }
  for (const auto& [name, field] : {std::pair{"started", "started_at"}, std::pair{"changed", "updated_at"}}) {
    const auto age = age_at(one, field);
    line(name, printable(text_at(one, field)) + in_parentheses(age.empty() ? age : age + " ago"));
  }
  if (const auto state = one.find("state"); state != one.end()) {
    fmt::print("state\n");
    std::istringstream lines{state->dump(2, ' ', false, json::error_handler_t::replace)};
    for (std::string text; std::getline(lines, text);) {
      fmt::print("  {}\n", printable(text));
    }
  }
}

/// A command by its type, the revision that sent it, and its place among what that one sent.
std::string command_text(const json& of) {
  const auto id = text_at(of, "message_id");
  const auto behind_store = id.find('-');
  return behind_store == std::string::npos ? text_at(of, "type")
                                           : text_at(of, "type") + " " + id.substr(behind_store + 1);
}

int show_history(const show_options& chosen) {
  const list_view view{"entries",
                       {"AT", "REVISION>", "KIND", "MESSAGE", "ANSWERS", "FROM", "STATUS*", "SENT", "NOTE"},
                       [](const json& one) {
                         const auto from = one.find("from");
                         const auto answers = one.find("answers");
                         return std::vector{text_at(one, "at"),
                                            text_at(one, "revision"),
                                            text_at(one, "kind"),
                                            text_at(one, "message_type"),
                                            answers == one.end() ? std::string{} : command_text(*answers),
                                            from == one.end() ? std::string{} : address_text(*from),
                                            text_at(one, "status"),
                                            joined(list_at(one, "sent")),
                                            text_at(one, "note")};
                       },
                       "no history is kept of it"};
  return show_list(chosen.of.at, page_options{0, {}, true}, instance_path(chosen.of) + "/history", {}, view);
}

int show(const show_options& chosen) {
  if (chosen.history && chosen.of.at.json) {
    return show_history(chosen);
  }
  const auto code = ask_and_show(
      chosen.of.at, [&](const node_client& node) { return node.get(instance_path(chosen.of), "status"); },
      show_instance);
  if (code != 0 || !chosen.history) {
    return code;
  }
  fmt::print("\n");
  return show_history(chosen);
}

// -- wait ----------------------------------------------------------------------------------------------

struct wait_options {
  instance_options of;
  std::chrono::milliseconds patience{std::chrono::seconds{30}};
};

int wait(const wait_options& chosen) {
  const auto node = node_client::open(chosen.of.at);
  if (!node) {
    return refuse(node.error());
  }
  const waited_for what{instance_path(chosen.of) + "/result",
                        fmt::format("the end of {} {}", printable(chosen.of.type), printable(chosen.of.key)),
                        chosen.patience, "compensated"};
  return wait_and_show(*node, chosen.of.at.json, what, [](const json& end) {
    const auto status = text_at(end, "status");
    const auto result = text_at(end, status == "completed" ? "result" : "reason");
    fmt::print("{} is {}{}\n", printable(address_text(end)), coloured_status(printable(status), status),
               result.empty() ? "" : ": " + printable(result));
  });
}

// -- an operator's verbs -------------------------------------------------------------------------------

struct verb_options {
  instance_options of;
  std::string note;
};

int act(const verb_options& chosen, const std::string& verb) {
  json body = json::object();
  if (const auto* who = std::getenv("USER"); who != nullptr && *who != '\0') {
    body["who"] = who;
  }
  if (!chosen.note.empty()) {
    body["note"] = chosen.note;
  }
  return ask_and_show(
      chosen.of.at,
      [&](const node_client& node) {
        return node.call("POST", fmt::format("{}/{}", instance_path(chosen.of), verb), "verb",
                         body.dump(-1, ' ', false, json::error_handler_t::replace));
      },
      [&](const json&) {
        fmt::print("{} {}: {} is done\n", printable(chosen.of.type), printable(chosen.of.key), verb);
      });
}

void add_verb(CLI::App& program, chosen_run& run, const char* verb, const char* help) {
  const auto chosen = std::make_shared<verb_options>();
  const auto is_skip = std::string_view{verb} == "skip";
  auto* added = add_command(program, verb, help,
                            fmt::format("continuo {} fulfilment o-1 --note \"{}\"", verb,
                                        is_skip ? "refunded by hand" : "asked for by the customer"));
  add_instance_options(*added, chosen->of);
  added
      ->add_option("--note", chosen->note,
                   is_skip ? "What was done by hand; stands in the history, with $USER"
                           : "Why; stands in the history, with $USER")
      ->required(is_skip)
      ->check(is_not_empty())
      ->type_name("TEXT");
  added->callback([chosen, verb, &run] { run = [chosen, verb] { return act(*chosen, verb); }; });
}

void add_list(CLI::App& program, chosen_run& run) {
  const auto chosen = std::make_shared<list_options>();
  auto* added = add_command(program, "instances", "List instances, in the order of type and key",
                            "continuo instances --status stuck --type fulfilment");
  added->add_option("--type", chosen->type, "Only of this saga or service")->type_name("TYPE");
  added->add_option("--status", chosen->status, "Only in this status")
      ->type_name("STATUS")
      ->check(CLI::IsMember({"running", "compensating", "paused", "stuck", "completed", "compensated"}));
  added
      ->add_option("--waiting-for", chosen->waiting_for,
                   "Only what waits for a reply, timer, event, delivery or operator, or for a service")
      ->type_name("CAUSE");
  added->add_option("--kind", chosen->kind, "Sagas unless given")
      ->type_name("KIND")
      ->check(CLI::IsMember({"saga", "service", "command"}));
  add_page_options(*added, chosen->page);
  add_node_options(*added, chosen->at);
  added->callback([chosen, &run] { run = [chosen] { return list_instances(*chosen); }; });
}

void add_show(CLI::App& program, chosen_run& run) {
  const auto chosen = std::make_shared<show_options>();
  auto* added = add_command(program, "show", "Show one instance: its status, what it waits for, its state",
                            "continuo show fulfilment o-1 --history");
  add_instance_options(*added, chosen->of);
  added->add_flag("--history", chosen->history,
                  "Everything it has handled too, oldest first; with --json only that");
  added->callback([chosen, &run] { run = [chosen] { return show(*chosen); }; });
}

void add_wait(CLI::App& program, chosen_run& run) {
  const auto chosen = std::make_shared<wait_options>();
  auto* added = add_command(
      program, "wait",
      "Wait until an instance has ended; exits with 0 completed, 1 compensated, 124 not yet, 125 no answer",
      "continuo wait fulfilment o-1 --timeout 2min");
  add_instance_options(*added, chosen->of);
  add_duration(*added, "--timeout", chosen->patience, "How long (30s unless given)");
  added->callback([chosen, &run] { run = [chosen] { return wait(*chosen); }; });
}

} // namespace

void add_instance_commands(CLI::App& program, chosen_run& run) {
  add_list(program, run);
  add_show(program, run);
  add_wait(program, run);
  add_verb(program, run, "cancel", "Roll an instance back");
  add_verb(program, run, "pause", "Stop an instance; what comes for it waits");
  add_verb(program, run, "resume", "Let a paused instance go on");
  add_verb(program, run, "retry", "Let a stuck instance try again, with fresh attempts");
  add_verb(program, run, "skip", "Count the compensation on which an instance is stuck as done by hand");
}

} // namespace continuo::tools
