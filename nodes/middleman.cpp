#include "nodes/middleman.hpp"

#include "messages/caf_types.hpp"
#include "nodes/dialer.hpp"
#include "nodes/plain_doors.hpp"
#include "nodes/probe.hpp"
#include "nodes/threads.hpp"
#include "nodes/tls.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/rtti_pair.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace continuo::nodes {

namespace {

constexpr std::chrono::seconds probe_time{1};
class middleman_connector : public actors::connector {
public:
  middleman_connector(caf::actor_system& system, const cluster_config& cluster, std::string here,
                      std::shared_ptr<tls_transport> tls, caf::actor doors,
                      std::function<void(const error&)> failed)
      : system_(&system), cluster_(cluster), here_(std::move(here)), tls_(std::move(tls)),
        doors_(std::move(doors)), failed_(std::move(failed)) {}

  ~middleman_connector() override { close_doors(); }

  void dial(const std::string& peer, const caf::actor& link) override { spawn_dialer(broker(), peer, link); }

  void look(const std::string& peer, const caf::actor& link) override { spawn_dialer({}, peer, link); }

  result<void> listen(const caf::actor& gate) override {
    const auto at = listener_of(find(here_));
    // Always to an address: without one CAF listens on all of them.
    result<void> outcome;
    caf::scoped_actor self{*system_, true};
    self->request(doors_ ? doors_ : broker(), caf::infinite, caf::publish_atom_v, at.port,
                  caf::actor_cast<caf::strong_actor_ptr>(gate), std::set<std::string>{}, at.host, true)
        .receive([](std::uint16_t) {},
                 [&](const caf::error& why) {
                   outcome = fail(errc::address_in_use, fmt::format("cannot listen at {}:{}: {}", at.host,
                                                                    at.port, system_->render(why)));
                 });
    if (outcome) {
      gate_ = gate;
    }
    return outcome;
  }

  void stop() override {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
    for (const auto& one : dialers_) {
      if (const auto at_work = caf::actor_cast<caf::actor>(one)) {
        caf::anon_send_exit(at_work, caf::exit_reason::user_shutdown);
      }
    }
    dialers_.clear();
    if (gate_) {
      caf::anon_send(caf::actor_cast<caf::actor>(system_->middleman().actor_handle()), caf::unpublish_atom_v,
                     gate_.address(), listener_of(find(here_)).port);
      gate_ = nullptr;
    }
    if (tls_) {
      tls_->stop();
    }
    close_doors();
  }

  void offer(const caf::actor& to_peers) override {
    if (tls_) {
      tls_->offer(to_peers);
    }
  }

  bool speaks_for(const caf::strong_actor_ptr& sender, std::string_view name) const override {
    return !tls_ || tls_->speaks_for(sender, name);
  }

  bool hang_up(const caf::strong_actor_ptr& sender, const std::string& why) override {
    return tls_ && tls_->hang_up(sender, why);
  }

  void taken(const caf::strong_actor_ptr& sender, std::size_t bytes) override {
    if (tls_) {
      tls_->taken(sender, bytes);
    }
  }

  void tend() override {
    if (tls_) {
      tls_->tend();
    }
  }

private:
  void close_doors() {
    if (doors_) {
      caf::anon_send_exit(std::exchange(doors_, nullptr), caf::exit_reason::kill);
    }
  }

  caf::actor broker() const {
    return tls_ ? tls_->broker() : caf::actor_cast<caf::actor>(system_->middleman().actor_handle());
  }

  void spawn_dialer(const caf::actor& broker, const std::string& peer, const caf::actor& link) {
    const std::lock_guard lock{mutex_};
    if (stopped_) {
      return;
    }
    std::erase_if(dialers_,
                  [](const caf::actor_addr& one) { return !caf::actor_cast<caf::strong_actor_ptr>(one); });
    if (const auto thread = look_for_threads(1); !thread) { // CAF throws half-way where there is none
      if (broker) {
        caf::anon_send(link, actors::unreachable{thread.error().message}); // the link tries again
      }
      return;
    }
    dialers_.push_back(system_->spawn<caf::detached>(dialer_actor, attempt(broker, peer, link)).address());
  }

