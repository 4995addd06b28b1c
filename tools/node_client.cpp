#include "tools/node_client.hpp"

#include "config/cluster_file.hpp"
#include "config/http_url.hpp"
#include "tools/json_text.hpp"
#include "tools/report.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <thread>

namespace continuo::tools {

namespace {

using config::percent_encoded;

using nlohmann::json;
using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr milliseconds patience_for_an_answer = 30s;
constexpr milliseconds grace = 5s;       // of a wait whose time is over: the last answer may be on its way
constexpr milliseconds wait_max = 30s;   // in one call; nodes allow 60 s
constexpr milliseconds wait_min = 200ms; // between two calls that wait, however fast the node answers

result<node_address> first_with_http(const config::cluster_file& file, const std::string& name) {
  for (const auto& node : file.nodes) {
    if (node.seen_by_peers.http) {
      return address_of(node);
    }
  }
  return fail(errc::invalid_configuration,
              fmt::format("no node of {} has an http address: name one with --node", name));
}

/// What to print of an answer that is no JSON.
std::string first_line(std::string_view body) {
  return printable(body.substr(0, std::min<std::size_t>(body.find_first_of("\r\n"), 200)));
}

} // namespace

// -- node_client ---------------------------------------------------------------------------------------

result<node_client> node_client::open(const node_options& chosen) {
  node_client made;
  const auto known = read_known_cluster(chosen.file);
  if (!known && (chosen.node.empty() || !chosen.file.empty())) { // else it has only been found there
    return tl::unexpected(known.error());
  }
  auto at = result<node_address>{};
  if (!chosen.node.empty()) {
    at = find_address(known.value_or(std::nullopt), chosen.node);
  } else if (*known) {
    made.file_ = chosen.file.empty() ? std::string{default_configuration} : chosen.file.string();
    at = first_with_http(**known, made.file_);
  } else {
    at = fail(
        errc::invalid_configuration,
        "which node? name one with --node http://HOST:PORT or in CONTINUO_NODE, or the cluster file with "
        "--config, or run this in the folder of continuo.conf");
  }
  if (!at) {
    return tl::unexpected(at.error());
  }
  made.at_ = *at;
  if (!chosen.token_file.empty()) {
    made.at_.token_file = chosen.token_file;
    made.at_.token_may_be_missing = false;
    made.at_.token_is_chosen = true;
  }
  return made;
}

result<node_answer> node_client::get(const std::string& target, const char* field) const {
  return call("GET", target, field);
}

result<node_answer> node_client::call(const std::string& method, const std::string& target, const char* field,
                                      const std::string& body,
                                      std::vector<std::pair<std::string, std::string>> headers) const {
  auto answer = exchange({method, target, std::move(headers), body}, patience_for_an_answer);
  if (!answer) {
    return tl::unexpected(unreachable(answer.error()));
  }
  return read(std::move(*answer), field);
}

result<node_answer> node_client::wait(const std::string& target, milliseconds patience,
                                      const std::string& what) const {
  const auto deadline = steady::now() + patience;
  progress_line progress;
  std::optional<node_answer> last;
  for (;;) {
    const auto begun = steady::now();
    const auto left = std::max(0ms, std::chrono::ceil<milliseconds>(deadline - begun));
    const auto slice = std::min({left, wait_max, progress.visible() ? milliseconds{1s} : wait_max});
    auto answer = exchange({"GET", target + fmt::format("?wait={}ms", slice.count()), {}, {}},
                           std::min(slice + patience_for_an_answer, left + grace));
    auto got = answer ? read(std::move(*answer), "status") : tl::unexpected(unreachable(answer.error()));
    const auto may_come_back = !got && got.error().code == errc::unavailable && last;
    if (!got && !may_come_back) {
      return got;
    }
    if (got) {
      last = std::move(*got);
      if (last->status == 200) {
        return *last;
      }
    }
    if (steady::now() >= deadline) {
      return *last;
    }
    progress.show(fmt::format("waiting for {}{}", what, got ? "" : ": " + got.error().message));
    std::this_thread::sleep_until(std::min(deadline, begun + (got ? wait_min : milliseconds{1s})));
  }
}

error node_client::follow(const std::string& target, std::vector<std::pair<std::string, std::string>> headers,
                          const std::function<void(std::string_view)>& line) const {
  std::string rest;
  const auto take = [&](std::string_view part) {
    rest += part;
    std::size_t begin = 0;
    for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      const auto whole = std::string_view{rest}.substr(begin, end - begin);
      line(whole.substr(0, whole.find_last_not_of('\r') + 1));
      begin = end + 1;
    }
    rest.erase(0, begin);
  };
  auto answer = http_stream(at_, {"GET", target, std::move(headers), {}}, patience_for_an_answer, take);
  if (!answer) {
    return unreachable(answer.error());
  }
  const auto read_answer = read(std::move(*answer), nullptr);
  return read_answer ? error{errc::unavailable, text_of(at_) + " does not send events: is it a node?"}
                     : read_answer.error();
}

result<http_answer> node_client::exchange(const http_request& asked, milliseconds patience) const {
  return http_call(at_, asked, patience);
}

