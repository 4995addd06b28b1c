#include "nodes/metrics.hpp"

#include "engine/placement.hpp"
#include "nodes/runtime.hpp"

#include <continuo/version.hpp>

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <sstream>
#include <unistd.h>
#include <utility>

namespace continuo::nodes {

namespace {

using labels = std::vector<prometheus::ClientMetric::Label>;

constexpr instance_status statuses[] = {instance_status::running,   instance_status::compensating,
                                        instance_status::paused,    instance_status::stuck,
                                        instance_status::completed, instance_status::compensated};

template <class Duration>
double seconds_of(Duration time) {
  return std::chrono::duration<double>(time).count();
}

/// The metrics of one answer. A metric that is begun may get any number of series.
class page {
public:
  void gauge(const char* name, const char* help) { begin(name, help, prometheus::MetricType::Gauge); }
  void counter(const char* name, const char* help) { begin(name, help, prometheus::MetricType::Counter); }
  void histogram(const char* name, const char* help) { begin(name, help, prometheus::MetricType::Histogram); }

  /// A series of the metric begun last. @pre that is a gauge or a counter
  template <class Number>
  void value(Number number, labels with = {}) {
    auto& family = families_.back();
    auto& series = family.metric.emplace_back();
    series.label = std::move(with);
    const auto is_gauge = family.type == prometheus::MetricType::Gauge;
    (is_gauge ? series.gauge.value : series.counter.value) = static_cast<double>(number);
  }

  /// A series of the histogram begun last; `unit` is what one of its values is worth.
  void values(const journal::histogram& from, double unit, labels with = {}) {
    auto& series = families_.back().metric.emplace_back();
    series.label = std::move(with);
    std::uint64_t so_far = 0;
    const auto bounds = from.bounds();
    for (std::size_t i = 0; i <= bounds.size(); ++i) {
      so_far += from.in_bucket(i);
      const auto bound =
          i < bounds.size() ? static_cast<double>(bounds[i]) * unit : std::numeric_limits<double>::infinity();
      series.histogram.bucket.push_back({so_far, bound});
    }
    series.histogram.sample_count = so_far; // of the same reading, so that it equals the last bucket
    series.histogram.sample_sum = static_cast<double>(from.sum()) * unit;
  }

  std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer{}.Serialize(out, families_);
    return out.str();
  }

private:
  void begin(const char* name, const char* help, prometheus::MetricType type) {
    families_.push_back({name, help, type, {}});
  }

