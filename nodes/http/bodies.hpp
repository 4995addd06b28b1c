#pragma once

#include "engine/service_pause.hpp"

#include <continuo/client.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What calls of `continuo::client` carry in place of JSON, also from node to node: see `request::in_bytes`.
/// A call that answers with one of the client's own types sends just that.
namespace continuo::http {

// -- pages ---------------------------------------------------------------------------------------
// `next` is the cursor of the next page; empty where this is the last. `position` is one as well: where the
// entry stands among those of all nodes.

struct listed_instance {
  std::string position;
  instance_view view;

  CONTINUO_FIELDS(listed_instance, position, view)
};

struct instance_page {
  std::vector<listed_instance> entries;
  std::string next;

  CONTINUO_FIELDS(instance_page, entries, next)
};

struct listed_letter {
  std::string position;
  dead_letter_view view;

  CONTINUO_FIELDS(listed_letter, position, view)
};

struct letter_page {
  std::vector<listed_letter> entries;
  std::string next;

  CONTINUO_FIELDS(letter_page, entries, next)
};

struct history_page {
  std::vector<history_view> entries;
  std::string next;

  CONTINUO_FIELDS(history_page, entries, next)
};

/// Of the states and payloads in one page.
constexpr std::size_t page_bytes_max = 4u << 20;

// -- wishes --------------------------------------------------------------------------------------
struct event_body {
  std::string payload;
  bool wait_for_room = false;

  CONTINUO_FIELDS(event_body, payload, wait_for_room)
};

struct verb_body {
  std::string who;
  std::string note;

  CONTINUO_FIELDS(verb_body, who, note)
};

/// What an operator has said of a service, from node to node.
struct pause_body {
  engine::service_pause said;
  bool told = false; ///< by a node that knows of it, and not just now

  CONTINUO_FIELDS(pause_body, said, told)
};

struct letter_body {
  std::string service; ///< a command that is parked there is meant; empty: a dead letter
  std::optional<std::string> corrected;

  CONTINUO_FIELDS(letter_body, service, corrected)
};

// -- answers -------------------------------------------------------------------------------------
/// As `command_result`, whose enum has no name in bytes.
struct command_end {
  message_id id;
  std::optional<std::uint8_t> failed;
  std::string reason;
  std::string reply_type;
  std::string payload;

  CONTINUO_FIELDS(command_end, id, failed, reason, reply_type, payload)
};

} // namespace continuo::http
