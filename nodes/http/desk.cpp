#include "nodes/http/desk.hpp"

#include "messages/application.hpp"
#include "nodes/http/opened.hpp"
#include "nodes/threads.hpp"

#include <continuo/archive.hpp>
#include <continuo/detail/time_text.hpp>
#include <continuo/json.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>

namespace continuo::http {

namespace {

constexpr std::size_t threads_count = 3; // one may be busy with a backup
constexpr std::size_t limit_default = 100;
constexpr std::size_t limit_most = 1'000;
constexpr std::chrono::milliseconds wait_most{60'000};
constexpr int body_depth_max = 32;
constexpr int foreign_depth_max = 256; // a state may be nested `detail::nesting_max` deep

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
  caf::anon_send(
      link, actors::ask_peer{std::move(text), patience, [done = std::move(done)](result<std::string> said) {
                               done(said.and_then([](const std::string& bytes) {
                                 return messages::decode_from_peer<response>(bytes);
                               }));
                             }});
}

/// What a call throws must end neither its thread nor the node: it is in the log, and the answer says so.
response make_safely(const std::weak_ptr<detail::node_runtime>& node, const std::function<response()>& make) {
  std::string thrown;
  try {
    return make();
  } catch (...) {
    thrown = what_was_thrown();
  }
  if (const auto alive = node.lock()) {
    alive->log(log_level::error, "a call over HTTP failed: " + thrown);
  }
  return error_response({errc::unavailable, "the call failed: " + thrown});
}

desk::part_maker at_once(std::function<response(const detail::node_runtime&, actors::core&)> make) {
  return [make = std::move(make)](const detail::node_runtime& node, actors::core& core, const answer&) {
    return std::optional{make(node, core)};
  };
}

void run_safely(const std::weak_ptr<detail::node_runtime>& node, const std::function<void()>& what) {
  make_safely(node, [&] {
    what();
    return response{};
  });
}

} // namespace

/// Threads that run what is posted to one queue.
struct desk::worker_threads {
  boost::asio::io_context queue;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> open = make_work_guard(queue);
  std::vector<std::thread> threads;

