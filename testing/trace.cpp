#include "testing/trace.hpp"

#include "engine/mix.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace continuo::testing {

namespace {

/// FNV-1a (Fowler, Noll, Vo, 1991).
std::uint64_t fnv(std::uint64_t hash, std::string_view text) {
  for (const char byte : text) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  }
  return (hash ^ 0xff) * 0x100000001b3ULL; // "ab", "c" is not "a", "bc"
}

std::string time_text(std::int64_t at_ns) {
  return fmt::format("{:.6f}s", static_cast<double>(at_ns) / 1e9);
}

const char* mark_of(event_kind kind) {
  switch (kind) {
  case event_kind::life:
    return "**";
  case event_kind::fault:
    return "!!";
  case event_kind::write:
    return "  ";
  case event_kind::sync:
    return "==";
  case event_kind::send:
    return "->";
  case event_kind::arrive:
    return "<-";
  case event_kind::lost:
    return "-x";
  case event_kind::handler:
    return "()";
  case event_kind::client:
    break;
  }
  return "::";
}

/// Text that Mermaid takes for nothing but text.
std::string plain(std::string_view text) {
  std::string safe;
  for (const char letter : text) {
    safe += letter == ';' || letter == '#' || letter == ':' || letter == '\n' ? ' ' : letter;
  }
  return safe;
}

} // namespace

std::string list_of(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size();) {
    auto next = i;
    while (next < words.size() && words[next] == words[i]) {
      ++next;
    }
    text += (text.empty() ? "" : ", ") + words[i];
    if (next - i > 1) {
      text += fmt::format(" ({} times)", next - i);
    }
    i = next;
  }
  return text;
}

void trace::add(event one) {
  hash_ = engine::mixed(
      fnv(fnv(fnv(hash_ ^ static_cast<std::uint64_t>(one.at_ns), one.node), one.peer), one.text) +
      static_cast<std::uint64_t>(one.kind));
  if (events_.size() == kept_max) {
    events_.pop_front();
    ++left_out_;
  }
  events_.push_back(std::move(one));
}

void trace::count(std::uint64_t what) {
  hash_ = engine::mixed(hash_ + 0x9e3779b97f4a7c15ULL + what);
}

std::string trace::text() const {
  std::string lines =
      left_out_ == 0 ? std::string{} : fmt::format("({} earlier lines are left out)\n", left_out_);
  for (const auto& one : events_) {
    fmt::format_to(std::back_inserter(lines), "{:>12} {:<10} {} {}{}{}\n", time_text(one.at_ns), one.node,
                   mark_of(one.kind), one.peer, one.peer.empty() ? "" : ": ", one.text);
  }
  return lines;
}

std::string trace::mermaid() const {
  std::string lines = "sequenceDiagram\n";
  std::vector<std::string> names;
  for (const auto& one : events_) {
    for (const auto& name : {one.node, one.peer}) {
      if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
      }
    }
  }
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    fmt::format_to(std::back_inserter(lines), "  participant {}\n", name);
  }
  const auto to = std::back_inserter(lines);
  for (const auto& one : events_) {
    const auto text = plain(one.text);
    switch (one.kind) {
    case event_kind::arrive:
      fmt::format_to(to, "  {}->>{}: {}\n", one.peer, one.node, text);
      break;
    case event_kind::lost:
      fmt::format_to(to, "  {}-x{}: {}\n", one.peer, one.node, text);
      break;
    case event_kind::send:
    case event_kind::sync:
      break; // seen where it arrives; the transitions say what was durable
    case event_kind::write:
      fmt::format_to(to, "  {}->>{}: durable  {}\n", one.node, one.node, text);
      break;
    default:
      fmt::format_to(to, "  Note over {}: {} {}\n", one.node.empty() ? names.front() : one.node,
                     plain(time_text(one.at_ns)), text);
      break;
    }
  }
  return lines;
}

} // namespace continuo::testing
