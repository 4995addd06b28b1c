#include "nodes/http/api.hpp"

#include "nodes/metrics.hpp"
#include "nodes/runtime.hpp"
#include "nodes/survey.hpp"

#include <continuo/detail/time_text.hpp>
#include <continuo/version.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <unistd.h>

namespace continuo::http {

namespace {

using json = nlohmann::ordered_json;

std::string text_of(time_point at) {
  return detail::time_text(at.time_since_epoch().count(), detail::period_of<time_point::duration>());
}

response ok(const json& body) {
  return {200, body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"};
}

std::uint64_t resident_bytes() {
  std::ifstream in{"/proc/self/statm"};
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  in >> all >> resident;
  return resident * 4'096;
}

std::string address_text(const std::string& host, std::uint16_t port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

json http_of(const cluster_node& node) {
  return node.http ? json(address_text(node.http->host, node.http->port)) : json(nullptr);
}

} // namespace

class api::calls : public std::enable_shared_from_this<api::calls> {
public:
  explicit calls(std::weak_ptr<detail::node_runtime> node) : node_(std::move(node)) {}

  void take(request&& asked, answer&& done) {
    if (asked.method != "GET") {
      const auto known = std::any_of(std::begin(routes), std::end(routes),
                                     [&](const route& one) { return asked.path == one.path; });
      auto refusal = known ? error_response(405, "method_not_allowed", "this call takes GET")
                           : error_response(404, "not_found", "there is no such call");
      if (known) {
        refusal.headers.emplace_back("Allow", "GET");
      }
      done(std::move(refusal));
      return;
    }
    for (const auto& one : routes) {
      if (asked.path == one.path) {
        (this->*one.call)(std::move(done));
        return;
      }
    }
    done(error_response(404, "not_found", fmt::format("there is no call {}", asked.path)));
  }

  void stop() { pool_.join(); }

private:
  struct route {
    std::string_view path;
    void (calls::*call)(answer&&);
  };
  static const route routes[6];

  // -- life ---------------------------------------------------------------------------------
  void healthz(answer&& done) { done({200, "ok\n", "text/plain"}); }

  void readyz(answer&& done) {
    const auto node = node_.lock();
    if (node && node->open_core()) {
      done({200, fmt::format("ready, process {}\n", ::getpid()), "text/plain"});
      return;
    }
    done(closed(node));
  }

  static response closed(const std::shared_ptr<detail::node_runtime>& node) {
    auto refusal =
        error_response(503, "unavailable", node ? node->why_closed().message : "the node has stopped");
    refusal.headers.emplace_back("Retry-After", "1");
    return refusal;
  }

  /// Runs `make` with the node's core, on the thread that may block.
  template <class Make>
  void with_core(answer&& done, Make make) {
    boost::asio::post(pool_, [self = shared_from_this(), done = std::move(done), make] {
      const auto node = self->node_.lock();
      const auto core = node ? node->open_core() : detail::open_node{};
      done(core ? make(*self, *node, *core) : closed(node));
    });
  }

  // -- what it is, and what it sees -------------------------------------------------------------
  void node(answer&& done) {
    with_core(std::move(done), [](calls& self, detail::node_runtime& node, const actors::core& core) {
      const auto counted = self.surveys_.latest(core, node.ending());
      if (!counted) {
        return error_response(503, to_string(counted.error().code), counted.error().message);
      }
      const auto& config = node.config();
      const auto& recovered = node.recovery();
      json instances = json::object();
      for (const auto& [what, count] : (*counted)->instances) {
        instances[what.first][std::string{to_string(what.second)}] = count;
      }
      return ok({
          {"name", config.name},
          {"cluster", config.cluster ? json(config.cluster->name) : json(nullptr)},
          {"version", std::string{version()}},
          {"started_at", text_of(node.started_at())},
          {"store", fmt::format("{:016x}", core.store_id)},
          {"recovery",
           {{"records", recovered.records},
            {"resumed", recovered.resumed},
            {"timers", recovered.timers},
            {"suspects", recovered.suspects},
            {"took_ms", recovered.took.count()}}},
          {"memory_bytes", resident_bytes()},
          {"limits",
           {{"in_flight", config.in_flight},
            {"instances_in_memory", config.instances_in_memory},
            {"shards", config.shards},
            {"disk_reserve", config.disk_reserve},
            {"store_memory", config.store_memory}}},
          {"in_flight", core.in_flight.load()},
          {"orphaned", core.orphaned.load()},
          {"dead_letters", (*counted)->dead_letters},
          {"instances", instances},
      });
    });
  }

  void nodes(answer&& done) { // at once: it asks nobody
    const auto runtime = node_.lock();
    const auto core = runtime ? runtime->open_core() : detail::open_node{};
    done(core ? nodes_of(*runtime, *core) : closed(runtime));
  }

  static response nodes_of(const detail::node_runtime& node, const actors::core& core) {
    json all = json::array();
    const auto peers = node.peers();
    for (const auto& one : core.cluster.nodes) {
      json entry{{"name", one.name},
                 {"address", address_text(one.host, one.port)},
                 {"http", http_of(one)},
                 {"hosts", one.hosts}};
      const auto peer = std::find_if(peers.begin(), peers.end(),
                                     [&](const peer_status& seen) { return seen.name == one.name; });
      if (peer == peers.end()) {
        entry.update(json{{"state", "up"},
                          {"since", text_of(node.started_at())},
                          {"version", std::string{version()}},
                          {"waiting", 0},
                          {"unacknowledged", 0},
                          {"connections", 0},
                          {"last_error", ""}});
      } else {
        entry.update(json{{"state", peer->up ? "up" : "down"},
                          {"since", text_of(peer->since)},
                          {"version", peer->version},
                          {"waiting", peer->waiting},
                          {"unacknowledged", peer->unanswered},
                          {"connections", peer->connections},
                          {"last_error", peer->up ? "" : peer->last_error}});
      }
      all.push_back(std::move(entry));
    }
    return ok({{"nodes", std::move(all)}});
  }

  void services(answer&& done) {
    with_core(std::move(done), [](calls& self, detail::node_runtime& node, const actors::core& core) {
      const auto counted = self.surveys_.latest(core, node.ending());
      if (!counted) {
        return error_response(503, to_string(counted.error().code), counted.error().message);
      }
      json all = json::array();
      const auto add = [&](const std::string& name, const char* kind) {
        json entry{{"name", name}, {"kind", kind}};
        const auto& where = core.routes.where();
        json nodes = json::array();
        bool up = where.is_alone();
        if (const auto hosts = where.hosts().find(name); hosts != where.hosts().end()) {
          for (const auto& node : hosts->second) {
            nodes.push_back(node);
            up = up || node == where.here() || core.peers.is_up(node);
          }
        }
        entry["nodes"] = std::move(nodes);
        entry["state"] = up ? "up" : "down";
        const auto open = (*counted)->commands.find(name);
        entry["waiting"] = open == (*counted)->commands.end() ? 0 : open->second.count;
        entry["oldest_waiting"] =
            open == (*counted)->commands.end() ? json(nullptr) : json(text_of(open->second.oldest));
        all.push_back(std::move(entry));
      };
      for (const auto& [name, service] : core.services) {
        add(name, "stateless");
      }
      for (const auto& [name, service] : core.keyed_services) {
        add(name, "keyed");
      }
      return ok({{"services", std::move(all)}});
    });
  }

  void metrics(answer&& done) {
    with_core(std::move(done), [](calls& self, detail::node_runtime& node, const actors::core& core) {
      const auto counted = self.surveys_.latest(core, node.ending());
      return counted ? response{200, continuo::nodes::metrics_text(core, node, **counted),
                                "text/plain; version=0.0.4"}
                     : error_response(503, to_string(counted.error().code), counted.error().message);
    });
  }

  std::weak_ptr<detail::node_runtime> node_;
  continuo::nodes::surveyor surveys_;
  boost::asio::thread_pool pool_{1};
};

const api::calls::route api::calls::routes[6] = {
    {"/healthz", &calls::healthz},          {"/readyz", &calls::readyz},
    {"/api/v1/node", &calls::node},         {"/api/v1/nodes", &calls::nodes},
    {"/api/v1/services", &calls::services}, {"/metrics", &calls::metrics},
};

api::api(std::weak_ptr<detail::node_runtime> node) : calls_(std::make_shared<calls>(std::move(node))) {}

api::~api() {
  calls_->stop();
}

handler api::answers() {
  return [calls = calls_](request&& asked, answer done) { calls->take(std::move(asked), std::move(done)); };
}

} // namespace continuo::http
