#include "messages/frame_bounds.hpp"

#include "messages/printable.hpp"

#include <fmt/format.h>

#include <string_view>

namespace continuo::messages {

namespace {

/// The name of a stateless service on a node is `name@node`.
constexpr std::size_t address_bytes_max = 2 * name_bytes_max + 1;
constexpr std::size_t idempotency_key_bytes_max = 65'536; // one that was redriven often is long
constexpr std::size_t reason_bytes_max = 65'536;
constexpr std::size_t hosts_max = 100'000;
constexpr std::size_t stores_max = 10'000;
constexpr std::size_t items_max = 100'000;
constexpr std::size_t ancestors_max = 100; // of which a saga accepts fewer

/// Keeps the first bound that was passed.
class checker {
public:
  void text(std::string_view what, std::string_view of, std::size_t bytes_max, bool printed = true) {
    if (of.size() > bytes_max) {
      object(fmt::format("{} has {} bytes, {} are allowed", what, of.size(), bytes_max));
    } else if (printed && !is_printable(of)) {
      object(fmt::format("{} has characters that cannot be shown", what));
    }
  }

  void count(std::string_view what, std::size_t of, std::size_t most) {
    if (of > most) {
      object(fmt::format("{} {}, {} are allowed", of, what, most));
    }
  }

  void address(const instance_id& of) {
    text("the name of an instance's type", of.type, address_bytes_max);
    text("an instance's key", of.key, key_bytes_max);
  }

  void item(const envelope& message) {
    address(message.from);
    address(message.to);
    text("the name of a message's type", message.type, type_bytes_max);
    text("an idempotency key", message.idempotency_key, idempotency_key_bytes_max, false);
    text("a traceparent", message.trace, name_bytes_max, false);
    count("ancestors", message.ancestors.size(), ancestors_max);
    for (const auto& one : message.ancestors) {
      address(one);
    }
  }

  template <class Item>
  void item(const Item& said) {
    address(said.from);
    address(said.to);
  }

  void greeted(const greeting& me) {
    text("the cluster's name", me.cluster, type_bytes_max, false);
    text("a node's name", me.from, name_bytes_max);
    text("a node's name", me.to, name_bytes_max);
    text("the program's version", me.version, type_bytes_max, false);
    count("hosts", me.hosts.size(), hosts_max);
    for (const auto& host : me.hosts) {
      text("a host's name", host, address_bytes_max);
    }
    if (me.yours) {
      count("former stores", me.yours->former.size(), stores_max);
    }
  }

  void operator()(const hello& said) { greeted(said.me); }
  void operator()(const welcome& said) { greeted(said.me); }
  void operator()(const refusal& said) { text("a reason", said.reason, reason_bytes_max, false); }
  void operator()(const batch& said) {
    count("messages in a batch", said.items.size(), items_max);
    for (const auto& one : said.items) {
      std::visit([&](const auto& it) { item(it); }, one);
    }
  }
  void operator()(const question& said) { text("a question", said.text, question_bytes_max, false); }
  void operator()(const answer&) {} // as long as a frame may be

  const std::string& objection() const { return objection_; }

private:
  void object(std::string what) {
    if (objection_.empty()) {
      objection_ = std::move(what);
    }
  }

  std::string objection_;
};

} // namespace

result<void> check_bounds(const frame& said) {
  checker check;
  std::visit(check, said.body);
  if (!check.objection().empty()) {
    return fail(errc::malformed, check.objection());
  }
  return {};
}

result<frame> read_frame(std::string_view bytes) {
  auto read = decode_from_peer<frame>(bytes);
  if (read) {
    if (auto kept = check_bounds(*read); !kept) {
      return tl::unexpected(std::move(kept.error()));
    }
  }
  return read;
}

} // namespace continuo::messages
