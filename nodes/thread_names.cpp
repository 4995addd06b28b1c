#include "nodes/thread_names.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/thread_hook.hpp>

#include <pthread.h>

#include <string_view>

namespace continuo::nodes {

namespace {

/// CAF calls it in each thread that it starts, once that has the name that CAF gives it.
class worker_names : public caf::thread_hook {
public:
  void init(caf::actor_system&) override {}
  void thread_started() override {
    char name[16] = {};
    pthread_getname_np(pthread_self(), name, sizeof(name));
    if (std::string_view{name} == "caf.multiplexer") {
      name_thread("caf.worker");
    }
  }
  void thread_terminates() override {}
};

} // namespace

void name_thread(const char* name) {
  pthread_setname_np(pthread_self(), name);
}

void name_workers(caf::actor_system_config& config) {
  config.add_thread_hook<worker_names>();
}

void name_network_thread(caf::actor_system& system) {
  if (system.has_middleman()) {
    system.middleman().backend().post([] { name_thread("caf.network"); });
  }
}

} // namespace continuo::nodes