  std::vector<prometheus::MetricFamily> families_;
};

void add_node(page& out, const detail::node_runtime& node) {
  const auto& config = node.config();
  out.gauge("continuo_build_info", "The version that runs, and which node it is; always 1.");
  out.value(1, {{"version", std::string{version()}},
                {"cluster", config.cluster ? config.cluster->name : std::string{}},
                {"node", config.name}});
  out.gauge("continuo_start_time_seconds", "When the node was started, in seconds since 1970.");
  out.value(seconds_of(node.started_at().time_since_epoch()));
  out.gauge("continuo_recovery_seconds", "How long the start took, until messages were taken.");
  out.value(seconds_of(node.recovery().took));
  out.gauge("continuo_recovery_records", "Records read at the start.");
  out.value(node.recovery().records);
  out.gauge("continuo_resident_memory_bytes", "Memory of the process that is in RAM.");
  out.value(resident_bytes());
}

void add_journal(page& out, const actors::core& shared, std::uint64_t disk_reserve) {
  const auto& written = *shared.written;
  out.counter("continuo_transitions_total", "Transitions made durable.");
  out.value(written.commits.load());
  out.histogram("continuo_journal_sync_seconds", "How long writing and syncing one batch took.");
  out.values(written.sync_times, 1e-9);
  out.histogram("continuo_journal_batch_transitions", "Transitions in one batch, which share a sync.");
  out.values(written.batches, 1);
  out.counter("continuo_journal_operations_total", "Keys written or deleted.");
  out.value(written.operations.load());
  out.counter("continuo_journal_written_bytes_total", "Bytes of keys and values written.");
  out.value(written.bytes.load());
  out.gauge("continuo_journal_size_bytes", "Bytes that the journal takes on its disk.");
  out.value(shared.store->used_bytes());
  out.gauge("continuo_disk_free_bytes", "Bytes that are free on the journal's disk.");
  out.value(shared.store->free_bytes());
  out.gauge("continuo_disk_reserve_bytes", "Free bytes below which starts are refused (disk-reserve).");
  out.value(disk_reserve);
}

void add_instances(page& out, const actors::core& shared, const survey& counted) {
  auto instances = counted.instances; // whatever the records say, and a zero for what runs here
  const auto add_type = [&](const std::string& type) {
    for (const auto status : statuses) {
      instances.try_emplace({type, status}, 0);
    }
  };
  const auto& where = shared.routes.where();
  for (const auto& [name, saga] : shared.sagas) {
    if (where.runs_here(name)) {
      add_type(name);
    }
  }
  for (const auto& [name, service] : shared.keyed_services) {
    if (where.runs_here(name)) {
      add_type(name);
    }
  }
  out.gauge("continuo_instances", "Instances of sagas and keyed services, by status.");
  for (const auto& [what, count] : instances) {
    out.value(count, {{"type", what.first}, {"status", std::string{to_string(what.second)}}});
  }
  out.gauge("continuo_orphaned_instances",
            "Instances found since the start that nothing can wake; anything but 0 is a bug in a saga.");
  out.value(shared.orphaned.load());
  out.gauge("continuo_in_flight_instances", "Instances accepted and not yet parked.");
  out.value(shared.in_flight.load());
  out.gauge("continuo_in_flight_limit", "In-flight instances beyond which starts are refused.");
  out.value(shared.bounds.in_flight);
  out.gauge("continuo_dead_letters", "Messages that failed for good and wait for a person.");
  out.value(counted.dead_letters);
  out.counter("continuo_dead_letters_made_total", "Messages that failed for good.");
  out.value(shared.letters_made.load());
  out.gauge("continuo_survey_age_seconds",
            "How long ago the records were counted: the age of what is by status or waits.");
  out.value(std::max(0.0, seconds_of(shared.time->now().wall - counted.at)));
}

/// What this node's instances wait for, from services on any node.
void add_waiting(page& out, const actors::core& shared, const survey& counted) {
  std::map<std::string, open_commands> waiting = counted.commands;
  for (const auto& [name, service] : shared.services) {
    waiting.try_emplace(name);
  }
  for (const auto& [name, service] : shared.keyed_services) {
    waiting.try_emplace(name);
  }
  out.gauge("continuo_waiting_commands", "Commands sent by this node that have no outcome yet.");
  for (const auto& [service, open] : waiting) {
    out.value(open.count, {{"service", service}});
  }
  out.gauge("continuo_oldest_waiting_command_seconds", "Age of the oldest of the waiting commands; 0: none.");
  for (const auto& [service, open] : waiting) {
    out.value(open.count == 0 ? 0.0 : std::max(0.0, seconds_of(counted.at - open.oldest)),
              {{"service", service}});
  }
}

/// What services did on this node.
void add_services(page& out, const actors::core& shared, const survey& counted) {
  const auto each = [&](const auto& number) {
    for (const auto& [service, counts] : shared.service_counts) {
      out.value(number(counts), {{"service", service}});
    }
  };
  out.gauge("continuo_commands_in_execution", "Handlers of stateless services that run now.");
  for (const auto& [service, counts] : shared.service_counts) {
    if (shared.services.find(service) != shared.services.end()) {
      out.value(counts.in_execution.load(), {{"service", service}});
    }
  }
  out.gauge("continuo_service_paused", "Whether an operator has paused the stateless service: 1, or 0.");
  for (const auto& [service, definition] : shared.services) {
    out.value(shared.paused.pause_of(service) ? 1 : 0, {{"service", service}});
  }
  const auto each_stateless = [&](const auto& number) {
    for (const auto& [service, counts] : shared.service_counts) {
      if (shared.services.find(service) != shared.services.end()) {
        out.value(number(counts), {{"service", service}});
      }
    }
  };
  out.gauge("continuo_queued_commands",
            "Commands and events in this node's memory that wait for their turn.");
  for (const auto& [service, counts] : shared.service_counts) {
    if (shared.services.find(service) != shared.services.end()) {
      for (const auto& [of, name] : {std::pair{priority::high, "high"}, std::pair{priority::normal, "normal"},
                                     std::pair{priority::low, "low"}}) {
        out.value(counts.queued[static_cast<std::size_t>(of)].load(),
                  {{"service", service}, {"priority", name}});
      }
    }
  }
  out.gauge("continuo_breaker_open",
            "Whether the service's breaker lets nothing, or one attempt, through: 1, or 0.");
  each_stateless([](const actors::service_counters& counts) { return counts.breaker_open.load() ? 1 : 0; });
  out.counter("continuo_breaker_opened_total", "How often the service's breaker has opened.");
  each_stateless([](const actors::service_counters& counts) { return counts.breaker_opened.load(); });
  out.gauge("continuo_parked_commands",
            "Commands of stateless services that failed for good and wait for a person.");
  auto parked = counted.parked;
  for (const auto& [service, counts] : shared.service_counts) {
    if (shared.services.find(service) != shared.services.end()) {
      parked.try_emplace(service, 0);
    }
  }
  for (const auto& [service, count] : parked) {
    out.value(count, {{"service", service}});
  }
  out.counter("continuo_commands_completed_total", "Commands that got their reply, and events handled.");
  each([](const actors::service_counters& counts) { return counts.completed.load(); });
  out.counter("continuo_commands_failed_total",
              "Commands that the handler declined, and commands and events given up after the last attempt.");
  for (const auto& [service, counts] : shared.service_counts) {
    out.value(counts.declined.load(), {{"service", service}, {"reason", "declined"}});
    out.value(counts.gave_up.load(), {{"service", service}, {"reason", "gave_up"}});
  }
  out.counter("continuo_messages_unknown_total",
              "Messages that this program does not know: they wait with their senders for one that does.");
  for (const auto& [service, counts] : shared.service_counts) {
    out.value(shared.unknown.count_of(service), {{"service", service}});
  }
  for (const auto& [saga, environment] : shared.saga_environments) {
    out.value(shared.unknown.count_of(saga), {{"service", saga}});
  }
  out.counter("continuo_command_retries_total", "Attempts after the first one.");
  each([](const actors::service_counters& counts) { return counts.retries.load(); });
  out.histogram("continuo_handler_seconds", "How long one attempt of a handler took.");
  for (const auto& [service, counts] : shared.service_counts) {
    out.values(counts.handler_times, 1e-9, {{"service", service}});
  }
}

void add_links(page& out, const actors::core& shared) {
  const auto peers = shared.peers.all();
  const auto each = [&](const auto& number) {
    for (const auto& peer : peers) {
      out.value(number(peer), {{"peer", peer.name}});
    }
  };
  out.gauge("continuo_link_up", "Whether the peer is connected: 1, or 0.");
  each([](const peer_status& peer) { return peer.up ? 1 : 0; });
  out.counter("continuo_link_connections_total", "Connections to the peer that came about.");
  each([](const peer_status& peer) { return peer.connections; });
  out.gauge("continuo_link_waiting_messages", "Messages for the peer that wait until it takes more.");
  each([](const peer_status& peer) { return peer.waiting; });
  out.gauge("continuo_link_unacknowledged_units",
            "What was sent to the peer and not yet acknowledged, in units of credit.");
  each([](const peer_status& peer) { return peer.unanswered; });
}

} // namespace

std::uint64_t resident_bytes() {
  std::ifstream in{"/proc/self/statm"};
  std::uint64_t all = 0;
  std::uint64_t pages = 0;
  in >> all >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string metrics_text(const actors::core& shared, const detail::node_runtime& node,
                         const survey& counted) {
  page out;
  add_node(out, node);
  add_journal(out, shared, node.config().disk_reserve);
  add_instances(out, shared, counted);
  add_waiting(out, shared, counted);
  add_services(out, shared, counted);
  add_links(out, shared);
  return out.text();
}

} // namespace continuo::nodes
