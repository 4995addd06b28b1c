#include "tests/support/cluster_world.hpp"

#include "messages/caf_types.hpp"
#include "tests/support/world.hpp"

#include <continuo/archive.hpp>

#include <caf/send.hpp>

#include <deque>
#include <set>
#include <stdexcept>

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(continuo::messages::wire)

namespace continuo::tests {

namespace {

/// Both directions of one connection. Each direction is an actor, so that who sends is who is answered.
struct connection {
  std::shared_ptr<cluster_world::inspector> inspect;
  std::string dialer;
  std::string acceptor;
  caf::actor near;                   ///< the dialing link
  caf::actor far;                    ///< the gate that was dialed, then the link that answered
  caf::actor there;                  ///< what the dialing link speaks to
  caf::actor back;                   ///< what the other one speaks to
  std::deque<messages::wire> recent; ///< the last frames towards the acceptor
};

/// Whether the inspector lets a frame pass.
bool passes(const connection& of, const std::string& from, const std::string& to, messages::wire& wire) {
  if (!*of.inspect) {
    return true;
  }
  auto frame = decode<messages::frame>(wire.bytes).value();
  const auto passed = (*of.inspect)(from, to, frame);
  wire.bytes = encode(frame);
  return passed;
}

caf::behavior forwards(caf::event_based_actor*, std::shared_ptr<connection> of) {
  return {[of](messages::wire& frame) {
    if (!passes(*of, of->dialer, of->acceptor, frame)) {
      return;
    }
    of->recent.push_back(frame);
    if (of->recent.size() > 4) {
      of->recent.pop_front();
    }
    caf::send_as(of->back, of->far, std::move(frame));
  }};
}

caf::behavior backwards(caf::event_based_actor* self, std::shared_ptr<connection> of) {
  return {[self, of](messages::wire& frame) {
    of->far = caf::actor_cast<caf::actor>(self->current_sender());
    if (!passes(*of, of->acceptor, of->dialer, frame)) {
      return;
    }
    caf::send_as(of->there, of->near, std::move(frame));
  }};
}

} // namespace

class simulated_network {
public:
  explicit simulated_network(caf::actor_system& system) : system_(&system) {}

  void listen(const std::string& name, caf::actor gate) { gates_[name] = std::move(gate); }

  void leave(const std::string& name) {
    gates_.erase(name);
    end_if([&](const connection& one) { return one.dialer == name || one.acceptor == name; }, false);
  }

  void dial(const std::string& from, const std::string& to, const caf::actor& link) {
    const auto gate = gates_.find(to);
    if (gate == gates_.end() || separated_.contains({std::min(from, to), std::max(from, to)})) {
      caf::anon_send(link, actors::unreachable{"nobody listens"});
      return;
    }
    auto made = std::make_shared<connection>();
    made->inspect = inspect_;
    made->dialer = from;
    made->acceptor = to;
    made->near = link;
    made->far = gate->second;
    made->there = system_->spawn(forwards, made);
    made->back = system_->spawn(backwards, made);
    connections_.push_back(made);
    caf::anon_send(link, actors::reached{made->there});
  }

  bool listens(const std::string& name) const { return gates_.contains(name); }

  void cut(const std::string& a, const std::string& b, bool late) {
    end_if([&](const connection& one) { return std::minmax(one.dialer, one.acceptor) == std::minmax(a, b); },
           late);
  }

  void separate(const std::string& a, const std::string& b) {
    separated_.insert({std::min(a, b), std::max(a, b)});
    cut(a, b, false);
  }

  void heal() { separated_.clear(); }

  void inspect(cluster_world::inspector what) { *inspect_ = std::move(what); }

  /// What old connections still had in their buffers arrives.
  void deliver_late() {
    for (auto& [to, frame] : std::exchange(late_, {})) {
      caf::anon_send(to, std::move(frame));
    }
  }

private:
  template <class Wanted>
  void end_if(Wanted wanted, bool late) {
    std::erase_if(connections_, [&](const std::shared_ptr<connection>& one) {
      if (!wanted(*one)) {
        return false;
      }
      if (late) {
        for (auto& frame : one->recent) {
          late_.emplace_back(one->far, frame);
        }
      }
      caf::anon_send_exit(one->there, caf::exit_reason::kill);
      caf::anon_send_exit(one->back, caf::exit_reason::kill);
      // They hold each other by the connection.
      one->there = one->back = one->near = one->far = nullptr;
      return true;
    });
  }

