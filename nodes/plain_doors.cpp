#include "nodes/plain_doors.hpp"

#include "actors/trouble.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/scribe_impl.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <sys/socket.h>

namespace continuo::nodes {

namespace {

namespace network = caf::io::network;

/// Connections that came in: how many, and those that have not said anything yet, oldest first. I/O thread
/// only.
class visitors {
public:
  explicit visitors(std::size_t at_most) : at_most_(at_most) {}

  void add(int file) {
    silent_.push_back(file);
    if (++all_ > at_most_) {
      ::shutdown(silent_.front(), SHUT_RDWR); // its own event closes it
      silent_.pop_front();
    }
  }

  void hear(int file) { std::erase(silent_, file); }

  void remove(int file) {
    hear(file);
    --all_;
  }

private:
  std::size_t at_most_;
  std::size_t all_ = 0;
  std::deque<int> silent_;
};

class visitor : public network::scribe_impl {
public:
  visitor(network::default_multiplexer& loop, int file, std::shared_ptr<visitors> among)
      : network::scribe_impl(loop, file), file_(file), among_(std::move(among)) {
    among_->add(file_);
  }

  ~visitor() override { among_->remove(file_); }

  bool consume(caf::execution_unit* where, const void* bytes, std::size_t size) override {
    if (!heard_) {
      heard_ = true;
      among_->hear(file_);
    }
    return network::scribe_impl::consume(where, bytes, size);
  }

private:
  int file_;
  std::shared_ptr<visitors> among_;
  bool heard_ = false;
};

class plain_doorman : public network::doorman_impl {
public:
  plain_doorman(network::default_multiplexer& loop, int file, std::size_t at_most)
      : network::doorman_impl(loop, file), visitors_(std::make_shared<visitors>(at_most)) {}

  bool new_connection() override {
    if (detached()) {
      return false; // the broker has closed it, and the loop did not hear of that yet
    }
    auto& loop = acceptor_.backend();
    const auto file = acceptor_.accepted_socket();
    network::child_process_inherit(file, false); // what a handler starts must not keep it open
    auto made = caf::make_counted<visitor>(loop, file, visitors_);
    const auto handle = made->hdl();
    parent()->add_scribe(std::move(made));
    return doorman::new_connection(&loop, handle);
  }

private:
  std::shared_ptr<visitors> visitors_;
};

/// CAF's middleman actor with other doors.
class plain_middleman : public caf::io::middleman_actor_impl {
public:
  plain_middleman(caf::actor_config& config, caf::actor basp, std::size_t at_most,
                  const std::function<void(const error&)>& failed)
      : caf::io::middleman_actor_impl(config, std::move(basp)), at_most_(at_most) {
    actors::fail_node_on_trouble(this, failed);
  }

  const char* name() const override { return "continuo.doors"; }

protected:
  caf::expected<caf::io::doorman_ptr> open(std::uint16_t port, const char* address, bool reuse) override {
    auto file = network::new_tcp_acceptor_impl(port, address, reuse);
    if (!file) {
      return std::move(file.error());
    }
    auto& loop = static_cast<network::default_multiplexer&>(system().middleman().backend());
    return caf::io::doorman_ptr{caf::make_counted<plain_doorman>(loop, *file, at_most_)};
  }

private:
  std::size_t at_most_;
};

} // namespace

caf::actor start_plain_doors(caf::actor_system& system, std::size_t at_most,
                             const std::function<void(const error&)>& failed) {
  if (dynamic_cast<network::default_multiplexer*>(&system.middleman().backend()) == nullptr) {
    return nullptr;
  }
  auto basp = system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  return caf::actor_cast<caf::actor>(
      system.spawn<plain_middleman, caf::detached + caf::hidden>(std::move(basp), at_most, failed));
}

} // namespace continuo::nodes
