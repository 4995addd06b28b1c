#include "nodes/http/desk.hpp"
#include "nodes/http/opened.hpp"

#include <continuo/json.hpp>

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <map>
#include <mutex>

namespace continuo::http {

namespace {

using actors::node_event;
using detail::node_runtime;

constexpr std::size_t watchers_max = 100;
constexpr std::size_t events_a_page = 500;

/// How long a node lets another one wait for an event before it says that there was none.
constexpr std::chrono::milliseconds quiet{10'000};

/// How long an event waits for others.
constexpr std::chrono::milliseconds company{50};

/// After a node could not be asked.
constexpr std::chrono::milliseconds before_next{500};

/// How long a node goes on noting events after it was asked for some.
constexpr std::chrono::milliseconds watched_for{60'000};

/// A line that shows a client, and whatever stands between, that the stream lives.
constexpr std::chrono::milliseconds sign_of_life{10'000};

json event_json(const node_event& event, const std::string& node) {
  json made{{"node", node}, {"at", text_of(event.at)}};
  switch (event.what) {
  case node_event::kind::instance:
    made.update(json{
        {"type", event.instance.type}, {"key", event.instance.key}, {"status", to_string(event.status)}});
    break;
  case node_event::kind::node:
    made.update(
        json{{"peer", event.name}, {"state", event.note == "up" ? "up" : "down"}, {"note", event.note}});
    break;
  case node_event::kind::dead_letter:
    made.update(json{{"id", event.name}, {"to", json_of(event.instance)}, {"reason", event.note}});
    break;
  }
  return made;
}

constexpr std::array kinds{"instance", "node", "dead_letter"};

/// What a node has noted after an event. `life` names the start of the node that the numbers belong to: after
/// a restart they begin anew.
json page_here(std::uint64_t life, std::uint64_t after, const node_runtime& node, const actors::core& core) {
  const auto mine = core.store_id ^ static_cast<std::uint64_t>(node.started_at().time_since_epoch().count());
  const auto same = life == mine;
  auto found = core.events.after(same ? after : 0, events_a_page);
  if (life == 0) { // from now on
    found.events.clear();
  }
  auto events = json::array();
  for (const auto& event : found.events) {
    events.push_back({{"number", event.number},
                      {"event", kinds[static_cast<std::size_t>(event.what)]},
                      {"data", event_json(event, node.config().name)}});
  }
  return {{"life", mine},
          {"last", found.events.empty() ? found.last : found.events.back().number},
          {"lost", life != 0 && (!same || found.lost)},
          {"events", std::move(events)}};
}

// -- one node asks another ---------------------------------------------------------------------

/// Waits for an event, and for no longer than `quiet`. Answers once.
class long_poll : public std::enable_shared_from_this<long_poll> {
public:
  long_poll(std::shared_ptr<desk> at, std::uint64_t life, std::uint64_t after, answer done)
      : at_(std::move(at)), life_(life), after_(after), done_(std::move(done)) {}

  void begin(node_runtime& node, actors::core& core) {
    // Until whoever asks has asked again, and longer: nothing is lost in between.
    core.events.watch_until(later(core.time->now().up, watched_for));
    const auto first = page_here(life_, after_, node, core);
    if (first["life"] != life_ || !first["events"].empty()) {
      finish(ok(first));
      return;
    }
    at_->later(quiet, [self = shared_from_this()] { self->look(); });
    core.events.when_after(after_, shared_from_this(), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        // Others that follow soon come with it: a poll for each event would be very many.
        self->at_->later(company, [self] { self->look(); });
      }
    });
  }

private:
  void look() {
    const auto node = at_->node().lock();
    auto core = node ? node->open_core() : detail::open_node{};
    auto made = core ? ok(page_here(life_, after_, *node, *core))
                     : error_response({errc::unavailable, "the node has stopped"});
    core = {};
    finish(std::move(made));
  }

  void finish(response said) {
    const std::lock_guard lock{mutex_};
    if (auto done = std::exchange(done_, nullptr)) {
      done(std::move(said));
    }
  }

  std::shared_ptr<desk> at_;
  std::uint64_t life_;
  std::uint64_t after_;
  std::mutex mutex_;
  answer done_;
};

std::uint64_t number_in(const request& asked, std::string_view name) {
  const auto text = parameter(asked, name);
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// -- GET /api/v1/events -----------------------------------------------------------------------------

/// One client that watches: a loop for each node, which asks for what came after the last event it has seen.
class subscription : public std::enable_shared_from_this<subscription> {
public:
  subscription(std::shared_ptr<desk> at, std::string here) : at_(std::move(at)), here_(std::move(here)) {
    at_->watchers.fetch_add(1);
  }
  ~subscription() { at_->watchers.fetch_sub(1); }
  subscription(const subscription&) = delete;
  subscription& operator=(const subscription&) = delete;

  void begin(std::shared_ptr<stream> to, const std::vector<std::string>& nodes, const std::string& seen) {
    to_ = to;
    read_positions(seen);
    to->write(": the events of this cluster\n\n");
    for (const auto& node : nodes) {
      ask(node);
    }
    show_life();
  }

private:
  struct position {
    std::uint64_t life = 0; ///< 0: from now on
    std::uint64_t number = 0;
  };

  /// `ordering:LIFE:41,payment:LIFE:7`: what the client has seen of each node.
  void read_positions(std::string_view text) {
    while (!text.empty()) {
      const auto entry = text.substr(0, text.find(','));
      text.remove_prefix(std::min(text.size(), entry.size() + 1));
      const auto first = entry.find(':');
      const auto second = entry.rfind(':');
      if (first == std::string_view::npos || first == second) {
        continue;
      }
      position at;
      const auto life = entry.substr(first + 1, second - first - 1);
      const auto number = entry.substr(second + 1);
      std::from_chars(life.data(), life.data() + life.size(), at.life);
      std::from_chars(number.data(), number.data() + number.size(), at.number);
      positions_[std::string{entry.substr(0, first)}] = at;
    }
  }

  std::string id() const {
    std::string text;
    for (const auto& [node, at] : positions_) {
      text += fmt::format("{}{}:{}:{}", text.empty() ? "" : ",", node, at.life, at.number);
    }
    return text;
  }

  /// Asks a node for more, and again when it has answered. Ends when the client has gone.
  void ask(const std::string& node) {
    const auto to = to_.lock();
    if (!to || !to->is_open()) {
      return;
    }
    request asked;
    asked.method = "GET";
    asked.segments = {"api", "v1", "events"};
    {
      const std::lock_guard lock{mutex_};
      const auto& at = positions_[node];
      asked.query = {{"life", std::to_string(at.life)}, {"after", std::to_string(at.number)}};
    }
    auto said = [weak = weak_from_this(), node](const result<response>& answer) {
      if (const auto self = weak.lock()) {
        self->at_->post([self, node, answer] { self->take(node, answer); });
      }
    };
    if (node == here_) {
      poll_here(asked, std::move(said));
    } else {
      at_->ask_node(node, asked, quiet + peer_patience, std::move(said));
    }
  }

  void poll_here(const request& asked, std::function<void(result<response>)> said);

  static bool is_page(const json& body) {
    return has_count(body, "life") && has_count(body, "last") &&
           has_list(body, "events", [](const json& one) {
             return has_count(one, "number") && has_text(one, "event") && one.contains("data") &&
                    one["event"].get_ref<const std::string&>().find_first_of("\r\n") == std::string::npos;
           });
  }

  void take(const std::string& node, const result<response>& answer) {
    auto body = answer && answer->status == 200 ? foreign_json(answer->body, is_page) : json(nullptr);
    if (body.is_null()) {
      later(before_next, [node](subscription& self) { self.ask(node); });
      return;
    }
    {
      const std::lock_guard lock{mutex_};
      auto& at = positions_[node];
      const auto begins = at.life == 0;
      if (body.contains("lost") && body["lost"] == true) {
        write("lost", {{"node", node}}, id());
      }
      at.life = body["life"];
      if (begins) { // what was before it began is not its concern
        at.number = body["last"];
      } else {
        for (auto& event : body["events"]) {
          at.number = event["number"];
          write(event["event"].get<std::string>(), event["data"], id());
        }
        at.number = body["last"];
      }
    }
    ask(node);
  }

  void write(const std::string& event, const json& data, const std::string& id) {
    if (const auto to = to_.lock()) {
      const auto text = fmt::format("id: {}\nevent: {}\ndata: {}\n\n", id, event,
                                    data.dump(-1, ' ', false, json::error_handler_t::replace));
      if (missed_ && to->write("event: lost\ndata: {\"reason\":\"this client reads too slowly\"}\n\n")) {
        missed_ = false;
      }
      missed_ = !to->write(text) || missed_;
    }
  }

  void show_life() {
    later(sign_of_life, [](subscription& self) {
      if (const auto to = self.to_.lock(); to && to->is_open()) {
        to->write(": \n\n");
        self.show_life();
      }
    });
  }

  void later(std::chrono::milliseconds wait, std::function<void(subscription&)> what) {
    at_->later(wait, [weak = weak_from_this(), what = std::move(what)] {
      if (const auto self = weak.lock()) {
        what(*self);
      }
    });
  }

  std::shared_ptr<desk> at_;
  std::string here_;
  std::weak_ptr<stream> to_;
  std::mutex mutex_;
  std::map<std::string, position> positions_;
  bool missed_ = false;
};

void poll(desk& at, const request& asked, answer done) {
  auto here = at.open(done);
  if (here) {
    std::make_shared<long_poll>(at.shared_from_this(), number_in(asked, "life"), number_in(asked, "after"),
                                std::move(done))
        ->begin(*here->node, *here->core);
  }
}

void subscription::poll_here(const request& asked, std::function<void(result<response>)> said) {
  poll(*at_, asked, [said = std::move(said)](const response& page) { said(page); });
}

void events(desk& at, call&& one) {
  if (one.passed_on) {
    poll(at, one.asked, std::move(one.done));
    return;
  }
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  std::vector<std::string> nodes;
  std::string name;
  std::shared_ptr<void> watching;
  {
    const auto here = at.open(one.done);
    if (!here) {
      return;
    }
    name = here->node->config().name;
    for (const auto& node : here->core->cluster.nodes) {
      nodes.push_back(node.name);
    }
  }
  if (nodes.empty()) {
    nodes.push_back(name);
  }
  if (at.watchers >= watchers_max) {
    one.done(
        error_response({errc::overloaded,
                        fmt::format("{} clients watch already: try again when one has gone", watchers_max)}));
    return;
  }
  const auto watcher = std::make_shared<subscription>(at.shared_from_this(), name);
  response made;
  made.type = "text/event-stream";
  const auto seen = one.asked.headers.find("last-event-id");
  made.opened = [watcher, nodes, last = seen == one.asked.headers.end() ? std::string{} : seen->second](
                    const std::shared_ptr<stream>& to) {
    to->keep(watcher);
    watcher->begin(to, nodes, last);
  };
  one.done(std::move(made));
}

} // namespace

std::span<const route> event_routes() {
  static constexpr std::array routes{route{"GET", "/api/v1/events", events}};
  return routes;
}

} // namespace continuo::http
