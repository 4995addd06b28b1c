#include "config/known_keys.hpp"

#include "config/nearest.hpp"

#include <algorithm>
#include <array>

namespace continuo::config {

namespace {

constexpr std::int64_t second = 1'000;
constexpr std::int64_t hour = 3'600 * second;
constexpr std::int64_t mebibyte = 1 << 20;
constexpr std::int64_t tebibyte = mebibyte << 20;

using enum value_kind;

// The limits of a node, in [node] for all and in [nodes.NAME] for one.
// clang-format off
#define CONTINUO_LIMITS(section)                                                             \
  known_key{section "in-flight", number, 1, 100'000'000},                                    \
  known_key{section "instances-in-memory", number, 1, 100'000'000},                          \
  known_key{section "shards", number, 1, 1'024},                                             \
  known_key{section "disk-reserve", size, 0, 1'024 * tebibyte},                              \
  known_key{section "store-memory", size, mebibyte, tebibyte},                               \
  known_key{section "keep-ended", duration, hour, 20 * 366 * 24 * hour, hour},               \
    known_key{section "history", flag},                                                        \
  known_key{section "backup-folder", path},                                                  \
  known_key{section "trace-folder", path},                                                   \
  known_key{section "trace-url", url},                                                       \
  known_key{section "log-level", choice, 0, 0, 1, "trace debug info warn error critical off"}, \
  known_key{section "handler-attempts", number, 1, 1'000},                                   \
  known_key{section "handler-delay", duration, 1, hour}

constexpr std::string_view no_log = "CAF's own log is not used; set log-level in [node]";
constexpr std::string_view certificates = "set certificates in [cluster]";

constexpr std::array keys{
  known_key{"cluster.name", name},
  known_key{"cluster.program", path},
  known_key{"cluster.arguments", texts},
  known_key{"cluster.data", path},
  known_key{"cluster.tls", choice, 0, 0, 1, "on off"},
  known_key{"cluster.certificates", path},
  known_key{"cluster.token-file", path},
  known_key{"cluster.http-tls", choice, 0, 0, 1, "on off"},
  known_key{"cluster.http-authority", path},
  known_key{"cluster.heartbeat", duration, second, hour},
  known_key{"cluster.silence", duration, second, 24 * hour},
  known_key{"cluster.redial-cap", duration, 1, hour},
  known_key{"cluster.move-after", duration, 1, 366 * 24 * hour},

  CONTINUO_LIMITS("node."),

  known_key{"nodes.*.address", address},
  known_key{"nodes.*.listen", listener},
  known_key{"nodes.*.http", listener},
  known_key{"nodes.*.http-listen", listener},
  known_key{"nodes.*.http-certificate", path},
  known_key{"nodes.*.http-key", path},
  known_key{"nodes.*.hosts", names},
  known_key{"nodes.*.program", path},
  known_key{"nodes.*.arguments", texts},
  known_key{"nodes.*.data", path},
  known_key{"nodes.*.environment", environment},
  CONTINUO_LIMITS("nodes.*."),

  known_key{"services.*.url", url},
  known_key{"services.*.timeout", duration, 1, hour},
  known_key{"services.*.attempts", number, 1, 1'000'000'000},
  known_key{"services.*.connections", number, 1, 1'024},
  known_key{"services.*.concurrency", number, 1, 1'024},
  known_key{"services.*.rate", number, 1, 1'000'000},
  known_key{"services.*.rate-per", duration, 1, 24 * hour},
  known_key{"services.*.burst", number, 1, 1'000'000},
  known_key{"services.*.breaker-failures", number, 1, 1'000'000},
  known_key{"services.*.breaker-wait", duration, 1, 366 * 24 * hour},

  known_key{"schedules.*.when", text},
  known_key{"schedules.*.zone", text},
  known_key{"schedules.*.event", text},
  known_key{"schedules.*.body", text},
  known_key{"schedules.*.catch-up", choice, 0, 0, 1, "skip once all"},
  known_key{"schedules.*.overlap", choice, 0, 0, 1, "allow skip"},

  // CAF's own.
  known_key{"scheduler.policy", choice, 0, 0, 1, "stealing sharing"},
  known_key{"scheduler.max-threads", number, 1, 1'024},
  known_key{"scheduler.max-throughput", number, 1, 1'000'000'000},
  known_key{"scheduler.enable-profiling", flag},
  known_key{"scheduler.profiling-resolution", duration, 1, hour},
  known_key{"scheduler.profiling-output-file", path},
  known_key{"work-stealing.aggressive-poll-attempts", number, 1, 1'000'000'000},
  known_key{"work-stealing.aggressive-steal-interval", number, 1, 1'000'000'000},
  known_key{"work-stealing.moderate-poll-attempts", number, 1, 1'000'000'000},
  known_key{"work-stealing.moderate-steal-interval", number, 1, 1'000'000'000},
  known_key{"work-stealing.moderate-sleep-duration", duration, 0, second, 0},
  known_key{"work-stealing.relaxed-steal-interval", number, 1, 1'000'000'000},
  known_key{"work-stealing.relaxed-sleep-duration", duration, 0, second, 0},
  known_key{"middleman.max-consecutive-reads", number, 1, 1'000'000'000},
  known_key{"middleman.workers", number, 0, 1'024},

  known_key{"middleman.heartbeat-interval", refused, 0, 0, 1, {}, "set heartbeat in [cluster]"},
  known_key{"middleman.connection-timeout", refused, 0, 0, 1, {}, "set silence in [cluster]"},
  known_key{"middleman.app-identifiers", refused, 0, 0, 1, {}, "set name in [cluster]"},
  known_key{"middleman.app-identifier", refused, 0, 0, 1, {}, "set name in [cluster]"},
  known_key{"middleman.enable-automatic-connections", refused, 0, 0, 1, {},
            "nodes connect to each address of [nodes.NAME], and to nothing else"},
  known_key{"middleman.attach-utility-actors", refused, 0, 0, 1, {}, "nodes need them in threads of their own"},
  known_key{"middleman.manual-multiplexing", refused, 0, 0, 1, {}, "nodes run the multiplexer themselves"},
  known_key{"middleman.network-backend", refused, 0, 0, 1, {}, "nodes choose it by tls in [cluster]"},
  known_key{"openssl.certificate", refused, 0, 0, 1, {}, certificates},
  known_key{"openssl.key", refused, 0, 0, 1, {}, certificates},
  known_key{"openssl.passphrase", refused, 0, 0, 1, {}, "keys are files without a passphrase, readable by the "
                                                        "node only"},
  known_key{"openssl.capath", refused, 0, 0, 1, {}, certificates},
  known_key{"openssl.cafile", refused, 0, 0, 1, {}, certificates},
  known_key{"stream.desired-batch-complexity", refused, 0, 0, 1, {}, "nodes use no streams of CAF"},
  known_key{"stream.max-batch-delay", refused, 0, 0, 1, {}, "nodes use no streams of CAF"},
  known_key{"stream.credit-round-interval", refused, 0, 0, 1, {}, "nodes use no streams of CAF"},
  known_key{"logger.verbosity", refused, 0, 0, 1, {}, no_log},
  known_key{"logger.file-name", refused, 0, 0, 1, {}, no_log},
  known_key{"logger.file-format", refused, 0, 0, 1, {}, no_log},
  known_key{"logger.file-verbosity", refused, 0, 0, 1, {}, no_log},
  known_key{"logger.console", refused, 0, 0, 1, {}, no_log},
  known_key{"logger.console-format", refused, 0, 0, 1, {}, no_log},
  known_key{"logger.console-verbosity", refused, 0, 0, 1, {}, no_log},
  known_key{"logger.component-blacklist", refused, 0, 0, 1, {}, no_log},
  known_key{"logger.inline-output", refused, 0, 0, 1, {}, no_log},
};
// clang-format on
#undef CONTINUO_LIMITS

std::string_view section_of(std::string_view path) {
  return path.substr(0, path.rfind('.'));
}

} // namespace

std::string_view last_of(std::string_view path) {
  return path.substr(path.rfind('.') + 1);
}

std::span<const known_key> known_keys() {
  return keys;
}

std::string pattern_of(std::string_view path) {
  for (const std::string_view named : {"nodes.", "services.", "schedules."}) {
    if (path.starts_with(named)) {
      const auto name = path.substr(named.size());
      const auto rest = name.substr(std::min(name.find('.'), name.size()));
      return std::string{named} + '*' + std::string{rest};
    }
  }
  return std::string{path};
}

const known_key* find_key(std::string_view path) {
  const auto pattern = pattern_of(path);
  const auto* found =
      std::find_if(keys.begin(), keys.end(), [&](const known_key& key) { return key.path == pattern; });
  return found == keys.end() ? nullptr : found;
}

bool is_section(std::string_view path) {
  const auto pattern = pattern_of(path);
  return pattern == "nodes" || pattern == "services" || pattern == "schedules" ||
         std::any_of(keys.begin(), keys.end(),
                     [&](const known_key& key) { return section_of(key.path) == pattern; });
}

std::string nearest_key(std::string_view path) {
  const auto pattern = pattern_of(path);
  const auto section = section_of(pattern);
  const auto last = last_of(pattern);
  const known_key* best = nullptr;
  const auto rank = [&](const known_key& key) {
    return std::pair{edit_distance(last, last_of(key.path)), section_of(key.path) != section};
  };
  for (const auto& key : keys) {
    // A slip of the key in its section, or the very key in a wrong one.
    const bool fits =
        key.kind != refused &&
        (section_of(key.path) == section ? is_like(last, last_of(key.path)) : last == last_of(key.path));
    if (fits && (best == nullptr || rank(key) < rank(*best))) {
      best = &key;
    }
  }
  if (best == nullptr) {
    return {};
  }
  if (section_of(best->path) == section) {
    return std::string{section_of(path)} + "." + std::string{last_of(best->path)};
  }
  std::string found{best->path};
  if (const auto star = found.find('*'); star != std::string::npos) {
    found.replace(star, 1, "NAME");
  }
  return found;
}

std::string nearest_section(std::string_view path) {
  const auto top = path.substr(0, path.find('.'));
  if (top.size() < path.size()) { // only these have sections with a dot
    for (const std::string_view named : {"nodes", "services", "schedules"}) {
      if (is_like(top, named)) {
        return std::string{named} + ".NAME";
      }
    }
  }
  std::string best;
  for (const auto& key : keys) {
    const auto section = key.path.substr(0, key.path.find('.'));
    if (is_like(top, section) && (best.empty() || edit_distance(top, section) < edit_distance(top, best))) {
      best = section;
    }
  }
  return best == "nodes" || best == "services" || best == "schedules" ? best + ".NAME" : best;
}

} // namespace continuo::config
