// How fast a node deletes instances that have ended, with their histories.

#include "bench/report.hpp"
#include "engine/expiry.hpp"
#include "journal/journal.hpp"
#include "journal/rocksdb_store.hpp"
#include "nodes/runtime.hpp"

#include <continuo/archive.hpp>
#include <continuo/node.hpp>
#include <continuo/saga.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using namespace continuo;
using clock_type = std::chrono::steady_clock;
using engine::expiry_kind;
using put = journal::operation::kind;

struct begun {
  std::string id;
  CONTINUO_FIELDS(begun, id)
};

class process : public saga<process> {
public:
  static void define(saga_definition<process>& saga) { saga.starts_on<begun>(&begun::id); }
  void on(const begun&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(process)
};

double seconds_since(clock_type::time_point begun) {
  return std::chrono::duration<double>(clock_type::now() - begun).count();
}

void require(bool holds, const std::string& what) {
  if (!holds) {
    throw std::runtime_error(what);
  }
}

std::shared_ptr<detail::node_runtime> started(const std::filesystem::path& place, bool sweeps) {
  auto config = node_config::embedded(place.string());
  config.keep_ended = sweeps ? std::chrono::hours{0} : std::chrono::hours::max();
  config.sweep_every = std::chrono::milliseconds{50};
  auto runtime = std::make_shared<detail::node_runtime>(config);
  runtime->host(process::describe());
  const auto up = runtime->start();
  require(up.has_value(), up ? std::string{} : up.error().message);
  return runtime;
}

/// Instances that ended a day ago, each with so many history entries.
void fill(const std::filesystem::path& place, std::uint64_t instances, std::uint64_t entries) {
  started(place, false)->stop();
  const auto store = journal::rocksdb_store::open({.directory = place / "journal"});
  require(store.has_value(), store ? std::string{} : store.error().message);
  std::uint64_t revision = 1'000;
  const auto ended = time_point::clock::now() - std::chrono::hours{24};
  journal::batch changes;
  for (std::uint64_t i = 0; i < instances; ++i) {
    engine::record stored;
    stored.self = {"process", fmt::format("order-{:08}", i * 7'919 % instances)};
    stored.status = instance_status::completed;
    stored.state = std::string(60, 's');
    stored.updated_at = ended + std::chrono::microseconds{i};
    engine::history_entry entry;
    entry.self = stored.self;
    entry.what = "reply";
    entry.in = engine::noted_message{messages::message_kind::reply,
                                     {1, 1, 1},
                                     {"payment", ""},
                                     "paid",
                                     std::string(60, 'p'),
                                     {1, 1, 0},
                                     "pay"};
    for (std::uint64_t of = 0; of < entries; ++of) {
      entry.revision = ++revision;
      changes.push_back({put::put, engine::history_key(entry.self, entry.revision), encode(entry)});
    }
    stored.revision = stored.history = revision;
    changes.push_back({put::put, engine::record_key(stored.self), encode(stored)});
    changes.push_back({put::put, engine::expiry_key(expiry_kind::ended, stored.updated_at, stored.self), {}});
    if (changes.size() > 5'000 || i + 1 == instances) {
      changes.push_back({put::put, std::string{journal::revision_key}, encode(revision)});
      require((*store)->commit(changes).has_value(), "the store does not take it");
      changes.clear();
    }
  }
}

bool is_empty(const actors::core& core) {
  bool any = false;
  require(core.store
              ->scan(engine::expiry_prefix(expiry_kind::ended),
                     [&](std::string_view, std::string_view) {
                       any = true;
                       return false;
                     })
              .has_value(),
          "the index cannot be read");
  return !any;
}

void measure(bench::report& into, const std::filesystem::path& place, std::uint64_t instances,
             std::uint64_t entries) {
  fill(place, instances, entries);
  const auto runtime = started(place, true);
  const auto begun = clock_type::now();
  {
    const auto core = runtime->open_core();
    while (!is_empty(*core)) {
      require(seconds_since(begun) < 600, "it takes more than ten minutes");
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
  }
  const auto took = seconds_since(begun);
  std::uint64_t left = 0;
  {
    const auto core = runtime->open_core();
    static_cast<void>(core->store->scan("hprocess", [&](std::string_view, std::string_view) {
      ++left;
      return true;
    }));
  }
  require(left == 0, fmt::format("{} history entries are left", left));
  runtime->stop();
  const auto rate = static_cast<double>(instances) / took;
  fmt::print("{} ended instances with {} history entries each: {:.2f} s, {} a second\n",
             bench::grouped(static_cast<double>(instances)), entries, took, bench::grouped(rate));
  into.add(
      {{"instances", instances}, {"entries", entries}, {"seconds", took}, {"instances_per_second", rate}});
}

int run(const bench::options& chosen) {
  bench::report report{"expiry", chosen};
  const bench::scratch_directory scratch{chosen.directory};
  const std::uint64_t instances = chosen.quick ? 5'000 : 100'000;
  measure(report, scratch.path() / "short", instances, 6);
  measure(report, scratch.path() / "long", instances / 1'000, 5'000);
  return report.finish();
}

} // namespace

int main(int argc, char** argv) {
  bench::options chosen;
  CLI::App line{"How fast a node deletes instances that have ended, with their histories."};
  chosen.add_to(line);
  CLI11_PARSE(line, argc, argv);
  try {
    return run(chosen);
  } catch (const std::exception& wrong) {
    fmt::print(stderr, "expiry: {}\n", wrong.what());
    return 1;
  }
}
