#include "nodes/http/desk.hpp"
#include "nodes/http/opened.hpp"

#include "config/nearest.hpp"

#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

// POST /api/v1/services/{name}/pause and /resume
namespace continuo::http {

namespace {

using detail::node_runtime;
using engine::service_pause;

/// Why there is no service of that name to pause; nothing where there is one.
std::optional<error> no_service(const std::string& name, const actors::core& core) {
  if (core.services.contains(name)) {
    return std::nullopt;
  }
  if (core.keyed_services.contains(name) || core.sagas.contains(name)) {
    return error{errc::conflict, fmt::format("{} is a {}: only stateless services are paused", name,
                                             core.sagas.contains(name) ? "saga" : "keyed service")};
  }
  std::vector<std::string_view> known;
  for (const auto& [service, definition] : core.services) {
    known.push_back(service);
  }
  return error{errc::unknown_type,
               fmt::format("there is no service {}; {}", name, config::suggestion(name, known))};
}

json word_json(const service_pause& said) {
  return {{"service", said.service},
          {"paused", said.paused},
          {"who", said.who},
          {"note", said.note},
          {"at", text_of(said.at)}};
}

/// Has this node keep the word, and answers when that is durable.
std::optional<response> keep_here(const pause_body& word, const actors::core& core, const answer& done) {
  if (auto why = no_service(word.said.service, core)) {
    return error_response(*why);
  }
  caf::anon_send(core.pauses, actors::hear_of_pause{
                                  word.said, word.told, [done, said = word.said](const result<void>& kept) {
                                    done(kept ? ok(word_json(said), 202) : error_response(kept.error()));
                                  }});
  return std::nullopt;
}

/// The word holds as soon as one node has it; those that could not be told hear of it when they are
/// connected.
response merge_kept(std::vector<part> parts, const service_pause& said) {
  std::optional<error> first;
  std::size_t kept = 0;
  for (auto& one : parts) {
    if (one.said && one.said->status < 300) {
      ++kept;
      continue;
    }
    if (one.said) {
      one.said = tl::unexpected(error_of(*one.said));
    }
    first = first ? first : one.said.error();
  }
  if (kept == 0) {
    return error_response(*first);
  }
  auto body = word_json(said);
  body["unreachable"] = missing_of(parts);
  return ok(body, 202);
}

/// What another node says, which may run another program. `errc::malformed` where nobody can have said it.
result<pause_body> word_of_peer(const request& asked, const std::string& service, bool pauses) {
  auto word = decode<pause_body>(asked.body);
  if (word && (word->said.service != service || word->said.paused != pauses ||
               word->said.who.size() > engine::operator_bytes_max ||
               word->said.note.size() > engine::note_bytes_max || word->said.at == time_point::max())) {
    return fail(errc::malformed, "what is said of the service contradicts itself, or is too long");
  }
  return word;
}

/// The word of an operator of this moment.
result<pause_body> word_of_operator(const request& asked, const std::string& service, bool pauses,
                                    const actors::core& core) {
  if (auto why = no_service(service, core)) {
    return tl::unexpected(std::move(*why));
  }
  return verb_of(asked).map([&](verb_body said) {
    service_pause word{service, pauses, std::move(said.who), std::move(said.note), core.time->now().wall};
    const auto known = core.paused.last_of(service);
    return pause_body{known ? engine::given_after(std::move(word), *known) : std::move(word), false};
  });
}

template <bool Pauses>
void say(desk& at, call&& one) {
  if (auto refusal = unknown_parameter(one.asked, {})) {
    one.done(std::move(*refusal));
    return;
  }
  const auto service = one.names[0];
  auto word = result<pause_body>{tl::in_place};
  if (one.passed_on) {
    word = word_of_peer(one.asked, service, Pauses);
  } else {
    const auto here = at.open(one.done);
    if (!here) {
      return;
    }
    word = word_of_operator(one.asked, service, Pauses, *here->core);
  }
  if (!word) {
    one.done(error_response(word.error()));
    return;
  }
  one.asked.body = encode(*word); // the same word for all nodes
  one.asked.in_bytes = true;
  at.gather_later(
      std::move(one),
      [word = *word](const node_runtime&, const actors::core& core, const answer& done) {
        return keep_here(word, core, done);
      },
      [said = word->said](std::vector<part> parts) { return merge_kept(std::move(parts), said); });
}

} // namespace

std::span<const route> service_routes() {
  static constexpr std::array routes{
      route{"POST", "/api/v1/services/{}/pause", say<true>},
      route{"POST", "/api/v1/services/{}/resume", say<false>},
  };
  return routes;
}

} // namespace continuo::http
