#include "nodes/pauses.hpp"

#include "actors/waiting.hpp"
#include "engine/placement.hpp"
#include "nodes/http/bodies.hpp"
#include "nodes/http/desk.hpp"

#include <continuo/archive.hpp>

#include <caf/send.hpp>

#include <fmt/format.h>

#include <utility>

namespace continuo::nodes {

namespace {

using pauses = caf::stateful_actor<pauses_state>;
using actors::core;
using engine::service_pause;

constexpr std::chrono::seconds tell_again_after{1};

void on_word(pauses* self, core& shared, actors::hear_of_pause& heard) {
  auto& last = self->state.last;
  auto& said = heard.said;
  const auto known = last.find(said.service);
  if (!heard.told && known != last.end()) {
    said = engine::given_after(std::move(said), known->second);
  }
  const auto holds = known == last.end() || engine::is_newer(said, known->second);
  if (!holds) {
    said = known->second; // it was handed to the journal before: the answer waits for that
  }
  journal::commit commit;
  commit.revision = shared.next_revision();
  if (holds) {
    last.insert_or_assign(said.service, said);
    commit.operations.push_back(
        {journal::operation::kind::put, engine::pause_key(said.service), encode(said)});
  }
  commit.releases.push_back(
      {caf::actor_cast<caf::actor>(self),
       caf::make_message(actors::pause_written{std::move(said), std::move(heard.answer)})});
  self->send(shared.journal, std::move(commit));
}

/// Tells the peer all that is known: where it knows better, it says nothing; its own words come from it.
void tell(pauses* self, const core& shared, const std::string& peer) {
  const auto link = shared.links.find(peer);
  if (link == shared.links.end()) {
    return;
  }
  for (const auto& said : shared.paused.all()) {
    http::request asked;
    asked.method = "POST";
    asked.segments = {"api", "v1", "services", said.service, said.paused ? "pause" : "resume"};
    asked.path = fmt::format("/{}", fmt::join(asked.segments, "/"));
    asked.body = encode(http::pause_body{said, true});
    asked.in_bytes = true;
    self->send(
        link->second,
        actors::ask_peer{
            encode(asked), http::peer_patience,
            [me = caf::actor_cast<caf::weak_actor_ptr>(self), peer](const result<std::string>& answer) {
              const auto read = [](const std::string& bytes) {
                return messages::decode_from_peer<http::response>(bytes);
              };
              auto said = answer.and_then(read);
              if (said && said->status >= 300) {
                said = tl::unexpected(http::error_of(*said));
              }
              if (const auto alive = caf::actor_cast<caf::actor>(me)) {
                caf::anon_send(alive, actors::pause_told{peer, said.map([](const http::response&) {})});
              }
            }});
  }
}

/// What is new here is told to all that are up: one of them may have begun while it was on its way.
void on_written(pauses* self, core& shared, const actors::pause_written& written) {
  const auto& said = written.said;
  const auto known = shared.paused.last_of(said.service);
  if (!known || engine::is_newer(said, *known)) {
    shared.paused.set(said);
    for (const auto& [peer, link] : shared.links) {
      if (shared.peers.is_up(peer)) {
        tell(self, shared, peer);
      }
    }
    shared.log(log_level::info, said.paused ? fmt::format("{} is {}", said.service, engine::to_sentence(said))
                                            : fmt::format("{} is resumed{}{}", said.service,
                                                          said.who.empty() ? "" : " by ", said.who));
  }
  const auto service =
      shared.service_actors.find(engine::placement::address_on(said.service, shared.routes.where().here()));
  if (service == shared.service_actors.end()) { // it runs elsewhere
    written.answer({});
  } else {
    caf::anon_send(service->second, actors::pause_changed{written.answer});
  }
}

} // namespace

result<void> read_pauses(core& shared) {
  result<void> outcome;
  auto read = shared.store->scan(engine::pause_prefix, [&](std::string_view key, std::string_view bytes) {
    auto said = decode<service_pause>(bytes);
    if (said && engine::pause_key(said->service) == key) {
      shared.paused.set(std::move(*said));
      return true;
    }
    outcome = fail(said ? errc::corrupt : said.error().code,
                   fmt::format("the pause of a service, under {}: {}", key,
                               said ? "it is of another service" : said.error().message));
    return false;
  });
  return read ? outcome : read;
}

caf::behavior pauses_actor(pauses* self, std::shared_ptr<core> shared) {
  actors::fail_node_on_trouble(self, shared);
  for (auto& said : shared->paused.all()) {
    auto service = said.service;
    self->state.last.emplace(std::move(service), std::move(said));
  }
  return {
      [self, shared](actors::hear_of_pause& heard) { on_word(self, *shared, heard); },
      [self, shared](const actors::pause_written& written) { on_written(self, *shared, written); },
      [self, shared](const actors::peer_began& began) {
        self->state.tells_again.erase(began.peer);
        tell(self, *shared, began.peer);
      },
      [self, shared](const actors::pause_told& told) {
        // One that is lost with its connection is told again on the next one; one that cannot read it never.
        const auto refuses =
            !told.said &&
            (told.said.error().code == errc::malformed || told.said.error().code == errc::unknown_type ||
             told.said.error().code == errc::not_found || told.said.error().code == errc::newer_version);
        if (!told.said && !refuses && shared->peers.is_up(told.peer) &&
            self->state.tells_again.insert(told.peer).second) {
          actors::send_later(self, tell_again_after, actors::peer_began{told.peer});
        }
      },
  };
}

} // namespace continuo::nodes