  ~worker_threads() {
    queue.stop(); // what waits for its time would keep it for as long
    for (auto& one : threads) {
      one.join();
    }
  }
};

desk::desk(std::weak_ptr<detail::node_runtime> node, job_runner jobs)
    : node_(std::move(node)), jobs_(std::move(jobs)) {}

desk::~desk() = default;

result<void> desk::start() {
  const std::lock_guard lock{pool_mutex_};
  return start_threads();
}

result<void> desk::start_threads() {
  if (pool_ || stopped_) {
    return {};
  }
  auto made = std::make_unique<worker_threads>();
  for (std::size_t i = 0; i < threads_count; ++i) {
    auto one = nodes::start_thread("desk", [&queue = made->queue] { queue.run(); });
    if (!one) {
      return tl::unexpected(std::move(one.error()));
    }
    made->threads.push_back(std::move(*one));
  }
  pool_ = std::move(made);
  return {};
}

void desk::stop() {
  std::unique_ptr<worker_threads> ending; // not with the lock held: what runs may post
  const std::lock_guard lock{pool_mutex_};
  stopped_ = true;
  ending = std::move(pool_);
}

/// Null once it has stopped.
desk::worker_threads* desk::pool() {
  if (const auto started = start_threads(); !started) {
    if (const auto node = node_.lock()) {
      node->fail(started.error());
    }
  }
  return pool_.get();
}

void desk::post(std::function<void()> what) {
  if (jobs_) {
    jobs_([what = std::move(what), node = node_] { run_safely(node, what); });
    return;
  }
  const std::lock_guard lock{pool_mutex_};
  if (auto* to = pool()) {
    boost::asio::post(to->queue, [what = std::move(what), node = node_] { run_safely(node, what); });
  }
}

void desk::later(std::chrono::milliseconds wait, std::function<void()> what) {
  const std::lock_guard lock{pool_mutex_};
  if (auto* to = pool()) {
    const auto timer = std::make_shared<boost::asio::steady_timer>(to->queue, wait);
    timer->async_wait(
        [timer, what = std::move(what), node = node_](const boost::system::error_code& cancelled) {
          if (!cancelled) {
            run_safely(node, what);
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
  blocking_later(done, at_once(std::move(make)));
}

void desk::blocking_later(const answer& done, part_maker make) {
  post([self = shared_from_this(), done, make = std::move(make)] {
    auto here = self->open(done);
    if (!here) {
      return;
    }
    std::optional<response> made;
    auto failed = make_safely(self->node_, [&] {
      made = make(*here->node, *here->core, done);
      return response{};
    });
    here.reset(); // nobody is answered while it is held: an answer may open it again
    if (failed.status >= 300 || made) {
      done(failed.status >= 300 ? std::move(failed) : std::move(*made));
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
    if (said && (said->status < 200 || said->status > 599)) {
      said = fail(errc::unavailable, fmt::format("the other node answered {}, which is none of HTTP's status "
                                                 "codes: it may run another version",
                                                 said->status));
    }
    done(said ? std::move(*said) : error_response(error{errc::unavailable, said.error().message}));
  });
}

void desk::pass_on(std::string_view node, call&& one, turns wait, bool (*is_open)(const response& said)) {
  const auto time = wait.next();
  auto turn = one;
  turn.asked.query["wait"] = fmt::format("{}ms", time.count());
  turn.done = [self = shared_from_this(), node = std::string{node}, one = std::move(one), wait,
               is_open](response said) mutable {
    if (is_open(said) && wait.more()) {
      self->pass_on(node, std::move(one), wait, is_open);
    } else {
      one.done(std::move(said));
    }
  };
  pass_on(node, std::move(turn), time + peer_patience);
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
  gather_later(std::move(one), at_once(std::move(here)), std::move(merge));
}

void desk::gather_later(call&& one, part_maker here, std::function<response(std::vector<part>)> merge) {
  if (one.passed_on) {
    blocking_later(one.done, std::move(here));
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
    self->post([merge, done, parts = std::move(parts), node = self->node_]() mutable {
      done(make_safely(node, [&] { return merge(std::move(parts)); }));
    });
  };
  const auto text = passed(one.asked);
  std::vector<std::string> asked_nodes; // the parts are gone as soon as the last one has come
  for (const auto& part : all->parts) {
    asked_nodes.push_back(part.node);
  }
  for (std::size_t i = 0; i < asked_nodes.size(); ++i) {
    const auto link = core.links.find(asked_nodes[i]);
    if (link == core.links.end()) {
      blocking_later([all, i](response said) { all->take(i, std::move(said)); }, here);
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

// -- JSON of other nodes ---------------------------------------------------------------------------

namespace {

const json* field_of(const json& of, std::string_view name) {
  const auto found = of.is_object() ? of.find(std::string{name}) : of.end();
  return found == of.end() ? nullptr : &*found;
}

bool is_error(const json& body) {
  const auto* why = field_of(body, "error");
  return why != nullptr && has_text(*why, "message");
}

/// JSON that is nested without end must not come into being: whoever copies or prints it would need as deep a
/// stack.
bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (in_string) {
      i += letter == '\\' ? 1 : 0;
      in_string = letter != '"';
    } else if (letter == '"') {
      in_string = true;
    } else if (letter == '[' || letter == '{') {
      if (++depth > foreign_depth_max) {
        return true;
      }
    } else if (letter == ']' || letter == '}') {
      --depth;
    }
  }
  return false;
}

} // namespace

bool has_text(const json& of, std::string_view name) {
  const auto* field = field_of(of, name);
  return field != nullptr && field->is_string();
}

bool has_text_or_null(const json& of, std::string_view name) {
  const auto* field = field_of(of, name);
  return field != nullptr && (field->is_string() || field->is_null());
}

bool has_count(const json& of, std::string_view name) {
  const auto* field = field_of(of, name);
  return field != nullptr && field->is_number_unsigned();
}

bool has_list(const json& of, std::string_view name, shape_check each) {
  const auto* field = field_of(of, name);
  return field != nullptr && field->is_array() && std::all_of(field->begin(), field->end(), each);
}

json foreign_json(const std::string& text, shape_check fits) {
  if (is_too_deep(text)) {
    return nullptr;
  }
  auto body = json::parse(text, nullptr, false);
  return !body.is_discarded() && fits(body) ? std::move(body) : json(nullptr);
}

error error_of(const response& said) {
  const auto body = foreign_json(said.body, is_error);
  if (body.is_null()) {
    return {errc::unavailable, fmt::format("it answered {}", said.status)};
  }
  const auto& why = body["error"];
  const auto name = has_text(why, "code") ? why["code"].get<std::string>() : std::string{};
  auto code = said.status == 400 || said.status == 413 ? errc::malformed : errc::unavailable;
  for (auto number = static_cast<std::uint8_t>(errc::malformed);
       number <= static_cast<std::uint8_t>(errc::handler_failed); ++number) {
    code = to_string(static_cast<errc>(number)) == name ? static_cast<errc>(number) : code;
  }
  return {code, why["message"].get<std::string>()};
}

std::vector<std::pair<std::string, json>> bodies_of(std::vector<part>& parts, shape_check fits) {
  std::vector<std::pair<std::string, json>> bodies;
  for (auto& one : parts) {
    if (!one.said) {
      continue;
    }
    const auto went_well = one.said->status == 200;
    if (!went_well) {
      one.said = fail(errc::unavailable, error_of(*one.said).message);
      continue;
    }
    auto body = foreign_json(one.said->body, fits);
    if (body.is_null()) {
      one.said = fail(errc::unavailable, "its answer is not of the shape that this program knows: it may run "
                                         "another version");
    } else {
      bodies.emplace_back(one.node, std::move(body));
    }
  }
  return bodies;
}

// -- answers again -------------------------------------------------------------------------------------

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

result<verb_body> verb_of(const request& asked) {
  result<verb_body> said;
  if (asked.in_bytes) {
    said = decode<verb_body>(asked.body);
  } else {
    constexpr std::array<std::string_view, 2> known{"who", "note"};
    const auto body = object_body(asked, known);
    if (!body) {
      return tl::unexpected(body.error());
    }
    std::array<std::string, 2> words;
    for (std::size_t i = 0; i < known.size(); ++i) {
      const auto value = body->value(std::string{known[i]}, json(""));
      if (!value.is_string()) {
        return fail(errc::malformed, fmt::format("$.{}: expected a string", known[i]));
      }
      words[i] = value.get<std::string>();
    }
    said = verb_body{std::move(words[0]), std::move(words[1])};
  }
  if (said && (said->who.size() > engine::operator_bytes_max || said->note.size() > engine::note_bytes_max)) {
    return fail(errc::malformed, fmt::format("who has at most {} bytes, note {}: they are kept",
                                             engine::operator_bytes_max, engine::note_bytes_max));
  }
  return said;
}

} // namespace continuo::http
