#pragma once

#include "messages/frame_bounds.hpp"
#include "nodes/http/bodies.hpp"
#include "nodes/http/server.hpp"
#include "nodes/survey.hpp"

#include <continuo/archive.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace continuo::detail {
class node_runtime;
}

namespace continuo::http {

using json = nlohmann::ordered_json;

/// One call under way.
struct call {
  request asked;
  std::vector<std::string> names; ///< what stands in the places of the route's pattern, decoded
  bool passed_on = false;         ///< by another node, which wants what this one has and nothing else
  answer done;
};

/// What one node said to a call that all were asked.
struct part {
  std::string node;
  result<response> said; ///< an error where the node could not be asked
};

/// How long a node waits for others that it asks on a client's behalf, beyond what the client asked for.
constexpr std::chrono::milliseconds peer_patience{3'000};

/// What a client waits for, a turn at a time: between two it is looked whether anybody still waits, so that
/// what is kept for one that has left is soon gone, on this node and on others.
class turns {
public:
  turns(const request& asked, std::chrono::milliseconds wait)
      : client_left_(asked.client_left), rest_(wait) {}

  /// How long the next one is: all that is left where nobody can be seen to leave.
  std::chrono::milliseconds next() {
    const auto one = client_left_ ? std::min(rest_, most) : rest_;
    rest_ -= one;
    return one;
  }

  /// Whether there is one more.
  bool more() const { return rest_.count() > 0 && !*client_left_; }

private:
  static constexpr std::chrono::milliseconds most{2'000};

  std::shared_ptr<const std::atomic<bool>> client_left_;
  std::chrono::milliseconds rest_;
};

/// Runs something once, not within this call.
using job_runner = std::function<void(std::function<void()>)>;

/// What all calls share: the node that they speak for, the threads on which they may block, and the way to
/// the other nodes. Calls run on the server's thread, on a link's where a node passes them on, or on one of
/// the application where its client asks, and must not block there. Lives as long as a call is under way.
class desk : public std::enable_shared_from_this<desk> {
public:
  /// @param jobs where what may block runs in place of threads, as the simulation wants it; empty: threads
  desk(std::weak_ptr<detail::node_runtime> node, job_runner jobs);
  ~desk();
  desk(const desk&) = delete;
  desk& operator=(const desk&) = delete;

  /// Starts its threads, which else are started when they are needed first. `errc::overloaded` where the
  /// system has none.
  result<void> start();

  /// Waits for what runs on its threads. What was to run there afterwards is dropped.
  void stop();

  // -- this node --------------------------------------------------------------------------
  /// An open node with its actors; nothing where the node takes no calls, and then `done` is told why.
  struct opened;
  std::optional<opened> open(const answer& done) const;

  /// Runs `make` on a thread that may block, and answers with what it gives.
  void blocking(const answer& done, std::function<response(const detail::node_runtime&, actors::core&)> make);

  /// Of a thread that may block: what the node's records add up to, perhaps of a moment ago.
  result<std::shared_ptr<const nodes::survey>> survey_of(const detail::node_runtime& node,
                                                         const actors::core& core);

  const std::weak_ptr<detail::node_runtime>& node() const { return node_; }

  /// Runs something on a thread that may block, at once or after a time.
  void post(std::function<void()> what);
  void later(std::chrono::milliseconds wait, std::function<void()> what);

  /// Streams of events that are open.
  std::atomic<std::size_t> watchers{0};

  // -- other nodes -------------------------------------------------------------------------
  /// Lets another node answer. `patience` is how long this may take.
  void pass_on(std::string_view node, call&& one, std::chrono::milliseconds patience = peer_patience);

  /// The same for a call that waits there, turn by turn for as long as it `is_open` after the one before.
  void pass_on(std::string_view node, call&& one, turns wait, bool (*is_open)(const response& said));

  /// Asks another node; `done` gets what it says, from any thread, or why it says nothing.
  void ask_node(std::string_view node, const request& asked, std::chrono::milliseconds patience,
                std::function<void(result<response>)> done);

  /// Asks all nodes for their part, this one as well, by the same call. `merge` gets the parts in the order
  /// of the cluster file, on a thread that may block.
  void gather(call&& one, std::function<response(const detail::node_runtime&, actors::core&)> here,
              std::function<response(std::vector<part>)> merge);

  /// The same where this node's part may come later: `here` then gives nothing, and calls what it gets.
  using part_maker =
      std::function<std::optional<response>(const detail::node_runtime&, actors::core&, const answer& later)>;
  void gather_later(call&& one, part_maker here, std::function<response(std::vector<part>)> merge);

private:
  struct worker_threads;

  result<void> start_threads(); // with the lock held
  worker_threads* pool();

  void blocking_later(const answer& done, part_maker make);

  std::weak_ptr<detail::node_runtime> node_;
  job_runner jobs_;
  nodes::surveyor surveys_;

  std::mutex pool_mutex_;
  std::unique_ptr<worker_threads> pool_;
  bool stopped_ = false;
};

/// One call of the interface. `{}` in the pattern stands for one part of the path.
struct route {
  std::string_view method;
  std::string_view pattern;
  void (*run)(desk& at, call&& one);
};

// -- the calls, by what they are about -------------------------------------------------------
std::span<const route> backup_routes();
std::span<const route> cluster_routes();
std::span<const route> event_routes();
std::span<const route> instance_routes();
std::span<const route> letter_routes();
std::span<const route> list_routes();
std::span<const route> message_routes();
std::span<const route> schedule_routes();
std::span<const route> service_routes();

// -- answers -----------------------------------------------------------------------------------
response ok(const json& body, unsigned status = 200);

/// With the status that the code stands for, and `Retry-After` where it is worth to try again.
response error_response(const error& why);

/// The error in an answer that is one.
error error_of(const response& said);

/// The answer to a call `in_bytes`.
template <class Body>
response in_bytes(const Body& body) {
  return {200, encode(body), "application/octet-stream"};
}

/// What another node, or this one, answered to a call `in_bytes`.
template <class Body>
result<Body> read_bytes(const response& said) {
  if (said.status >= 300) {
    return tl::unexpected(error_of(said));
  }
  auto body = messages::decode_from_peer<Body>(said.body, messages::page_elements_max);
  if (!body) {
    return fail(errc::unavailable,
                "another node's answer is not of the shape that this program knows: it may "
                "run another version");
  }
  return body;
}

/// The pages in bytes that all nodes gave, as one of at most `limit` entries: up to the first place that some
/// node has not looked at. An error where one of those for which `is_asked` holds gave none.
template <class Page>
response merge_pages(const std::vector<part>& parts, std::size_t limit,
                     const std::function<bool(const std::string& node)>& is_asked) {
  std::vector<Page> pages;
  for (const auto& one : parts) {
    auto page = one.said.and_then(&read_bytes<Page>);
    if (page) {
      pages.push_back(std::move(*page));
    } else if (is_asked(one.node)) {
      const auto code = one.said ? page.error().code : errc::unavailable; // not reached, or not in time
      return error_response(parts.size() == 1
                                ? page.error()
                                : error{code, "from the node " + one.node + ": " + page.error().message});
    }
  }
  Page whole;
  for (auto& page : pages) {
    if (!page.next.empty()) {
      whole.next = whole.next.empty() ? page.next : std::min(whole.next, page.next);
    }
    std::move(page.entries.begin(), page.entries.end(), std::back_inserter(whole.entries));
  }
  std::sort(whole.entries.begin(), whole.entries.end(),
            [](const auto& a, const auto& b) { return a.position < b.position; });
  const auto is_beyond = [&](const auto& one) { return !whole.next.empty() && one.position > whole.next; };
  const auto fits = std::min(
      limit,
      static_cast<std::size_t>(std::distance(
          whole.entries.begin(), std::find_if(whole.entries.begin(), whole.entries.end(), is_beyond))));
  if (fits < whole.entries.size() && fits == limit) {
    whole.next = whole.entries[fits - 1].position;
  }
  whole.entries.resize(fits);
  return in_bytes(whole);
}

/// Whatever text the bytes of a type have as JSON; null where there is none.
json json_or_null(const std::string& text);

/// `{"node": ..., "reason": ...}` for each part that is missing.
json missing_of(const std::vector<part>& parts);

// -- JSON of other nodes ---------------------------------------------------------------------------
// Another node may run another program: what it says is looked at before it is used.

/// Whether JSON has the shape that a call can use.
using shape_check = bool (*)(const json& body);

/// JSON that another node has sent, if it is of that shape; null else.
json foreign_json(const std::string& text, shape_check fits);

/// The parts that could be had, as JSON of that shape; those that answered with an error or with something
/// else count as missing.
std::vector<std::pair<std::string, json>> bodies_of(std::vector<part>& parts, shape_check fits);

// Of what such checks are made: whether `of` is an object with that field.
bool has_text(const json& of, std::string_view name);
bool has_text_or_null(const json& of, std::string_view name);
bool has_count(const json& of, std::string_view name); ///< an integer that is not negative
bool has_list(const json& of, std::string_view name, shape_check each);

std::string text_of(time_point at);
json json_of(const instance_id& id);

// -- what a client asked -------------------------------------------------------------------------
/// An objection to parameters that a call does not know; nothing if all are known.
std::optional<response> unknown_parameter(const request& asked, std::span<const std::string_view> known);

/// A parameter's value; empty if it is not there.
std::string parameter(const request& asked, std::string_view name);

/// How many entries a page may have: `limit`, 100 unless given.
result<std::size_t> page_limit(const request& asked);

/// How long a client wants to wait: `wait`, nothing unless given; 60 s at most.
result<std::chrono::milliseconds> wait_time(const request& asked);

/// Where a page begins, as `next_cursor` of the page before gave it: `cursor`, empty unless given.
result<std::string> page_start(const request& asked);
std::string cursor_of(std::string_view position);

/// The body as a JSON object; an empty body is an empty object. `known` are the fields it may have.
result<json> object_body(const request& asked, std::span<const std::string_view> known);

/// Who gives an operator's order, and why: the body, of which both parts may be missing. `errc::malformed`
/// where they are longer than is kept.
result<verb_body> verb_of(const request& asked);

} // namespace continuo::http
