#include "nodes/middleman.hpp"

#include "messages/caf_types.hpp"
#include "nodes/probe.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/openssl/all.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <vector>

namespace continuo::nodes {

namespace {

constexpr std::chrono::seconds probe_time{1};
constexpr std::chrono::seconds connect_time{3};

/// Asks for a connection once it is known that somebody listens: the middleman connects synchronously, so
/// that a black hole would block it, and with it every other connection and the end of the process.
class dialer : public caf::event_based_actor {
public:
  /// Without a broker it only looks whether somebody listens.
  dialer(caf::actor_config& config, caf::actor broker, cluster_node peer, caf::actor link)
      : caf::event_based_actor(config), broker_(std::move(broker)), peer_(std::move(peer)),
        link_(std::move(link)) {}

  caf::behavior make_behavior() override {
    set_default_handler(caf::drop);
    send(this, actors::link_dial{});
    return {[this](actors::link_dial) { dial(); }};
  }

  const char* name() const override { return "continuo.dialer"; }

private:
  void dial() {
    if (const auto found = probe(peer_.host, peer_.port, probe_time); !found) {
      finish(actors::unreachable{found.error().message});
      return;
    }
    if (!broker_) {
      link_ = nullptr;
      quit();
      return;
    }
    request(broker_, connect_time, caf::connect_atom_v, peer_.host, peer_.port)
        .then(
            [this](const caf::node_id&, caf::strong_actor_ptr& gate, const std::set<std::string>&) {
              if (gate) {
                finish(actors::reached{caf::actor_cast<caf::actor>(gate)});
              } else {
                finish(actors::unreachable{
                    fmt::format("nothing of Continuo listens at {}:{}", peer_.host, peer_.port)});
              }
            },
            [this](const caf::error& why) {
              finish(actors::unreachable{fmt::format("{}:{} does not shake hands: {}", peer_.host, peer_.port,
                                                     system().render(why))});
            });
  }

  template <class Answer>
  void finish(Answer answer) {
    send(link_, std::move(answer));
    link_ = nullptr;
    quit();
  }

  caf::actor broker_;
  cluster_node peer_;
  caf::actor link_;
};

class middleman_connector : public actors::connector {
public:
  middleman_connector(caf::actor_system& system, const cluster_config& cluster, std::string here)
      : system_(&system), cluster_(cluster), here_(std::move(here)) {}

  void dial(const std::string& peer, const caf::actor& link) override {
    spawn_dialer(cluster_.tls ? caf::actor_cast<caf::actor>(system_->openssl_manager().actor_handle())
                              : caf::actor_cast<caf::actor>(system_->middleman().actor_handle()),
                 peer, link);
  }

  void look(const std::string& peer, const caf::actor& link) override { spawn_dialer({}, peer, link); }

  result<void> listen(const caf::actor& gate) override {
    const auto& me = find(here_);
    // Always to an address: without one CAF listens on all of them.
    const auto port = cluster_.tls ? caf::openssl::publish(gate, me.port, me.host.c_str(), true)
                                   : system_->middleman().publish(gate, me.port, me.host.c_str(), true);
    if (!port) {
      return fail(errc::address_in_use,
                  fmt::format("cannot listen at {}:{}: {}", me.host, me.port, system_->render(port.error())));
    }
    gate_ = gate;
    return {};
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
                     gate_.address(), find(here_).port);
      gate_ = nullptr;
    }
  }

private:
  void spawn_dialer(const caf::actor& broker, const std::string& peer, const caf::actor& link) {
    const std::lock_guard lock{mutex_};
    if (stopped_) {
      return;
    }
    std::erase_if(dialers_,
                  [](const caf::actor_addr& one) { return !caf::actor_cast<caf::strong_actor_ptr>(one); });
    const auto at_work = system_->spawn<dialer, caf::detached>(broker, find(peer), link);
    dialers_.push_back(at_work.address());
  }

  const cluster_node& find(const std::string& name) const {
    return *std::find_if(cluster_.nodes.begin(), cluster_.nodes.end(),
                         [&](const cluster_node& node) { return node.name == name; });
  }

  caf::actor_system* system_;
  cluster_config cluster_;
  std::string here_;
  std::mutex mutex_;
  bool stopped_ = false;
  std::vector<caf::actor_addr> dialers_;
  caf::actor gate_;
};

} // namespace

void configure_middleman(caf::actor_system_config& config, const cluster_config& cluster) {
  config.add_message_types<caf::id_block::continuo>();
  config.load<caf::io::middleman>();
  if (cluster.tls) {
    config.load<caf::openssl::manager>();
    config.set("openssl.certificate", cluster.tls->certificate.string());
    config.set("openssl.key", cluster.tls->key.string());
    config.set("openssl.cafile", cluster.tls->authority.string());
    config.openssl_certificate = cluster.tls->certificate.string();
    config.openssl_key = cluster.tls->key.string();
    config.openssl_cafile = cluster.tls->authority.string();
  }
  // The first gate: nodes of other protocols are refused before they say anything.
  config.set("middleman.app-identifiers",
             std::vector<std::string>{fmt::format("continuo-wire-{}", messages::protocol_version)});
  config.set("middleman.heartbeat-interval", caf::timespan{cluster.heartbeat});
  config.set("middleman.connection-timeout", caf::timespan{cluster.silence});
}

result<std::shared_ptr<actors::connector>>
make_middleman_connector(caf::actor_system& system, const cluster_config& cluster, const std::string& here) {
  if (!system.has_middleman() || (cluster.tls && !system.has_openssl_manager())) {
    return fail(
        errc::invalid_configuration,
        "the application's actor system cannot reach other nodes: call continuo::configure_cluster on its "
        "configuration before the system is made");
  }
  return std::shared_ptr<actors::connector>{std::make_shared<middleman_connector>(system, cluster, here)};
}

} // namespace continuo::nodes
