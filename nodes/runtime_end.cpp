#include "nodes/runtime.hpp"

#include "messages/application.hpp"
#include "messages/printable.hpp"
#include "nodes/endings.hpp"
#include "nodes/http/api.hpp"
#include "nodes/http/server.hpp"
#include "nodes/middleman.hpp"
#include "nodes/span_writer.hpp"
#include "nodes/threads.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <utility>

// How a node ends: by a stop, a failure, its destruction, or a crash of the simulation.
namespace continuo::detail {

namespace {

/// How long calls of HTTP services may go on once the node stops.
constexpr std::chrono::milliseconds calls_may_take{1'000};

/// Beyond `stop_within`, which is for the handlers of stateless services.
constexpr std::chrono::milliseconds actors_may_take{2'000};

/// How long handlers of stateless services are waited for: nobody waits longer than a year, and with it no
/// clock comes to its end.
std::chrono::milliseconds patience_of(const node_config& config) {
  return std::clamp<std::chrono::milliseconds>(config.stop_within, {}, std::chrono::years{1});
}

} // namespace

node_runtime::~node_runtime() {
  core_->ending = true;
  if (end_->begins()) {
    end();
  }
}

void node_runtime::fail(const error& reason) {
  core_->ending = true;
  bool report = false;
  {
    const std::lock_guard lock{mutex_};
    if (phase_ == phase::stopped) {
      return;
    }
    phase_ = phase::failed;
    reason_ = reason;
    report = !failure_reported_;
    failure_reported_ = true;
    telling_ += report ? 1 : 0; // before anybody can find out and stop the node: that waits for the callback
    changed_.notify_all();
  }
  if (!report) {
    return;
  }
  core_->log(log_level::error,
             fmt::format("the node must stop ({}): {}", to_string(reason.code), reason.message));
  const actors::close end{{errc::unavailable, "the node has failed: " + reason.message}};
  if (core_->intake) {
    caf::anon_send(core_->intake, end);
  }
  for (const auto& shard : core_->shards) {
    caf::anon_send(shard, end);
  }
  core_->peers.close();
  failure_.set_value(reason); // first, so that who is called back finds it
  if (!config_.on_failure) {
    --telling_;
    telling_.notify_all();
    return;
  }
  auto tell = [self = shared_from_this(), reason]() mutable {
    self->tell_failure(reason);
    --self->telling_;
    self->telling_.notify_all();
    self.reset();
  };
  // On a thread of its own: the one that fails may be the journal's, which nobody must keep from ending.
  auto thread = means_.own_journal_thread ? nodes::start_thread("failure", tell)
                                          : tl::unexpected(error{errc::unavailable, "driven by its caller"});
  if (thread) {
    thread->detach();
  } else {
    tell();
  }
}

void node_runtime::tell_failure(const error& reason) {
  const auto told = call_application(
      errc::handler_failed, [&] { config_.on_failure(reason); }, "node_config::on_failure threw: ");
  if (!told) {
    core_->log(log_level::error, told.error().message);
  }
}

/// The end has a thread of its own: whoever stops the node may be one of those whom it waits for, and may
/// give up waiting. What the thread works with lives as long as it does.
void node_runtime::stop(bool destroyed) {
  core_->ending = true;
  {
    const std::lock_guard lock{mutex_};
    changed_.notify_all(); // a start that waits for its records waits no longer
  }
  if (end_->begins()) {
    nodes::outlast(end_);
    auto thread = nodes::start_thread("ending", [self = shared_from_this(), end = end_]() mutable {
      self->end();
      self.reset(); // first, so that this thread destroys it only where nobody waits
      end->reach(nodes::ending::step::over);
    });
    kept_ = !thread && in_application() ? shared_from_this() : nullptr;
    if (thread) {
      thread->detach();
    } else if (kept_) {
      end_->reach(nodes::ending::step::none);
      say_outside_of_the_log("it takes no more calls, but ends when `stop` is called again, from outside of "
                             "its callbacks: " +
                             thread.error().message);
      return;
    } else {
      end();
      end_->reach(nodes::ending::step::over);
    }
  }
  if (!in_application() && end_->wait_or_give_up(patience_of(config_) + actors_may_take, !destroyed)) {
    say_outside_of_the_log("stop waits no longer for code of the application that has not returned (a "
                           "handler of a saga or a keyed "
                           "service, a callback, the logger, a function that reads a key): the node ends "
                           "when it does. Until then "
                           "its memory and its data directory stay in use");
  }
}

void node_runtime::end() {
  for (auto starting = starting_.load(); starting > 0; starting = starting_.load()) {
    starting_.wait(starting);
  }
  bool in_order = false;
  {
    const std::lock_guard lock{mutex_};
    if (phase_ == phase::stopped) {
      return;
    }
    in_order = phase_ == phase::started;
    if (phase_ != phase::failed) {
      reason_ = {errc::unavailable, "the node has stopped"};
    }
    phase_ = phase::stopped;
    changed_.notify_all();
  }
  if (in_order) {
    core_->log(log_level::info, "the node stops: it takes nothing more, and writes what it has decided");
  }
  for (auto* working : {&users_, &telling_}) {
    for (auto count = working->load(); count > 0; count = working->load()) {
      working->wait(count);
    }
  }
  end_actors();
}

/// The logger may be the one that waits for this, or that does not return.
void node_runtime::say_outside_of_the_log(const std::string& text) const {
  std::fputs(printable_lines(fmt::format("{}: {}\n", config_.name, text)).c_str(), stderr);
}

std::vector<caf::actor> node_runtime::all_actors() const {
  const auto& shared = *core_;
  std::vector<caf::actor> all{sweeper_, shared.pauses, shared.intake, shared.timers};
  if (starter_) {
    all.push_back(starter_);
  }
  if (shared.gate) {
    all.push_back(shared.gate);
  }
  for (const auto& [peer, link] : shared.links) {
    all.push_back(link);
  }
  all.insert(all.end(), shared.shards.begin(), shared.shards.end());
  for (const auto& [name, service] : shared.service_actors) {
    all.push_back(service);
  }
  all.push_back(shared.journal);
  return all;
}

void node_runtime::crash() {
  {
    const std::lock_guard lock{mutex_};
    if (phase_ == phase::stopped) {
      return;
    }
    phase_ = phase::stopped;
    reason_ = {errc::unavailable, "the node has crashed"};
  }
  if (!core_->journal) {
    return;
  }
  if (core_->reach) {
    core_->reach->stop();
  }
  caf::anon_send_exit(core_->journal, caf::exit_reason::kill);
  for (const auto& actor :
       all_actors()) { // not `kill`, which would keep the shards from ending their instances
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  }
  sweeper_ = nullptr;
  starter_ = nullptr;
}

void node_runtime::end_actors() {
  auto& shared = *core_;
  server_.reset();
  api_.reset(); // waits for what still reads the store
  shared.peers.close();
  const auto end_system = [this] {
    if (own_system_) {
      nodes::end_broker(*own_system_);
    }
    own_system_.reset();
    own_config_.reset();
  };
  if (!shared.journal) {
    shared.reach.reset();
    end_system();
    shared.store.reset();
    directory_.reset();
    return;
  }
  if (shared.reach) {
    shared.reach->stop();
  }
  const actors::close end{reason_};
  caf::anon_send(shared.intake, end);
  for (const auto& shard : shared.shards) {
    caf::anon_send(shard, end);
  }
  // Handlers that run: their outcomes still reach the journal if they are quick. A call of an HTTP service
  // gets a moment.
  const auto patience = patience_of(config_);
  const auto moment = std::min(calls_may_take, patience);
  auto hanging = shared.pool->stop(moment);
  if (!hanging.empty()) {
    outgoing_.stop();
    hanging = shared.pool->stop(patience - moment);
  }
  if (!hanging.empty()) {
    core_->log(log_level::error,
               fmt::format("the node ends without {} handler(s) that have not returned in time: {}. They run "
                           "again after the next start; until they return or the process ends, the data "
                           "directory stays in use",
                           hanging.size(), fmt::join(hanging, ", ")));
  }
  auto all = all_actors();
  sweeper_ = nullptr;
  starter_ = nullptr;
  all.pop_back(); // the journal: it takes what the others have decided
  const auto end_all = [this](const std::vector<caf::actor>& actors) {
    caf::scoped_actor self{*system_};
    for (const auto& actor : actors) {
      self->send_exit(actor, caf::exit_reason::user_shutdown);
    }
    self->wait_for(actors);
  };
  end_all(all);
  all.clear();
  shared.wait_for_instances();
  shared.spans = nullptr; // nobody tells any more
  spans_.reset();
  end_->reach(nodes::ending::step::storage);
  end_all({shared.journal});
  shared.forget_actors();
  shared.reach.reset();
  end_system();
  shared.store.reset();
  if (!hanging.empty()) {
    // Two attempts of a command never run at a time, so no other node may open the directory yet.
    end_->reach(nodes::ending::step::over);
    while (!shared.pool->stop(std::chrono::hours{1}).empty()) {
    }
  }
  shared.suspects.reset();
  directory_.reset();
}

} // namespace continuo::detail
