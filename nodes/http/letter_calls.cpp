#include "nodes/http/desk.hpp"
#include "nodes/http/opened.hpp"

#include "actors/views.hpp"
#include "engine/dead_letter.hpp"
#include "engine/placement.hpp"

#include <continuo/archive.hpp>

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace continuo::http {

namespace {

using detail::node_runtime;

/// A message that failed for good and waits for a person: a dead letter, or a command that is parked where it
/// failed (`exhausted::park`), whose requester goes on waiting.
struct letter {
  engine::record stored;
  std::string parked_at; ///< the address of the service; empty: it is a dead letter
};

json letter_json(const letter& one, const node_runtime& node, const actors::core& core, bool with_payload) {
  const auto view = actors::letter_view_of(one.stored, core);
  const auto parked = !one.parked_at.empty();
  json made{{"id", view.id},
            {"node", node.config().name},
            {"type", view.type},
            {"from", json_of(view.from)},
            {"to", json_of(view.to)},
            {"reason", view.reason},
            {"attempts", view.attempts},
            {"since", text_of(parked ? one.stored.updated_at : view.since)},
            {"parked", parked},
            {"may_redrive", parked || view.may_redrive}};
  if (with_payload) {
    made["payload"] = view.payload.empty() ? json(nullptr) : json_or_null(view.payload);
  }
  return made;
}

bool is_parked(const engine::record& stored) {
  return stored.kind == engine::record_kind::command && stored.status == instance_status::stuck &&
         stored.failed;
}

std::string no_letter(const std::string& id, const std::string& service) {
  return service.empty() ? fmt::format("there is no dead letter {}", id)
                         : fmt::format("there is no command {} parked at {}", id, service);
}

/// Where letters stand in lists, whichever kind they are: in the order of their ids.
std::string position_of(const std::string& id) {
  return engine::record_key({std::string{engine::dead_letter_type}, id});
}

/// The letter of that id, while nobody redrives it; `errc::not_found`, `errc::conflict`. With a service: the
/// command that is parked there.
result<letter> read_letter(const std::string& id, const std::string& service, const actors::core& core) {
  const auto read = [&](const std::string& type) -> result<std::optional<engine::record>> {
    const auto bytes = core.store->get(engine::record_key({type, id}));
    if (!bytes || !*bytes) {
      return bytes ? result<std::optional<engine::record>>{} : tl::unexpected(bytes.error());
    }
    auto stored = decode<engine::record>(**bytes);
    return stored ? result<std::optional<engine::record>>{std::move(*stored)}
                  : tl::unexpected(stored.error());
  };
  if (service.empty()) {
    auto dead = read(std::string{engine::dead_letter_type});
    if (!dead) {
      return tl::unexpected(dead.error());
    }
    if (*dead) {
      return (*dead)->failed ? result<letter>{letter{std::move(**dead), {}}}
                             : fail(errc::conflict, "it is being redriven already");
    }
  }
  for (const auto& [address, environment] : core.execution_environments) {
    if (!service.empty() && engine::placement::service_of(address) != service) {
      continue;
    }
    auto command = read(address);
    if (!command) {
      return tl::unexpected(command.error());
    }
    if (*command && is_parked(**command)) {
      return letter{std::move(**command), address};
    }
    if (*command && !service.empty()) {
      return fail(errc::conflict, fmt::format("the command {} is not parked at {}", id, service));
    }
  }
  return fail(errc::not_found, no_letter(id, service));
}

// -- GET /api/v1/dead-letters ---------------------------------------------------------------

/// The dead letters of this node alone, without parked commands, which a client finds by their service.
response list_in_bytes(const std::string& after, std::size_t limit, const node_runtime& node,
                       const actors::core& core) {
  letter_page page;
  std::size_t bytes_listed = 0;
  std::string position;
  std::optional<error> wrong;
  const auto scanned = core.store->scan(
      engine::record_prefix(engine::dead_letter_type),
      [&](std::string_view key, std::string_view bytes) {
        const auto stored = decode<engine::record>(bytes);
        if (!stored) {
          wrong = error{errc::corrupt, fmt::format("a dead letter: {}", stored.error().message)};
          return false;
        }
        if (node.ending()) { // it could not say that there is more
          wrong = error{errc::unavailable, "the node is stopping"};
          return false;
        }
        if (page.entries.size() == limit || bytes_listed >= page_bytes_max) {
          page.next = cursor_of(position);
          return false;
        }
        position = key;
        if (stored->failed) {
          page.entries.push_back({cursor_of(key), actors::letter_view_of(*stored, core)});
          bytes_listed += std::max(bytes.size(), page.entries.back().view.payload.size());
        }
        return true;
      },
      after);
  if (!scanned || wrong) {
    return error_response(wrong ? *wrong : scanned.error());
  }
  return in_bytes(page);
}

response list_here(const std::string& after, std::size_t limit, const node_runtime& node,
                   const actors::core& core) {
  const auto letters_prefix = engine::record_prefix(engine::dead_letter_type);
  const auto id_after =
      after.starts_with(letters_prefix) ? after.substr(letters_prefix.size()) : std::string{};
  std::map<std::string, json> found; // by id; one more than fits of each type tells that there is more
  const auto look = [&](const std::string& type, const std::string& parked_at) -> result<void> {
    std::size_t count = 0;
    std::optional<error> wrong;
    const auto scanned = core.store->scan(
        engine::record_prefix(type),
        [&](std::string_view, std::string_view bytes) {
          auto stored = decode<engine::record>(bytes);
          if (!stored) {
            wrong = error{errc::corrupt, fmt::format("a record of {}: {}", type, stored.error().message)};
            return false;
          }
          if (parked_at.empty() ? stored->failed.has_value() : is_parked(*stored)) {
            const auto id = stored->self.key;
            found.emplace(id, letter_json({std::move(*stored), parked_at}, node, core, false));
            ++count;
          }
          if (node.ending()) {
            wrong = error{errc::unavailable, "the node is stopping"};
          }
          return count <= limit && !wrong;
        },
        id_after.empty() ? std::string{} : engine::record_key({type, id_after}));
    return wrong ? tl::unexpected(*wrong) : scanned;
  };
  auto looked = look(std::string{engine::dead_letter_type}, {});
  for (const auto& [address, environment] : core.execution_environments) {
    looked = looked ? look(address, address) : looked;
  }
  if (!looked) {
    return error_response(looked.error());
  }
  auto letters = json::array();
  std::string last;
  for (auto& [id, one] : found) {
    if (letters.size() == limit) {
      break;
    }
    last = id;
    letters.push_back(std::move(one));
  }
  const auto more = found.size() > limit;
  return ok({{"dead_letters", std::move(letters)},
             {"next_cursor", more ? json(cursor_of(position_of(last))) : json(nullptr)}});
}

bool is_page_of_letters(const json& body) {
  return has_text_or_null(body, "next_cursor") &&
         has_list(body, "dead_letters", [](const json& letter) { return has_text(letter, "id"); });
}

response merge_letters(std::vector<part> parts, std::size_t limit) {
  std::multimap<std::string, json> sorted;
  bool more = false;
  for (auto& [node, body] : bodies_of(parts, is_page_of_letters)) {
    more = more || body["next_cursor"].is_string();
    for (auto& letter : body["dead_letters"]) {
      sorted.emplace(cursor_of(position_of(letter["id"].get<std::string>())), std::move(letter));
    }
  }
  more = more || sorted.size() > limit;
  auto letters = json::array();
  std::string last;
  for (auto& [position, letter] : sorted) {
    if (letters.size() == limit) {
      break;
    }
    last = position;
    letters.push_back(std::move(letter));
  }
  // A page that is cut has `limit` letters: each node gives so many, or all that it has.
  return ok({{"dead_letters", std::move(letters)},
             {"next_cursor", more ? json(last) : json(nullptr)},
             {"unreachable", missing_of(parts)}});
}

void list_letters(desk& at, call&& one) {
  constexpr std::array<std::string_view, 2> known{"limit", "cursor"};
  if (auto refusal = unknown_parameter(one.asked, known)) {
    one.done(std::move(*refusal));
    return;
  }
  const auto limit = page_limit(one.asked);
  const auto after = page_start(one.asked);
  if (!limit || !after) {
    one.done(error_response(limit ? after.error() : limit.error()));
    return;
  }
  const auto bytes = one.asked.in_bytes;
  at.gather(
      std::move(one),
      [after = *after, limit = *limit, bytes](const node_runtime& node, const actors::core& core) {
        return bytes ? list_in_bytes(after, limit, node, core) : list_here(after, limit, node, core);
      },
      [limit = *limit, bytes](std::vector<part> parts) {
        return bytes ? merge_pages<letter_page>(parts, limit, [](const std::string&) { return true; })
                     : merge_letters(std::move(parts), limit);
      });
}

// -- one letter -----------------------------------------------------------------------------------

/// A letter's id does not say where it is: every node is asked, and the one that has it answers.
response one_of(std::vector<part> parts, const std::string& none) {
  const auto first = [&](unsigned from, unsigned to) {
    return std::find_if(parts.begin(), parts.end(), [&](const part& one) {
      return one.said && one.said->status >= from && one.said->status < to && one.said->status != 404;
    });
  };
  for (const auto& [from, to] : {std::pair{200u, 300u}, std::pair{400u, 500u}}) {
    if (const auto found = first(from, to); found != parts.end()) {
      return std::move(*found->said);
    }
  }
  for (auto& one : parts) { // one that starts or stops may have it
    if (one.said && one.said->status >= 500) {
      one.said = fail(errc::unavailable, fmt::format("it answered {}", one.said->status));
    }
  }
  const auto missing = missing_of(parts);
  if (missing.empty()) {
    return error_response({errc::not_found, none});
  }
  return error_response(
      {errc::unavailable, fmt::format("{} on any node that can be reached; {} cannot be reached", none,
                                      missing[0]["node"].get<std::string>())});
}

void find(desk& at, call&& one, const std::string& service, desk::part_maker here) {
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  const auto none = no_letter(one.names[0], service);
  at.gather_later(std::move(one), std::move(here),
                  [none](std::vector<part> parts) { return one_of(std::move(parts), none); });
}

void show_letter(desk& at, call&& one) {
  const auto id = one.names[0];
  find(at, std::move(one), {},
       [id](const node_runtime& node, const actors::core& core, const answer&) -> std::optional<response> {
         const auto letter = read_letter(id, {}, core);
         return letter ? ok(letter_json(*letter, node, core, true)) : error_response(letter.error());
       });
}

/// The actor that has the letter answers at the next sync; nothing is answered here.
template <class Request>
std::nullopt_t operate(const caf::actor& whose, Request request, const std::string& id, const answer& done) {
  request.answer = [done, id](const result<void>& said) {
    done(said ? ok({{"id", id}}, 202) : error_response(said.error()));
  };
  caf::anon_send(whose, std::move(request));
  return std::nullopt;
}

std::optional<response> operate_parked(const letter& one, bool discard, const actors::core& core,
                                       const answer& done) {
  const auto service = core.service_actors.find(one.parked_at);
  const auto id = parse_message_id(one.stored.self.key);
  if (service == core.service_actors.end() || !id) {
    return error_response({errc::not_found, fmt::format("nothing here hosts {}", one.parked_at)});
  }
  return operate(service->second, actors::operate_command{*id, discard, {}}, one.stored.self.key, done);
}

/// What is to be done with a letter.
struct wish {
  std::string id;
  std::string service; ///< see `letter_body`
  std::optional<std::string> corrected;
  bool in_bytes = false; ///< the correction; else it is JSON
};

/// Nothing where the call is answered already.
std::optional<wish> read_wish(desk& at, const call& one) {
  const auto& asked = one.asked;
  if (!asked.in_bytes) {
    return wish{one.names[0], {}, asked.body.empty() ? std::nullopt : std::optional{asked.body}, false};
  }
  auto body = decode<letter_body>(asked.body);
  if (!body) {
    one.done(error_response(body.error()));
    return std::nullopt;
  }
  if (!body->service.empty()) {
    auto here = at.open(one.done);
    if (!here) {
      return std::nullopt;
    }
    const auto known = here->core->services.contains(body->service);
    here.reset();
    if (!known) {
      one.done(error_response({errc::unknown_type, "there is no stateless service " + body->service}));
      return std::nullopt;
    }
  }
  return wish{one.names[0], std::move(body->service), std::move(body->corrected), true};
}

result<std::string> corrected_of(const wish& wanted, const std::string& name, const actors::core& core) {
  if (wanted.in_bytes) { // the record's own machine looks at them
    return *wanted.corrected;
  }
  const auto* type = core.types.find(name);
  if (type == nullptr) {
    return fail(errc::unknown_type, fmt::format("the type {} is unknown here", name));
  }
  return type->from_json(*wanted.corrected);
}

std::optional<response> redrive_here(const wish& wanted, const actors::core& core, const answer& done) {
  const auto found = read_letter(wanted.id, wanted.service, core);
  if (!found) {
    return error_response(found.error());
  }
  if (!found->parked_at.empty()) {
    return !wanted.corrected
               ? operate_parked(*found, false, core, done)
               : error_response({errc::conflict, "a parked command runs again as it was sent, since its "
                                                 "requester waits for that: give no corrected payload"});
  }
  const instance_id dead{std::string{engine::dead_letter_type}, wanted.id};
  actors::redrive request{dead, std::nullopt, {}};
  if (wanted.corrected) {
    auto corrected = corrected_of(wanted, found->stored.failed->type, core);
    if (!corrected) {
      return error_response(corrected.error());
    }
    request.corrected = std::move(*corrected);
  }
  return operate(core.home_of(dead), std::move(request), wanted.id, done);
}

std::optional<response> discard_here(const wish& wanted, const actors::core& core, const answer& done) {
  const auto found = read_letter(wanted.id, wanted.service, core);
  if (!found) {
    return error_response(found.error());
  }
  const instance_id dead{std::string{engine::dead_letter_type}, wanted.id};
  return found->parked_at.empty()
             ? operate(core.home_of(dead), actors::discard_letter{dead, {}}, wanted.id, done)
             : operate_parked(*found, true, core, done);
}

template <std::optional<response> (*Here)(const wish&, const actors::core&, const answer&)>
void act_on_letter(desk& at, call&& one) {
  const auto wanted = read_wish(at, one);
  if (!wanted) {
    return;
  }
  find(at, std::move(one), wanted->service,
       [wanted = *wanted](const node_runtime&, const actors::core& core, const answer& done) {
         return Here(wanted, core, done);
       });
}

} // namespace

std::span<const route> letter_routes() {
  static constexpr std::array routes{
      route{"GET", "/api/v1/dead-letters", list_letters},
      route{"GET", "/api/v1/dead-letters/{}", show_letter},
      route{"POST", "/api/v1/dead-letters/{}/redrive", act_on_letter<redrive_here>},
      route{"DELETE", "/api/v1/dead-letters/{}", act_on_letter<discard_here>},
  };
  return routes;
}

} // namespace continuo::http