  /// Under TLS the connection is made by the dialer, up to the end of the handshake.
  dialing attempt(const caf::actor& broker, const std::string& peer, const caf::actor& link) const {
    const auto host = find(peer).host;
    const auto port = find(peer).port;
    dialing made{host, port, {}, {}, broker, link, failed_};
    if (broker && tls_) {
      made.knock = [tls = tls_, peer, host, port] { return tls->prepare(peer, host, port, probe_time); };
      made.forget = [tls = tls_, host, port] { tls->forget(host, port); };
    } else {
      made.knock = [host, port] { return probe(host, port, probe_time); };
    }
    return made;
  }

  const cluster_node& find(const std::string& name) const {
    return *std::find_if(cluster_.nodes.begin(), cluster_.nodes.end(),
                         [&](const cluster_node& node) { return node.name == name; });
  }

  caf::actor_system* system_;
  cluster_config cluster_;
  std::string here_;
  std::shared_ptr<tls_transport> tls_;
  caf::actor doors_; // without TLS; null where CAF's own must do
  std::function<void(const error&)> failed_;
  std::mutex mutex_;
  bool stopped_ = false;
  std::vector<caf::actor_addr> dialers_;
  caf::actor gate_;
};

} // namespace

void configure_middleman(caf::actor_system_config& config, const cluster_config& cluster) {
  config.add_message_types<caf::id_block::continuo>();
  config.load<caf::io::middleman>();
  // The first gate: nodes of other protocols are refused before they say anything.
  config.set("middleman.app-identifiers",
             std::vector<std::string>{fmt::format("continuo-wire-{}", messages::protocol_version)});
  config.set("middleman.heartbeat-interval", caf::timespan{cluster.heartbeat});
  config.set("middleman.connection-timeout", caf::timespan{cluster.silence});
}

void end_broker(caf::actor_system& system) {
  if (!system.has_middleman() || caf::get_or(system.config(), "middleman.manual-multiplexing", false)) {
    return; // nobody but the application runs the network then
  }
  auto& middleman = system.middleman();
  const auto broker = middleman.named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  std::promise<void> ended;
  middleman.backend().dispatch([&] {
    auto& it = *static_cast<caf::io::broker*>(caf::actor_cast<caf::abstract_actor*>(broker));
    if (!it.getf(caf::abstract_actor::is_terminated_flag)) {
      it.context(&middleman.backend());
      it.quit();
      it.finalize();
    }
    it.caf::scheduled_actor::cleanup(caf::exit_reason::user_shutdown, &middleman.backend());
    ended.set_value();
  });
  ended.get_future().wait();
}

result<std::shared_ptr<actors::connector>>
make_middleman_connector(caf::actor_system& system, const cluster_config& cluster, const std::string& here,
                         std::size_t strangers, const std::function<void(const error&)>& failed,
                         const std::function<void(log_level, const std::string&)>& log) {
  if (!system.has_middleman()) {
    return fail(
        errc::invalid_configuration,
        "the application's actor system has no network: a node of a cluster needs an actor system of its own "
        "(leave node_config::system empty)");
  }
  const auto& types = system.types();
  if (types.portable_name(caf::make_rtti_pair<messages::wire>()) == types.default_type_name()) {
    return fail(
        errc::invalid_configuration,
        "the application's actor system does not know what nodes say to each other: a node of a cluster "
        "needs an actor system of its own (leave node_config::system empty)");
  }
  std::shared_ptr<tls_transport> tls;
  caf::actor doors;
  if (!cluster.tls) {
    // A peer has one connection, and the next one while the old one is not closed yet.
    doors = start_plain_doors(system, strangers + 2 * cluster.nodes.size(), failed);
  } else {
    tls_transport::terms agreed{*cluster.tls, {}, strangers, failed, log};
    for (const auto& node : cluster.nodes) {
      if (node.name != here) {
        agreed.peers.insert(node.name);
      }
    }
    auto started = tls_transport::start(system, std::move(agreed));
    if (!started) {
      return tl::unexpected(started.error());
    }
    tls = std::move(*started);
  }
  return std::shared_ptr<actors::connector>{
      std::make_shared<middleman_connector>(system, cluster, here, std::move(tls), std::move(doors), failed)};
}

} // namespace continuo::nodes
