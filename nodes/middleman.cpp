#include "nodes/middleman.hpp"

#include "messages/caf_types.hpp"
#include "nodes/probe.hpp"
#include "nodes/thread_names.hpp"
#include "nodes/threads.hpp"
#include "nodes/tls.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
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
/// that a black hole would block it, and with it every other connection and the end of the process. Under TLS
/// the connection is made here, on this actor's own thread, up to the end of the handshake.
class dialer : public caf::event_based_actor {
public:
  /// Without a broker it only looks whether somebody listens. `tls` is null where there is none.
  dialer(caf::actor_config& config, caf::actor broker, std::shared_ptr<tls_transport> tls, cluster_node peer,
         caf::actor link)
      : caf::event_based_actor(config), broker_(std::move(broker)), tls_(std::move(tls)),
        peer_(std::move(peer)), link_(std::move(link)) {}

  caf::behavior make_behavior() override {
    set_default_handler(caf::drop);
    send(this, actors::link_dial{});
    return {[this](actors::link_dial) { dial(); }};
  }

  const char* name() const override { return "continuo.dialer"; }

private:
  void dial() {
    name_thread("dialer");
    const auto found = broker_ && tls_ ? tls_->prepare(peer_.host, peer_.port, probe_time)
                                       : probe(peer_.host, peer_.port, probe_time);
    if (!found) {
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
    if (tls_) {
      tls_->forget(peer_.host, peer_.port); // the broker had one already
    }
    send(link_, std::move(answer));
    link_ = nullptr;
    quit();
  }

  caf::actor broker_;
  std::shared_ptr<tls_transport> tls_;
  cluster_node peer_;
  caf::actor link_;
};

class middleman_connector : public actors::connector {
public:
  middleman_connector(caf::actor_system& system, const cluster_config& cluster, std::string here,
                      std::shared_ptr<tls_transport> tls)
      : system_(&system), cluster_(cluster), here_(std::move(here)), tls_(std::move(tls)) {}

  void dial(const std::string& peer, const caf::actor& link) override { spawn_dialer(broker(), peer, link); }

  void look(const std::string& peer, const caf::actor& link) override { spawn_dialer({}, peer, link); }

  result<void> listen(const caf::actor& gate) override {
    const auto& me = find(here_);
    // Always to an address: without one CAF listens on all of them.
    result<void> outcome;
    caf::scoped_actor self{*system_, true};
    self->request(broker(), caf::infinite, caf::publish_atom_v, me.port,
                  caf::actor_cast<caf::strong_actor_ptr>(gate), std::set<std::string>{}, me.host, true)
        .receive([](std::uint16_t) {},
                 [&](const caf::error& why) {
                   outcome = fail(errc::address_in_use, fmt::format("cannot listen at {}:{}: {}", me.host,
                                                                    me.port, system_->render(why)));
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
                     gate_.address(), find(here_).port);
      gate_ = nullptr;
    }
    if (tls_) {
      tls_->stop();
    }
  }

private:
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
    const auto at_work = system_->spawn<dialer, caf::detached>(broker, tls_, find(peer), link);
    dialers_.push_back(at_work.address());
  }

  const cluster_node& find(const std::string& name) const {
    return *std::find_if(cluster_.nodes.begin(), cluster_.nodes.end(),
                         [&](const cluster_node& node) { return node.name == name; });
  }

  caf::actor_system* system_;
  cluster_config cluster_;
  std::string here_;
  std::shared_ptr<tls_transport> tls_;
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

result<std::shared_ptr<actors::connector>>
make_middleman_connector(caf::actor_system& system, const cluster_config& cluster, const std::string& here) {
  if (!system.has_middleman()) {
    return fail(
        errc::invalid_configuration,
        "the application's actor system cannot reach other nodes: call continuo::configure_cluster on its "
        "configuration before the system is made");
  }
  std::shared_ptr<tls_transport> tls;
  if (cluster.tls) {
    auto started = tls_transport::start(system, *cluster.tls);
    if (!started) {
      return tl::unexpected(started.error());
    }
    tls = std::move(*started);
  }
  return std::shared_ptr<actors::connector>{
      std::make_shared<middleman_connector>(system, cluster, here, std::move(tls))};
}

} // namespace continuo::nodes