  caf::actor_system* system_;
  std::shared_ptr<cluster_world::inspector> inspect_ = std::make_shared<cluster_world::inspector>();
  std::map<std::string, caf::actor> gates_;
  std::vector<std::shared_ptr<connection>> connections_;
  std::set<std::pair<std::string, std::string>> separated_;
  std::vector<std::pair<caf::actor, messages::wire>> late_;
};

namespace {

class simulated_connector : public actors::connector {
public:
  simulated_connector(std::shared_ptr<simulated_network> network, std::string here)
      : network_(std::move(network)), here_(std::move(here)) {}

  void dial(const std::string& peer, const caf::actor& link) override { network_->dial(here_, peer, link); }

  void look(const std::string& peer, const caf::actor& link) override {
    if (!network_->listens(peer)) {
      caf::anon_send(link, actors::unreachable{"nobody listens"});
    }
  }

  result<void> listen(const caf::actor& gate) override {
    network_->listen(here_, gate);
    return {};
  }

  void stop() override { network_->leave(here_); }

private:
  std::shared_ptr<simulated_network> network_;
  std::string here_;
};

} // namespace

namespace {

/// Counts the records that are read.
class counting_store : public journal::store {
public:
  counting_store(std::shared_ptr<journal::memory_disk> disk, std::shared_ptr<reads> done)
      : store_(std::move(disk)), done_(std::move(done)) {}

  result<void> commit(const journal::batch& changes) override { return store_.commit(changes); }
  result<std::optional<std::string>> get(std::string_view key) const override {
    auto value = store_.get(key);
    count(key, value && *value ? std::string_view{**value} : std::string_view{});
    return value;
  }
  result<void> scan(std::string_view prefix, const journal::visitor& visit,
                    std::string_view after) const override {
    return store_.scan(
        prefix,
        [&](std::string_view key, std::string_view value) {
          count(key, value);
          return visit(key, value);
        },
        after);
  }
  std::uint64_t free_bytes() const override { return store_.free_bytes(); }
  std::uint64_t written_bytes() const override { return store_.written_bytes(); }
  std::uint64_t used_bytes() const override { return store_.used_bytes(); }

private:
  void count(std::string_view key, std::string_view value) const {
    if (key.starts_with('r')) {
      ++done_->records;
      done_->bytes += value.size();
    }
  }

