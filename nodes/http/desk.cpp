#include "nodes/http/desk.hpp"

#include "nodes/http/opened.hpp"

#include <continuo/archive.hpp>
#include <continuo/detail/time_text.hpp>
#include <continuo/json.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>

namespace continuo::http {

namespace {

constexpr std::size_t threads = 3; // one may be busy with a backup
constexpr std::size_t limit_default = 100;
constexpr std::size_t limit_most = 1'000;
constexpr std::chrono::milliseconds wait_most{60'000};
constexpr int body_depth_max = 32;

constexpr std::string_view hex_digits = "0123456789abcdef";

/// Parts of an answer that come in by and by.
struct collection {
  std::vector<part> parts;
  std::atomic<std::size_t> open;
  std::function<void(std::vector<part>)> whole;

  void take(std::size_t at, result<response> said) {
    parts[at].said = std::move(said);
    if (open.fetch_sub(1) == 1) {
      whole(std::move(parts));
    }
  }
};

/// What another node has to know of a request.
std::string passed(const request& asked) {
  auto sent = asked;
  std::erase_if(sent.headers, [](const auto& header) {
    return header.first != "idempotency-key" && header.first != "traceparent";
  });
  return encode(sent);
}

void ask(const caf::actor& link, std::string text, std::chrono::milliseconds patience,
         std::function<void(result<response>)> done) {
  caf::anon_send(link,
                 actors::ask_peer{
                     std::move(text), patience, [done = std::move(done)](result<std::string> said) {
                       done(said.and_then([](const std::string& bytes) { return decode<response>(bytes); }));
                     }});
}

} // namespace

desk::desk(std::weak_ptr<detail::node_runtime> node) : node_(std::move(node)) {}

desk::~desk() = default;

void desk::stop() {
  std::unique_ptr<boost::asio::thread_pool> ending;
  {
    const std::lock_guard lock{pool_mutex_};
    stopped_ = true;
    ending = std::move(pool_);
  }
  if (ending) {
    ending->stop(); // what waits for its time would keep it for as long
    ending->join();
  }
}

/// Made when it is needed first: most nodes of a simulation never do. Null once it has stopped.
boost::asio::thread_pool* desk::pool() {
  if (!pool_ && !stopped_) {
    pool_ = std::make_unique<boost::asio::thread_pool>(threads);
  }
  return pool_.get();
}

void desk::post(std::function<void()> what) {
  const std::lock_guard lock{pool_mutex_};
  if (auto* to = pool()) {
    boost::asio::post(*to, std::move(what));
  }
}

void desk::later(std::chrono::milliseconds wait, std::function<void()> what) {
  const std::lock_guard lock{pool_mutex_};
  if (auto* to = pool()) {
    const auto timer = std::make_shared<boost::asio::steady_timer>(*to, wait);
    timer->async_wait([timer, what = std::move(what)](const boost::system::error_code& cancelled) {
      if (!cancelled) {
        what();
      }
    });
  }
}

// -- this node ------------------------------------------------------------------------------

std::optional<desk::opened> desk::open(const answer& done) const {
  auto node = node_.lock();
  auto core = node ? node->open_core() : detail::open_node{};
  if (!core) {
    done(error_response(node ? node->why_closed() : error{errc::unavailable, "the node has stopped"}));
    return std::nullopt;
  }
  return opened{std::move(node), std::move(core)};
}

void desk::blocking(const answer& done,
                    std::function<response(const detail::node_runtime&, actors::core&)> make) {
  post([self = shared_from_this(), done, make = std::move(make)] {
    auto here = self->open(done);
    if (here) {
      const auto made = make(*here->node, *here->core);
      here.reset();
      done(made);
    }
  });
}

result<std::shared_ptr<const nodes::survey>> desk::survey_of(const detail::node_runtime& node,
                                                             const actors::core& core) {
  return surveys_.latest(core, node.ending());
}

// -- other nodes --------------------------------------------------------------------------------

void desk::pass_on(std::string_view node, call&& one, std::chrono::milliseconds patience) {
  caf::actor to;
  {
    const auto here = open(one.done);
    if (!here) {
      return;
    }
    const auto link = here->core->links.find(node);
    if (!one.passed_on && link != here->core->links.end()) {
      to = link->second;
    }
  }
  if (!to) { // it was passed on already, to one that has no answer either: the nodes do not agree where it is
    one.done(
        error_response({errc::unavailable,
                        fmt::format("the call belongs to the node {}, which cannot be asked here", node)}));
    return;
  }
  ask(to, passed(one.asked), patience, [done = std::move(one.done)](result<response> said) {
    done(said ? std::move(*said) : error_response(error{errc::unavailable, said.error().message}));
  });
}

void desk::ask_node(std::string_view node, const request& asked, std::chrono::milliseconds patience,
                    std::function<void(result<response>)> done) {
  caf::actor to;
  {
    const auto runtime = node_.lock();
    const auto core = runtime ? runtime->open_core() : detail::open_node{};
    const auto link = core ? core->links.find(node) : decltype(core->links.find(node)){};
    if (core && link != core->links.end()) {
      to = link->second;
    }
  }
  if (!to) {
    done(fail(errc::unavailable, "the node has stopped"));
    return;
  }
  ask(to, passed(asked), patience, std::move(done));
}

void desk::gather(call&& one, std::function<response(const detail::node_runtime&, actors::core&)> here,
                  std::function<response(std::vector<part>)> merge) {
  if (one.passed_on) {
    blocking(one.done, std::move(here));
    return;
  }
  const auto open_here = open(one.done);
  if (!open_here) {
    return;
  }
  const auto& core = *open_here->core;
  const auto all = std::make_shared<collection>();
  for (const auto& node : core.cluster.nodes) {
    all->parts.push_back({node.name, fail(errc::unavailable, "")});
  }
  if (all->parts.empty()) {
    all->parts.push_back({open_here->node->config().name, fail(errc::unavailable, "")});
  }
  all->open = all->parts.size();
  all->whole = [self = shared_from_this(), merge = std::move(merge),
                done = one.done](std::vector<part> parts) {
    self->post([merge, done, parts = std::move(parts)]() mutable { done(merge(std::move(parts))); });
  };
  const auto text = passed(one.asked);
  std::vector<std::string> asked_nodes; // the parts are gone as soon as the last one has come
  for (const auto& part : all->parts) {
    asked_nodes.push_back(part.node);
  }
  for (std::size_t i = 0; i < asked_nodes.size(); ++i) {
    const auto link = core.links.find(asked_nodes[i]);
    if (link == core.links.end()) {
      blocking([all, i](response said) { all->take(i, std::move(said)); }, here);
    } else {
      ask(link->second, text, peer_patience,
          [all, i](result<response> said) { all->take(i, std::move(said)); });
    }
  }
}

// -- answers ----------------------------------------------------------------------------------------

response ok(const json& body, unsigned status) {
  return {status, body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"};
}

response error_response(const error& why) {
  auto made = error_response(static_cast<unsigned>(http_status(why.code)), to_string(why.code), why.message);
  if (made.status == 429 || made.status == 503) {
    made.headers.emplace_back("Retry-After", "1");
  }
  return made;
}

json json_or_null(const std::string& text) {
  auto read = json::parse(text, nullptr, false);
  return read.is_discarded() ? json(nullptr) : std::move(read);
}

json missing_of(const std::vector<part>& parts) {
  auto missing = json::array();
  for (const auto& one : parts) {
    if (!one.said) {
      missing.push_back({{"node", one.node}, {"reason", one.said.error().message}});
    }
  }
  return missing;
}

std::vector<std::pair<std::string, json>> bodies_of(std::vector<part>& parts) {
  std::vector<std::pair<std::string, json>> bodies;
  for (auto& one : parts) {
    if (!one.said) {
      continue;
    }
    auto body = json::parse(one.said->body, nullptr, false);
    if (one.said->status == 200 && !body.is_discarded()) {
      bodies.emplace_back(one.node, std::move(body));
      continue;
    }
    const auto reason = body.is_object() && body.contains("error")
                            ? body["error"].value("message", std::string{})
                            : std::string{};
    one.said =
        fail(errc::unavailable, reason.empty() ? fmt::format("it answered {}", one.said->status) : reason);
  }
  return bodies;
}

std::string text_of(time_point at) {
  return detail::shown_time(at);
}

json json_of(const instance_id& id) {
  return {{"type", id.type}, {"key", id.key}};
}

// -- what a client asked ---------------------------------------------------------------------------------

std::optional<response> unknown_parameter(const request& asked, std::span<const std::string_view> known) {
  for (const auto& [name, value] : asked.query) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return error_response(400, "bad_request",
                            known.empty() ? fmt::format("this call takes no parameters, and {} is one", name)
                                          : fmt::format("there is no parameter {}; this call takes {}", name,
                                                        fmt::join(known, ", ")));
    }
  }
  return std::nullopt;
}

std::string parameter(const request& asked, std::string_view name) {
  const auto found = asked.query.find(std::string{name});
  return found == asked.query.end() ? std::string{} : found->second;
}

result<std::size_t> page_limit(const request& asked) {
  const auto text = parameter(asked, "limit");
  if (text.empty()) {
    return limit_default;
  }
  std::size_t limit = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (failed != std::errc{} || end != text.data() + text.size() || limit == 0 || limit > limit_most) {
    return fail(errc::malformed,
                fmt::format("limit is {}, and must be a number from 1 to {}", text, limit_most));
  }
  return limit;
}

result<std::chrono::milliseconds> wait_time(const request& asked) {
  const auto text = parameter(asked, "wait");
  if (text.empty()) {
    return std::chrono::milliseconds{0};
  }
  const auto read = from_json<std::chrono::milliseconds>(to_json(text));
  if (!read || *read < std::chrono::milliseconds{0} || *read > wait_most) {
    return fail(errc::malformed,
                fmt::format("wait is {}, and must be a duration from 0s to 60s, as 30s or 500ms", text));
  }
  return *read;
}

std::string cursor_of(std::string_view position) {
  std::string text;
  for (const char letter : position) {
    const auto byte = static_cast<unsigned char>(letter);
    text += hex_digits[byte >> 4];
    text += hex_digits[byte & 15];
  }
  return text;
}

result<std::string> page_start(const request& asked) {
  const auto text = parameter(asked, "cursor");
  std::string position;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const auto high = hex_digits.find(text[i]);
    const auto low = hex_digits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) {
      break;
    }
    position += static_cast<char>(high * 16 + low);
  }
  if (position.size() * 2 != text.size()) {
    return fail(errc::malformed, "the cursor is none of this interface's: give back next_cursor as it came");
  }
  return position;
}

result<json> object_body(const request& asked, std::span<const std::string_view> known) {
  if (asked.body.empty()) {
    return json::object();
  }
  if (asked.body.find('\0') != std::string::npos) { // where the parser would end
    return fail(errc::malformed, "the body is no JSON: it holds a byte that is 0");
  }
  json body;
  bool too_deep = false;
  try {
    // What is nested without end must not come into being: each copy would need as deep a stack.
    body = json::parse(asked.body, [&](int depth, json::parse_event_t, const json&) {
      too_deep = too_deep || depth > body_depth_max;
      return !too_deep;
    });
  } catch (const json::exception& wrong) {
    return fail(errc::malformed, fmt::format("the body is no JSON: {}", wrong.what()));
  }
  if (too_deep) {
    return fail(errc::malformed, fmt::format("the body is nested more than {} deep", body_depth_max));
  }
  if (!body.is_object()) {
    return fail(errc::malformed, "the body must be a JSON object");
  }
  for (const auto& [name, value] : body.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return fail(errc::malformed, fmt::format("$.{}: there is no such field; this call takes {}", name,
                                               fmt::join(known, ", ")));
    }
  }
  return body;
}

} // namespace continuo::http
