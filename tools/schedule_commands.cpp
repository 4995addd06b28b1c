#include "tools/schedule_commands.hpp"

#include "config/http_url.hpp"
#include "tools/json_text.hpp"
#include "tools/node_client.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>

namespace continuo::tools {

namespace {

using nlohmann::json;

struct schedule_options {
  node_options at;
  page_options page;
  std::string name;
};

std::string schedule_path(const schedule_options& chosen) {
  return "/api/v1/schedules/" + config::percent_encoded(chosen.name);
}

/// The times at which it is due next, as the node says them.
std::vector<std::string> next_of(const json& one) {
  std::vector<std::string> times;
  const auto found = one.is_object() ? one.find("next") : one.end();
  if (found != one.end() && found->is_array()) {
    for (const auto& at : *found) {
      times.push_back(at.is_string() ? at.get<std::string>() : std::string{});
    }
  }
  return times;
}

std::string last_of(const json& one, const char* field) {
  const auto found = one.is_object() ? one.find("last") : one.end();
  return found == one.end() ? std::string{} : text_at(*found, field);
}

int list_schedules(const schedule_options& chosen) {
  const list_view view{"schedules",
                       {"NAME", "WHEN", "ZONE", "EVENT", "ON", "STATUS*", "NEXT", "LAST", "FIRED>"},
                       [](const json& one) {
                         const auto next = next_of(one);
                         return std::vector{text_at(one, "name"),
                                            text_at(one, "when"),
                                            text_at(one, "zone"),
                                            text_at(one, "event"),
                                            text_at(one, "node"),
                                            text_at(one, "status"),
                                            next.empty() ? std::string{} : next.front(),
                                            last_of(one, "due"),
                                            text_at(one, "fired")};
                       },
                       "no schedules"};
  return show_list(chosen.at, chosen.page, "/api/v1/schedules", {}, view);
}

int show_schedule(const schedule_options& chosen) {
  return ask_and_show(
      chosen.at, [&](const node_client& node) { return node.get(schedule_path(chosen), "name"); },
      [](const json& one) {
        const auto line = [](const char* name, const std::string& text) {
          if (!text.empty()) {
            fmt::print("{:<11} {}\n", name, printable(text));
          }
        };
        const auto paused_by = text_at(one, "paused_by");
        line("status", text_at(one, "status") + (paused_by.empty() ? "" : " by " + paused_by));
        line("when", text_at(one, "when"));
        line("zone", text_at(one, "zone"));
        line("event", text_at(one, "event"));
        line("body", text_at(one, "body"));
        line("catch-up", text_at(one, "catch_up"));
        line("overlap", text_at(one, "overlap"));
        line("node", text_at(one, "node"));
        for (const auto& at : next_of(one)) {
          line("next", at);
        }
        line("last", last_of(one, "due"));
        line("accepted", last_of(one, "at"));
        line("as", last_of(one, "message_id"));
        line("fired", text_at(one, "fired"));
        line("overlapped", text_at(one, "overlapped"));
        line("failed", text_at(one, "failed"));
        line("noted", text_at(one, "noted_at"));
        line("note", text_at(one, "note"));
      });
}

int act_on_schedule(const schedule_options& chosen, const std::string& verb) {
  json body = json::object();
  if (const auto* who = std::getenv("USER"); who != nullptr && *who != '\0') {
    body["who"] = who;
  }
  return ask_and_show(
      chosen.at,
      [&](const node_client& node) {
        return node.call("POST", fmt::format("{}/{}", schedule_path(chosen), verb), "name",
                         body.dump(-1, ' ', false, json::error_handler_t::replace));
      },
      [&](const json& said) {
        const auto id = text_at(said, "message_id");
        fmt::print("{}: {} is done{}\n", printable(chosen.name), verb,
                   id.empty() ? "" : ", as message " + printable(id));
      });
}

} // namespace

void add_schedule_commands(CLI::App& program, chosen_run& run) {
  const auto chosen = std::make_shared<schedule_options>();
  auto* schedules =
      add_command(program, "schedules", "What is published again and again: list it, stop it, do it now",
                  "continuo schedules show nightly");
  schedules->require_subcommand(0, 1);
  const auto add = [&](const char* name, const char* help, const char* example,
                       std::function<int()> command) {
    auto* added = add_command(*schedules, name, help, example);
    add_node_options(*added, chosen->at);
    added->callback([&run, command = std::move(command)] { run = command; });
    return added;
  };
  const auto list = [chosen] { return list_schedules(*chosen); };
  add_page_options(*schedules, chosen->page);
  add_node_options(*schedules, chosen->at);
  schedules->callback([schedules, list, &run] {
    if (schedules->get_subcommands().empty()) {
      run = list;
    }
  });
  add_page_options(*add("list", "List them; so does the command without a subcommand",
                        "continuo schedules list --all", list),
                   chosen->page);
  const auto add_with_name = [&](const char* name, const char* help, std::function<int()> command) {
    add(name, help, fmt::format("continuo schedules {} nightly", name).c_str(), std::move(command))
        ->add_option("NAME", chosen->name, "The schedule")
        ->required()
        ->check(is_not_empty());
  };
  add_with_name("show", "Show one with the next five times at which it is due",
                [chosen] { return show_schedule(*chosen); });
  add_with_name("pause", "Stop one; what is due meanwhile is missed",
                [chosen] { return act_on_schedule(*chosen, "pause"); });
  add_with_name("resume", "Let a paused one go on; what was missed is caught up with as its catch-up says",
                [chosen] { return act_on_schedule(*chosen, "resume"); });
  add_with_name("trigger", "Publish the event of one now, also while it is paused; its own times stay",
                [chosen] { return act_on_schedule(*chosen, "trigger"); });
}

} // namespace continuo::tools