result<node_answer> node_client::read(http_answer answer, const char* field) const {
  node_answer made{answer.status, json::parse(answer.body, nullptr, false), std::move(answer.body)};
  if (answer.status / 100 == 2) {
    if (made.json.is_discarded()) {
      return fail(errc::conflict, fmt::format("{} answers with what is no JSON (\"{}\"): is it a node?",
                                              text_of(at_), first_line(made.text)));
    }
    if (field != nullptr && (!made.json.is_object() || made.json.value(field, json{}).is_null())) {
      return fail(errc::conflict,
                  fmt::format("{} answers with what no node says (\"{}\" has no {}): is it a node?",
                              text_of(at_), first_line(made.text), field));
    }
    return made;
  }
  auto message = made.json.is_object() && made.json.contains("error")
                     ? printable(text_at(made.json["error"], "message"))
                     : std::string{};
  if (message.empty()) {
    message = fmt::format("{} answers {} {}", text_of(at_), answer.status, first_line(made.text));
  }
  if (answer.status == 401) {
    message += token_advice();
  }
  if (!answer.retry_after.empty()) {
    message += fmt::format(" (try again after {} s)", printable(answer.retry_after));
  }
  const auto comes_back = answer.status == 503 || answer.status == 429;
  return fail(comes_back ? errc::unavailable : errc::conflict, std::move(message));
}

std::string node_client::token_advice() const {
  if (at_.token_is_chosen) {
    return " (the one of --token-file does not fit)";
  }
  return at_.token_file.empty()
             ? " (give the token with --token-file, or with --config the cluster file in which the node "
               "stands)"
             : fmt::format(" (the one in {} is missing, or the node has started with another one)",
                           at_.token_file.string());
}

error node_client::unreachable(const error& why) const {
  if (why.code != errc::unavailable) { // it was not asked
    return why;
  }
  return {errc::unavailable, fmt::format("{}; is the node up? `continuo cluster status {}` shows it",
                                         why.message, file_.empty() ? "FILE" : file_)};
}

// -- what commands share -------------------------------------------------------------------------------

std::string query(const std::vector<std::pair<std::string, std::string>>& values) {
  std::string made;
  for (const auto& [name, value] : values) {
    if (!value.empty()) {
      made += fmt::format("{}{}={}", made.empty() ? '?' : '&', name, percent_encoded(value));
    }
  }
  return made;
}

std::string instance_path(const instance_options& chosen) {
  return fmt::format("/api/v1/instances/{}/{}", percent_encoded(chosen.type), percent_encoded(chosen.key));
}

void print_json(const node_answer& answer) {
  fmt::print("{}{}", answer.text, answer.text.ends_with('\n') ? "" : "\n");
}

int ask_and_show(const node_options& chosen,
                 const std::function<result<node_answer>(const node_client&)>& ask,
                 const std::function<void(const json&)>& show) {
  const auto node = node_client::open(chosen);
  if (!node) {
    return refuse(node.error());
  }
  const auto answer = ask(*node);
  if (!answer) {
    return refuse(answer.error());
  }
  if (chosen.json) {
    print_json(*answer);
  } else {
    show(answer->json);
  }
  remark_unreachable(answer->json);
  return 0;
}

int show_list(const node_options& chosen, const page_options& page, const std::string& target,
              std::vector<std::pair<std::string, std::string>> values, const list_view& view) {
  const auto node = node_client::open(chosen);
  if (!node) {
    return refuse(node.error());
  }
  const auto limit = page.limit != 0 ? page.limit : page.all ? page_size_max : 0;
  values.emplace_back("limit", limit == 0 ? "" : std::to_string(limit));
  values.emplace_back("cursor", page.cursor);
  auto& cursor = values.back().second;
  table rows{view.headings};
  std::size_t count = 0;
  json incomplete; // the answer that misses nodes
  std::optional<error> failed;
  std::optional<progress_line> progress{std::in_place};
  for (bool more = true; more;) {
    const auto answer = node->get(target + query(values), view.list);
    if (!answer) {
      failed = answer.error();
      break;
    }
    if (chosen.json) {
      print_json(*answer);
    }
    for (const auto& entry : list_at(answer->json, view.list)) {
      ++count;
      if (!chosen.json) {
        rows.add(view.row(entry));
      }
    }
    if (!list_at(answer->json, "unreachable").empty()) {
      incomplete = answer->json;
    }
    auto next = text_at(answer->json, "next_cursor");
    more = page.all && !next.empty() && next != cursor;
    cursor = std::move(next);
    progress->show(fmt::format("{} so far", count));
  }
  progress.reset();
  if (!rows.empty()) {
    fmt::print("{}", rows.text());
  } else if (!failed && !chosen.json) {
    fmt::print("{}\n", view.none);
  }
  remark_unreachable(incomplete);
  if (failed) {
    std::fflush(stdout);
    return refuse(*failed);
  }
  if (!page.all && !cursor.empty() && !chosen.json) {
    remark(fmt::format("there is more: add --all, or --cursor {}", printable(cursor)));
  }
  return 0;
}

} // namespace continuo::tools
