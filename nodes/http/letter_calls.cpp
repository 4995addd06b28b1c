#include "nodes/http/desk.hpp"
#include "nodes/http/opened.hpp"

#include "actors/views.hpp"
#include "engine/dead_letter.hpp"

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

json letter_json(const engine::record& stored, const node_runtime& node, const actors::core& core,
                 bool with_payload) {
  const auto view = actors::letter_view_of(stored, core);
  json made{{"id", view.id},
            {"node", node.config().name},
            {"type", view.type},
            {"from", json_of(view.from)},
            {"to", json_of(view.to)},
            {"reason", view.reason},
            {"attempts", view.attempts},
            {"since", text_of(view.since)},
            {"may_redrive", view.may_redrive}};
  if (with_payload) {
    made["payload"] = view.payload.empty() ? json(nullptr) : json_or_null(view.payload);
  }
  return made;
}

/// The letter of that id, while nobody redrives it; `errc::not_found`, `errc::conflict`.
result<engine::record> read_letter(const std::string& id, const actors::core& core) {
  const auto bytes = core.store->get(engine::record_key({std::string{engine::dead_letter_type}, id}));
  if (!bytes || !*bytes) {
    return bytes ? fail(errc::not_found, fmt::format("there is no dead letter {}", id))
                 : tl::unexpected(bytes.error());
  }
  auto stored = decode<engine::record>(**bytes);
  if (stored && !stored->failed) {
    return fail(errc::conflict, "it is being redriven already");
  }
  return stored;
}

// -- GET /api/v1/dead-letters ---------------------------------------------------------------

response list_here(const std::string& after, std::size_t limit, const node_runtime& node,
                   const actors::core& core) {
  auto letters = json::array();
  std::string position;
  bool more = false;
  std::optional<error> wrong;
  const auto scanned = core.store->scan(
      engine::record_prefix(engine::dead_letter_type),
      [&](std::string_view key, std::string_view bytes) {
        const auto stored = decode<engine::record>(bytes);
        if (!stored) {
          wrong = error{errc::corrupt, "a dead letter: " + stored.error().message};
          return false;
        }
        if (!stored->failed) {
          return true;
        }
        if (letters.size() == limit) {
          more = true;
          return false;
        }
        position = key;
        letters.push_back(letter_json(*stored, node, core, false));
        return true;
      },
      after);
  if (!scanned || wrong) {
    return error_response(wrong ? *wrong : scanned.error());
  }
  return ok({{"dead_letters", std::move(letters)},
             {"next_cursor", more ? json(cursor_of(position)) : json(nullptr)}});
}

response merge_lists(std::vector<part> parts, std::size_t limit) {
  std::multimap<std::string, json> sorted;
  bool more = false;
  for (auto& [node, body] : bodies_of(parts)) {
    more = more || body["next_cursor"].is_string();
    for (auto& letter : body["dead_letters"]) {
      const instance_id id{std::string{engine::dead_letter_type}, letter["id"].get<std::string>()};
      sorted.emplace(cursor_of(engine::record_key(id)), std::move(letter));
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

void list(desk& at, call&& one) {
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
  at.gather(
      std::move(one),
      [after = *after, limit = *limit](const node_runtime& node, const actors::core& core) {
        return list_here(after, limit, node, core);
      },
      [limit = *limit](std::vector<part> parts) { return merge_lists(std::move(parts), limit); });
}

// -- one letter -----------------------------------------------------------------------------------

/// A letter's id does not say where it is: every node is asked, and the one that has it answers.
response one_of(std::vector<part> parts, const std::string& id) {
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
    return error_response({errc::not_found, fmt::format("there is no dead letter {}", id)});
  }
  return error_response(
      {errc::unavailable,
       fmt::format("no node that can be reached has the dead letter {}; {} cannot be reached", id,
                   missing[0]["node"].get<std::string>())});
}

void find(desk& at, call&& one, std::function<response(const node_runtime&, actors::core&)> here) {
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  const auto id = one.names[0];
  at.gather(std::move(one), std::move(here),
            [id](std::vector<part> parts) { return one_of(std::move(parts), id); });
}

void show(desk& at, call&& one) {
  const auto id = one.names[0];
  find(at, std::move(one), [id](const node_runtime& node, const actors::core& core) {
    const auto letter = read_letter(id, core);
    return letter ? ok(letter_json(*letter, node, core, true)) : error_response(letter.error());
  });
}

/// Blocks a thread that may until the actor of the letters has answered, which it does at the next sync.
template <class Request>
response operate(actors::core& core, Request request, const std::string& id) {
  const auto verdict = std::make_shared<detail::kept_promise<void>>();
  auto future = verdict->future();
  request.answer = [verdict](result<void> said) { verdict->keep(std::move(said)); };
  caf::anon_send(core.letters, std::move(request));
  if (future.wait_for(peer_patience) != std::future_status::ready) {
    return error_response(
        {errc::unavailable, "the node took too long: look whether the letter is there still"});
  }
  const auto said = future.get();
  return said ? ok({{"id", id}}, 202) : error_response(said.error());
}

void redrive(desk& at, call&& one) {
  const auto id = one.names[0];
  find(at, std::move(one), [id, body = one.asked.body](const node_runtime&, actors::core& core) {
    const auto letter = read_letter(id, core);
    if (!letter) {
      return error_response(letter.error());
    }
    actors::redrive request{id, std::nullopt, {}};
    if (!body.empty()) {
      const auto* type = core.types.find(letter->failed->type);
      auto corrected =
          type != nullptr
              ? type->from_json(body)
              : result<std::string>{fail(errc::unknown_type,
                                         fmt::format("the type {} is unknown here", letter->failed->type))};
      if (!corrected) {
        return error_response(corrected.error());
      }
      request.corrected = std::move(*corrected);
    }
    return operate(core, std::move(request), id);
  });
}

void discard(desk& at, call&& one) {
  const auto id = one.names[0];
  find(at, std::move(one), [id](const node_runtime&, actors::core& core) {
    const auto letter = read_letter(id, core);
    return letter ? operate(core, actors::discard_letter{id, {}}, id) : error_response(letter.error());
  });
}

constexpr std::array routes{
    route{"GET", "/api/v1/dead-letters", list},
    route{"GET", "/api/v1/dead-letters/{}", show},
    route{"POST", "/api/v1/dead-letters/{}/redrive", redrive},
    route{"DELETE", "/api/v1/dead-letters/{}", discard},
};

} // namespace

std::span<const route> letter_routes() {
  return routes;
}

} // namespace continuo::http