  journal::memory_store store_;
  std::shared_ptr<reads> done_;
};

} // namespace

struct cluster_world::member {
  std::shared_ptr<journal::memory_disk> disk = std::make_shared<journal::memory_disk>();
  std::shared_ptr<reads> done;
  std::shared_ptr<coordinator_pool> pool;
  std::shared_ptr<detail::node_runtime> runtime;
};

cluster_world::cluster_world(definitions offers,
                             std::vector<std::pair<std::string, std::vector<std::string>>> hosts,
                             std::uint64_t seed)
    : offers_(std::move(offers)), random_(seed), store_ids_(~seed),
      network_(std::make_shared<simulated_network>(system_.system())) {
  cluster_.name = "test";
  std::uint16_t port = 1;
  for (auto& [name, types] : hosts) {
    cluster_.nodes.push_back({name, "127.0.0.1", port++, std::move(types)});
    members_.emplace(name, std::make_unique<member>());
  }
}

cluster_world::~cluster_world() {
  for (const auto& [name, one] : members_) {
    crash(name);
  }
  run();
}

result<void> cluster_world::start(const std::string& name) {
  auto begun = begin(name);
  return begun ? finish_start(name) : begun;
}

/// Runs what there is to do until the node takes calls.
result<void> cluster_world::finish_start(const std::string& name) {
  auto& runtime = *members_.at(name)->runtime;
  while (runtime.is_starting() && system_.coordinator().try_run_once()) {
  }
  const auto core = runtime.open_core();
  if (!core) {
    return tl::unexpected(runtime.why_closed());
  }
  if (set_limits_) {
    set_limits_(core->bounds);
  }
  return {};
}

result<void> cluster_world::begin(const std::string& name) {
  auto& one = *members_.at(name);
  node_config config;
  config.name = name;
  config.cluster = cluster_;
  config.seed = 42;
  config.shards = 2;
  config.system = &system_.system();
  one.runtime = std::make_shared<detail::node_runtime>(config);
  offers_(*one.runtime);
  one.pool = std::make_shared<coordinator_pool>(system_.system());
  auto& means = one.runtime->means();
  one.done = std::make_shared<reads>();
  means.store = std::make_shared<counting_store>(one.disk, one.done);
  means.time = system_.clock();
  means.pool = one.pool;
  means.own_journal_thread = false;
  means.store_id = detail::next_random(store_ids_); // of a disk that has none
  means.reach = std::make_shared<simulated_connector>(network_, name);
  means.link_queue_max = link_queue_max_;
  means.greet_peers = std::chrono::milliseconds{0}; // nothing runs while `start` does
  means.start_waits = false;
  return one.runtime->start();
}

void cluster_world::start_all() {
  const auto must = [](const result<void>& done) {
    if (!done) {
      throw std::runtime_error{done.error().message};
    }
  };
  for (const auto& [name, one] : members_) { // all listen before the first one dials
    must(begin(name));
  }
  for (const auto& [name, one] : members_) {
    must(finish_start(name));
  }
}

void cluster_world::crash(const std::string& name) {
  auto& one = *members_.at(name);
  if (!one.runtime) {
    return;
  }
  one.disk->crash();
  one.pool->stop({});
  one.runtime->crash();
  run();
  one.runtime.reset();
}

bool cluster_world::is_up(const std::string& name) const {
  return members_.at(name)->runtime != nullptr;
}

continuo::client cluster_world::client(const std::string& name) const {
  return continuo::client{members_.at(name)->runtime};
}

detail::node_runtime& cluster_world::node(const std::string& name) const {
  return *members_.at(name)->runtime;
}

std::shared_ptr<journal::memory_disk>& cluster_world::disk(const std::string& name) {
  return members_.at(name)->disk;
}

coordinator_pool& cluster_world::handlers(const std::string& name) const {
  return *members_.at(name)->pool;
}

reads& cluster_world::read_by(const std::string& name) const {
  return *members_.at(name)->done;
}

std::vector<engine::record> cluster_world::records(const std::string& name) const {
  std::vector<engine::record> found;
  for (const auto& [key, value] : members_.at(name)->disk->snapshot()) {
    if (key.front() == 'r') {
      found.push_back(decode<engine::record>(value).value());
    }
  }
  return found;
}

std::optional<engine::record> cluster_world::record(const std::string& name, const instance_id& id) const {
  const auto all = members_.at(name)->disk->snapshot();
  const auto found = all.find(engine::record_key(id));
  return found == all.end() ? std::nullopt : std::optional{decode<engine::record>(found->second).value()};
}

std::vector<std::string> cluster_world::names() const {
  std::vector<std::string> all;
  for (const auto& [name, one] : members_) {
    all.push_back(name);
  }
  return all;
}

void cluster_world::cut(const std::string& a, const std::string& b, bool late) {
  network_->cut(a, b, late);
}

void cluster_world::separate(const std::string& a, const std::string& b) {
  network_->separate(a, b);
}

void cluster_world::disturb() {
  const auto all = names();
  const auto& one = all[draw(all.size())];
  const auto& other = all[draw(all.size())];
  switch (draw(6)) {
  case 0:
    crash(one);
    break;
  case 1:
    cut(one, other, true);
    break;
  case 2:
    separate(one, other);
    break;
  case 3:
    heal();
    break;
  default:
    break;
  }
}

void cluster_world::heal() {
  network_->heal();
}

void cluster_world::inspect(inspector what) {
  network_->inspect(std::move(what));
}

void cluster_world::run() {
  system_.run();
}

void cluster_world::step(std::size_t jobs) {
  for (; jobs > 0 && system_.step(); --jobs) {
  }
}

void cluster_world::run_for(std::chrono::nanoseconds time) {
  system_.run_for(time);
  network_->deliver_late();
  run();
}

std::uint64_t cluster_world::draw(std::uint64_t below) {
  return detail::next_random(random_) % below;
}

std::string cluster_world::status_of(const std::string& node, const std::string& type,
                                     const std::string& key) {
  const pending<instance_view> asked{client(node).show({type, key})};
  run_for(std::chrono::milliseconds{5});
  return asked.is_ready() && asked.get() ? std::string{to_string(asked.get()->status)} : "absent";
}

} // namespace continuo::tests
