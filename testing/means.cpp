#include "testing/means.hpp"

#include "testing/simulation.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <mutex>

namespace continuo::testing {

namespace {

class member_clock : public actors::clock {
public:
  member_clock(const simulation& world, const member& of) : world_(&world), of_(&of) {}
  engine::moment now() const override { return world_->moment_of(*of_); }

private:
  const simulation* world_;
  const member* of_;
};

class member_pool : public actors::handler_pool {
public:
  member_pool(simulation& world, member& of) : world_(&world), of_(&of) {}
  void post(messages::envelope message, actors::handler_job job) override {
    world_->post(*of_, std::move(message), std::move(job));
  }
  std::vector<std::string> stop(std::chrono::milliseconds) override { return {}; }

private:
  simulation* world_;
  member* of_;
};

/// The node's disk, whose syncs are points in the run.
class member_store : public journal::store {
public:
  member_store(simulation& world, member& of) : world_(&world), of_(&of), store_(of.disk) {}

  result<void> commit(const journal::batch& changes) override {
    return world_->commit(*of_, changes, [&] { return store_.commit(changes); });
  }
  result<std::optional<std::string>> get(std::string_view key) const override { return store_.get(key); }
  result<void> scan(std::string_view prefix, const journal::visitor& visit,
                    std::string_view after) const override {
    return store_.scan(prefix, visit, after);
  }
  std::uint64_t free_bytes() const override { return store_.free_bytes(); }
  std::uint64_t written_bytes() const override { return store_.written_bytes(); }
  std::uint64_t used_bytes() const override { return store_.used_bytes(); }

private:
  simulation* world_;
  member* of_;
  journal::memory_store store_;
};

/// What nodes log is part of the trace.
class trace_sink : public spdlog::sinks::base_sink<std::mutex> {
public:
  trace_sink(simulation& world, const member& of) : world_(&world), of_(&of) {}

protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    if (of_->system) { // not the last words of one that has crashed
      world_->tell(event_kind::life, of_->name, {},
                   "says: " + std::string{line.payload.data(), line.payload.size()});
    }
  }
  void flush_() override {}

private:
  simulation* world_;
  const member* of_;
};

} // namespace

std::shared_ptr<const actors::clock> clock_of(const simulation& world, const member& of) {
  return std::make_shared<member_clock>(world, of);
}

std::shared_ptr<actors::handler_pool> pool_of(simulation& world, member& of) {
  return std::make_shared<member_pool>(world, of);
}

std::shared_ptr<journal::store> store_of(simulation& world, member& of) {
  return std::make_shared<member_store>(world, of);
}

std::shared_ptr<spdlog::logger> logger_of(simulation& world, const member& of) {
  auto made = std::make_shared<spdlog::logger>(of.name, std::make_shared<trace_sink>(world, of));
  made->set_level(spdlog::level::warn);
  return made;
}

} // namespace continuo::testing
