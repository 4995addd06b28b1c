#include "config/cluster_file.hpp"

#include "config/known_keys.hpp"
#include "config/scanner.hpp"
#include "config/values.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/timespan.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

namespace continuo::config {

namespace {

namespace fs = std::filesystem;

bool stands_in(std::string_view path, std::string_view table) {
  return path.size() > table.size() && path.starts_with(table) && path[table.size()] == '.';
}

std::string_view parent_of(std::string_view path) {
  const auto dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

fs::path made_absolute(const fs::path& path) {
  std::error_code failed;
  auto found = fs::absolute(path, failed);
  return (failed ? path : found).lexically_normal();
}

// -- what the entries say -----------------------------------------------------------------------

/// The values of a file by their paths, each of its key's type, and the mistakes among them.
class contents {
public:
  explicit contents(const std::vector<entry>& entries) {
    for (const auto& entry : entries) {
      lines_.emplace(entry.path, entry.line);
      check(entry);
    }
  }

  /// A section [nodes.NAME], [services.NAME] or [schedules.NAME].
  struct node {
    std::string name;
    unsigned line;
  };

  // -- queries -----------------------------------------------------------------------------------
  const std::vector<node>& nodes() const { return nodes_; }
  const std::vector<node>& services() const { return services_; }
  const std::vector<node>& schedules() const { return schedules_; }

  const auto& values() const { return values_; }

  const auto& variables() const { return variables_; }

  bool has(const std::string& path) const { return lines_.count(path) != 0; }

  /// Whether the key has a good value, or none.
  bool is_sound(const std::string& path) const { return !has(path) || values_.count(path) != 0; }

  unsigned line_of(const std::string& path, unsigned otherwise) const {
    const auto found = lines_.find(path);
    return found == lines_.end() ? otherwise : found->second;
  }

  template <class T>
  std::optional<T> get(const std::string& path) const {
    const auto found = values_.find(path);
    return found == values_.end() ? std::nullopt : std::optional<T>{caf::get<T>(found->second)};
  }

  // -- mistakes ----------------------------------------------------------------------------------
  void complain(unsigned line, std::string_view key, std::string_view sentence) {
    mistakes_.emplace_back(line, fmt::format("{}: {}", key, sentence));
  }

  bool is_good() const { return mistakes_.empty(); }

  /// All mistakes, in the order of lines.
  error mistakes(const std::string& file) {
    std::stable_sort(mistakes_.begin(), mistakes_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    error all{errc::invalid_configuration, {}};
    for (const auto& [line, sentence] : mistakes_) {
      all.message += fmt::format("{}{}:{}: {}", all.message.empty() ? "" : "\n", file, line, sentence);
    }
    return all;
  }

private:
  void check(const entry& entry) {
    // Parts of a list are for the check of the list.
    const bool known_wrong = std::any_of(wrong_tables_.begin(), wrong_tables_.end(),
                                         [&](const auto& table) { return stands_in(entry.path, table); });
    if (known_wrong || entry.path.find('[') != std::string::npos) {
      return;
    }
    if (entry.kind == entry_kind::value) {
      check_value(entry);
    } else {
      check_table(entry);
    }
  }

  void check_table(const entry& table) {
    const auto* key = find_key(table.path);
    if (key != nullptr && key->kind == value_kind::environment) {
      return;
    }
    if (is_section(table.path)) {
      if (parent_of(table.path) == "nodes") {
        add_node(table);
      } else if (parent_of(table.path) == "services") {
        services_.push_back({std::string{last_of(table.path)}, table.line});
      } else if (parent_of(table.path) == "schedules") {
        schedules_.push_back({std::string{last_of(table.path)}, table.line});
      }
      return;
    }
    wrong_tables_.push_back(table.path);
    if (key != nullptr) {
      complain(table.line, table.path,
               key->kind == value_kind::refused ? refusal(*key) : std::string{is_no_table});
    } else if (table.kind == entry_kind::section) {
      const auto like = nearest_section(table.path);
      complain(
          table.line, table.path,
          like.empty()
              ? "there is no such section; the sections are [cluster], [node], [nodes.NAME], "
                "[services.NAME], [schedules.NAME] and, of CAF, [scheduler], [work-stealing] and [middleman]"
              : fmt::format("there is no such section; did you mean [{}]?", like));
    } else {
      complain(table.line, table.path, unknown(table.path));
    }
  }

  void add_node(const entry& table) {
    const auto name = last_of(table.path);
    if (!is_name(name)) {
      complain(table.line, table.path,
               "the name of the node is too long; write up to 64 letters, digits, - and _");
    }
    nodes_.push_back({std::string{name}, table.line});
    if (nodes_.size() == nodes_max + 1) {
      complain(table.line, table.path,
               fmt::format("there are too many nodes; a cluster has at most {}", nodes_max));
    }
  }

  void check_value(const entry& value) {
    const auto* around = find_key(parent_of(value.path));
    if (around != nullptr && around->kind == value_kind::environment) {
      return check_variable(value);
    }
    const auto* key = find_key(value.path);
    if (key == nullptr) {
      complain(value.line, value.path,
               is_section(value.path) ? fmt::format("it is a {}; write a section [{}]",
                                                    parent_of(value.path) == "nodes"      ? "node"
                                                    : parent_of(value.path) == "services" ? "service"
                                                                                          : "schedule",
                                                    value.path)
                                      : unknown(value.path));
    } else if (key->kind == value_kind::refused) {
      complain(value.line, value.path, refusal(*key));
    } else if (key->kind == value_kind::environment) {
      complain(value.line, value.path, "it is no dictionary; write {NAME=\"value\", NAME=\"value\"}");
    } else if (auto read = read_value(*key, value.text)) {
      values_.emplace(value.path, std::move(*read));
    } else {
      complain(value.line, value.path, read.error().message);
    }
  }

  void check_variable(const entry& variable) {
    const auto name = last_of(variable.path);
    if (name.find('-') != std::string_view::npos || (name.front() >= '0' && name.front() <= '9')) {
      complain(variable.line, variable.path, "it is no name of a variable; write letters, digits and _");
    } else if (auto text = read_text(variable.text, true)) {
      variables_[std::string{parent_of(variable.path)}].emplace(name, *text);
    } else {
      complain(variable.line, variable.path, text.error().message);
    }
  }

  static std::string unknown(std::string_view path) {
    const auto like = nearest_key(path);
    return like.empty() ? "there is no such key; remove it"
                        : fmt::format("there is no such key; did you mean {}?", like);
  }

  static std::string refusal(const known_key& key) {
    return fmt::format("CAF's key is not set here; {}", key.advice);
  }

  static constexpr std::string_view is_no_table =
      "it is a dictionary or section; write a single value, KEY=VALUE";

  std::map<std::string, unsigned> lines_;
  std::map<std::string, caf::config_value> values_;
  std::map<std::string, std::map<std::string, std::string>> variables_;
  std::vector<node> nodes_;
  std::vector<node> services_;
  std::vector<node> schedules_;
  std::vector<std::string> wrong_tables_;
  std::vector<std::pair<unsigned, std::string>> mistakes_;
};

// -- checks that need more than one key ------------------------------------------------------------

std::string key_of(const contents::node& node, std::string_view key) {
  return fmt::format("nodes.{}.{}", node.name, key);
}

void check_presence(contents& file) {
  if (!file.has("cluster.name")) {
    file.complain(file.line_of("cluster", 1), "cluster.name",
                  "the cluster has no name; write name=\"...\" in [cluster]");
  }
  if (file.nodes().empty()) {
    file.complain(file.line_of("nodes", 1), "nodes",
                  "there is no node; write a section [nodes.NAME] for each");
  }
  for (const auto& node : file.nodes()) {
    if (const auto key = key_of(node, "address"); !file.has(key)) {
      file.complain(node.line, key, "the node has no address; write address=\"HOST:PORT\"");
    }
    if (const auto key = key_of(node, "hosts"); !file.has(key)) {
      file.complain(node.line, key,
                    "it is not said what the node hosts; write hosts=[\"...\"] with sagas and "
                    "services, or hosts=[] where it only takes in what clients send");
    }
  }
}

void check_times(contents& file) {
  const cluster_config defaults;
  if (!file.is_sound("cluster.heartbeat") || !file.is_sound("cluster.silence")) {
    return;
  }
  const auto heartbeat = file.get<caf::timespan>("cluster.heartbeat").value_or(defaults.heartbeat);
  const auto silence = file.get<caf::timespan>("cluster.silence").value_or(defaults.silence);
  if (silence <= 2 * heartbeat) {
    const auto in_ms = [](auto time) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    };
    file.complain(file.line_of("cluster.silence", file.line_of("cluster.heartbeat", 1)), "cluster.silence",
                  fmt::format("it is {}ms and heartbeat {}ms; write more than twice heartbeat",
                              in_ms(silence), in_ms(heartbeat)));
  }
}

/// Ports that are given to somebody, by address.
using holders = std::map<std::string, std::string>;

void check_port(contents& file, holders& taken, const std::string& key, unsigned line,
                const endpoint& address, const std::string& text, const std::string& who) {
  if (const auto [holder, is_new] = taken.emplace(address.key, who); !is_new) {
    file.complain(line, key,
                  fmt::format("\"{}\" is the address of {} too; give each node a port of its own", text,
                              holder->second));
  }
}

/// An address that stands in the file.
struct written {
  std::string key;
  std::string text;
  unsigned line;
  endpoint address;
};

std::optional<written> find_address(const contents& file, const contents::node& node, std::string_view key) {
  const auto path = key_of(node, key);
  const auto text = file.get<std::string>(path);
  const auto address = text ? read_endpoint(*text) : result<endpoint>{};
  if (!text || !address) {
    return std::nullopt;
  }
  return written{path, *text, file.line_of(path, node.line), *address};
}

void check_peer_addresses(contents& file, holders& taken) {
  const bool off = file.get<std::string>("cluster.tls") == "off";
  for (const auto& node : file.nodes()) {
    const auto address = find_address(file, node, "address");
    for (const auto& one : {address, find_address(file, node, "listen")}) {
      if (off && one && !one->address.loopback) {
        file.complain(
            one->line, one->key,
            fmt::format("\"{}\" is no loopback address and cluster.tls is \"off\"; write tls=\"on\", or an "
                        "address as \"127.0.0.1:{}\"",
                        one->text, one->address.port));
      }
    }
    if (address) {
      check_port(file, taken, address->key, address->line, address->address, address->text, node.name);
    }
  }
}

/// Whether a process that listens at one of them cannot listen at the other.
bool overlap(const endpoint& a, const endpoint& b) {
  return a.port == b.port && (a.any || b.any || a.key == b.key);
}

void check_http_addresses(contents& file, holders& taken) {
  for (const auto& node : file.nodes()) {
    const auto http = find_address(file, node, "http");
    const auto listen = find_address(file, node, "http-listen");
    if (http && !http->address.any) {
      check_port(file, taken, http->key, http->line, http->address, http->text, node.name);
    }
    const auto address = find_address(file, node, "address");
    const auto of_peers = find_address(file, node, "listen");
    const auto& here = listen ? listen : http;
    const auto& there = of_peers ? of_peers : address;
    const auto is_new = listen || of_peers || (http && http->address.any); // else it was compared above
    if (is_new && here && there && overlap(here->address, there->address)) {
      file.complain(here->line, here->key,
                    fmt::format("\"{}\" is where the node listens for its peers too; give it another port",
                                here->text));
    }
    for (const auto* name : {"http-listen", "http-certificate", "http-key"}) {
      if (const auto key = key_of(node, name); file.has(key) && !file.has(key_of(node, "http"))) {
        file.complain(file.line_of(key, node.line), key,
                      "the node has no http address; write http=\"HOST:PORT\", as clients use it");
      }
    }
    for (const auto& [name, other] :
         {std::pair{"http-certificate", "http-key"}, std::pair{"http-key", "http-certificate"}}) {
      if (const auto key = key_of(node, name); file.has(key) && !file.has(key_of(node, other))) {
        file.complain(file.line_of(key, node.line), key,
                      fmt::format("there is no {0}; write {0}=\"FILE\" beside it", other));
      }
    }
  }
}

void check_addresses(contents& file) {
  holders taken;
  check_peer_addresses(file, taken);
  check_http_addresses(file, taken);
}

/// What goes only together with something else.
void check_service(contents& file, const contents::node& service) {
  const auto key = [&](std::string_view name) { return fmt::format("services.{}.{}", service.name, name); };
  const auto has = [&](std::string_view name) { return file.has(key(name)); };
  const auto limits = has("concurrency") || has("rate") || has("breaker-failures");
  const auto calls = has("timeout") || has("attempts") || has("connections");
  if (!has("url") && (calls || !limits)) {
    file.complain(service.line, key("url"), "the service has no URL; write url=\"http://HOST:PORT\"");
  }
  if (has("url") && has("concurrency")) {
    file.complain(file.line_of(key("concurrency"), service.line), key("concurrency"),
                  "an HTTP endpoint answers it; set connections");
  }
  for (const auto& [part, whole] : {std::pair{"rate-per", "rate"}, std::pair{"burst", "rate"},
                                    std::pair{"breaker-wait", "breaker-failures"}}) {
    if (has(part) && !has(whole)) {
      file.complain(file.line_of(key(part), service.line), key(part),
                    fmt::format("it goes with {0}, which is not there; write {0}=10", whole));
    }
  }
}

/// A service that nobody hosts is a slip of its name.
void check_services(contents& file) {
  std::set<std::string> hosted;
  bool sound = true;
  for (const auto& node : file.nodes()) {
    const auto key = key_of(node, "hosts");
    sound = sound && file.has(key) && file.is_sound(key);
    if (const auto names = file.get<caf::config_value::list>(key)) {
      for (const auto& name : *names) {
        hosted.insert(caf::get<std::string>(name));
      }
    }
  }
  for (const auto& service : file.services()) {
    const auto section = "services." + service.name;
    check_service(file, service);
    if (sound && !hosted.contains(service.name)) {
      file.complain(
          service.line, section,
          fmt::format("no node hosts {}; the nodes host {}", service.name, fmt::join(hosted, ", ")));
    }
  }
}

/// What the node can only know with its program (the event, its body, the time zone) it checks as it starts.
void check_schedules(contents& file) {
  for (const auto& one : file.schedules()) {
    const auto section = "schedules." + one.name;
    if (!is_name(one.name)) {
      file.complain(one.line, section,
                    "the name of the schedule is too long; write up to 64 letters, digits, - and _");
    }
    if (const auto key = section + ".when"; !file.has(key)) {
      file.complain(one.line, key,
                    "it is not said when; write when=\"30 2 * * mon-fri\", \"@daily\" or \"@every 10m\"");
    }
    if (const auto key = section + ".event"; !file.has(key)) {
      file.complain(one.line, key,
                    "it is not said what is published; write event=\"...\" with an event's name");
    }
  }
}

void check_data(contents& file, const cluster_file& found) {
  std::map<fs::path, std::string> holders;
  for (const auto& node : found.nodes) {
    const auto& name = node.seen_by_peers.name;
    if (const auto [holder, is_new] = holders.emplace(node.data, name); !is_new) {
      const auto key = fmt::format("nodes.{}.data", name);
      file.complain(file.line_of(key, node.line), key,
                    fmt::format("{} is the data directory of {} too; give each node one of its own",
                                node.data.string(), holder->second));
    }
  }
}

/// What a node finds in its data that is not its own it refuses, and so would it a backup there.
void check_backups(contents& file, const cluster_file& found) {
  for (const auto& node : found.nodes) {
    const auto& folder = node.limits.backup_folder;
    const auto own = fmt::format("nodes.{}.backup-folder", node.seen_by_peers.name);
    const auto key = file.has(own) ? own : "node.backup-folder";
    for (const auto& other : found.nodes) {
      const auto way = folder.lexically_relative(other.data);
      if (!way.empty() && *way.begin() != "..") {
        file.complain(file.line_of(key, node.line), key,
                      fmt::format("{}, where backups of {} go, is in the data directory of {}; write another "
                                  "folder",
                                  folder.string(), node.seen_by_peers.name, other.seen_by_peers.name));
        break;
      }
    }
  }
}

// -- filling ------------------------------------------------------------------------------------------

template <class T>
void fill(T& to, const contents& from, const std::string& path) {
  if constexpr (std::is_same_v<T, std::chrono::hours> || std::is_same_v<T, std::chrono::milliseconds>) {
    if (const auto value = from.get<caf::timespan>(path)) {
      to = std::chrono::duration_cast<T>(*value);
    }
  } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    if (const auto value = from.get<caf::config_value::list>(path)) {
      to.clear();
      for (const auto& part : *value) {
        to.push_back(caf::get<std::string>(part));
      }
    }
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    if (const auto value = from.get<std::int64_t>(path)) {
      to = static_cast<T>(*value);
    }
  } else if (const auto value = from.get<T>(path)) {
    to = *value;
  }
}

void fill_path(fs::path& to, const contents& from, const std::string& path, const fs::path& folder) {
  if (const auto value = from.get<std::string>(path)) {
    to = *value;
  }
  if (!to.empty()) {
    to = (folder / to).lexically_normal();
    // "data/" is "data".
    to = to.has_filename() || to == to.root_path() ? to : to.parent_path();
  }
}

void fill_limits(node_limits& to, const contents& from, const std::string& section, const fs::path& folder) {
  fill(to.in_flight, from, section + ".in-flight");
  fill(to.instances_in_memory, from, section + ".instances-in-memory");
  fill(to.shards, from, section + ".shards");
  fill(to.disk_reserve, from, section + ".disk-reserve");
  fill(to.store_memory, from, section + ".store-memory");
  fill(to.keep_ended, from, section + ".keep-ended");
  fill(to.history, from, section + ".history");
  fill_path(to.backup_folder, from, section + ".backup-folder", folder);
  fill_path(to.trace_folder, from, section + ".trace-folder", folder);
  fill(to.trace_url, from, section + ".trace-url");
  fill(to.log_level, from, section + ".log-level");
  fill(to.handler_attempts, from, section + ".handler-attempts");
  fill(to.handler_delay, from, section + ".handler-delay");
}

/// Where it listens, if that is not where others reach it.
template <class Address>
void fill_listener(Address& to, const endpoint& listens) {
  if (listens.host != to.host) {
    to.listen_host = listens.host;
  }
  if (listens.port != to.port) {
    to.listen_port = listens.port;
  }
}

cluster_node peer_of(const contents::node& node, const contents& from, const std::string& file) {
  cluster_node peer;
  peer.name = node.name;
  if (const auto found = find_address(from, node, "address")) {
    peer.host = found->address.host;
    peer.port = found->address.port;
  }
  if (const auto found = find_address(from, node, "listen")) {
    fill_listener(peer, found->address);
  }
  if (const auto found = find_address(from, node, "http")) {
    const auto& at = found->address;
    peer.http = http_address{at.any ? peer.host : at.host, at.port};
    const auto listens = find_address(from, node, "http-listen");
    fill_listener(*peer.http, listens ? listens->address : at);
  }
  const auto hosts = key_of(node, "hosts");
  fill(peer.hosts, from, hosts);
  peer.where = fmt::format("{}:{}: {}", file, from.line_of(hosts, node.line), hosts);
  return peer;
}

/// What the node's HTTP address asks for, and shows.
void secure_http(node_entry& to, const contents& from, const contents::node& node, const cluster_file& file,
                 const fs::path& authority) {
  auto& http = to.seen_by_peers.http;
  if (!http) {
    return;
  }
  http->token_file = file.token_file;
  http->token_may_be_missing = !from.has("cluster.token-file");
  const auto folder = file.file.parent_path();
  fs::path certificate;
  fs::path key;
  fill_path(certificate, from, key_of(node, "http-certificate"), folder);
  fill_path(key, from, key_of(node, "http-key"), folder);
  if (!certificate.empty()) {
    http->tls = http_certificate{certificate, key};
    to.trust = http_trust{authority, http->host};
  } else if (from.get<std::string>("cluster.http-tls") == "on") {
    const auto own = file.certificates_of(node.name);
    http->tls = http_certificate{own.certificate, own.key};
    to.trust = http_trust{own.authority, node.name};
  }
}

http_service service_of(const contents::node& service, const contents& from, const std::string& file) {
  const auto section = "services." + service.name;
  http_service chosen;
  fill(chosen.url, from, section + ".url");
  if (const auto timeout = from.get<caf::timespan>(section + ".timeout")) {
    chosen.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(*timeout);
  }
  if (const auto attempts = from.get<std::int64_t>(section + ".attempts")) {
    chosen.attempts = static_cast<std::uint32_t>(*attempts);
  }
  if (const auto connections = from.get<std::int64_t>(section + ".connections")) {
    chosen.connections = static_cast<std::uint32_t>(*connections);
  }
  chosen.where = fmt::format("{}:{}: {}", file, service.line, section);
  return chosen;
}

schedule schedule_of(const contents::node& one, const contents& from, const std::string& file) {
  const auto section = "schedules." + one.name;
  schedule made;
  made.name = one.name;
  fill(made.when, from, section + ".when");
  fill(made.zone, from, section + ".zone");
  fill(made.event, from, section + ".event");
  fill(made.body, from, section + ".body");
  const auto catch_up = from.get<std::string>(section + ".catch-up");
  made.catch_up = catch_up == "skip"  ? schedule_catch_up::skip
                  : catch_up == "all" ? schedule_catch_up::all
                                      : schedule_catch_up::once;
  made.overlap = from.get<std::string>(section + ".overlap") == "skip" ? schedule_overlap::skip
                                                                       : schedule_overlap::allow;
  made.where = fmt::format("{}:{}: {}", file, one.line, section);
  return made;
}

service_limits limits_of(const contents::node& service, const contents& from, const std::string& file) {
  const auto section = "services." + service.name;
  const auto number = [&](const char* key) -> std::optional<std::uint32_t> {
    const auto value = from.get<std::int64_t>(section + key);
    return value ? std::optional{static_cast<std::uint32_t>(*value)} : std::nullopt;
  };
  service_limits chosen;
  chosen.concurrency = number(".concurrency");
  if (const auto starts = number(".rate")) {
    chosen.rate = rate_limit{.starts = *starts};
    fill(chosen.rate->per, from, section + ".rate-per");
    chosen.rate->burst = number(".burst").value_or(chosen.rate->burst);
  }
  if (const auto failures = number(".breaker-failures")) {
    chosen.breaker = breaker_policy{.failures = *failures};
    fill(chosen.breaker->wait, from, section + ".breaker-wait");
  }
  chosen.where = fmt::format("{}:{}: {}", file, service.line, section);
  return chosen;
}

void fill_caf(caf::settings& to, const contents& from, const fs::path& folder) {
  for (const auto& [path, value] : from.values()) {
    if (stands_in(path, "cluster") || stands_in(path, "node") || stands_in(path, "nodes") ||
        stands_in(path, "services") || stands_in(path, "schedules")) {
      continue;
    }
    const auto* text = caf::get_if<std::string>(&value);
    if (path == "scheduler.policy" && text != nullptr) {
      caf::put(to, path, caf::atom_from_string(*text));
    } else if (path == "scheduler.profiling-output-file" && text != nullptr) {
      caf::put(to, path, (folder / *text).lexically_normal().string());
    } else {
      caf::put(to, path, value);
    }
  }
}

cluster_file build(const contents& from, const fs::path& file) {
  cluster_file to;
  to.file = made_absolute(file);
  const auto folder = to.file.parent_path();
  fill(to.cluster.name, from, "cluster.name");
  fill(to.cluster.heartbeat, from, "cluster.heartbeat");
  fill(to.cluster.silence, from, "cluster.silence");
  fill(to.cluster.redial_cap, from, "cluster.redial-cap");
  fill(to.cluster.move_after, from, "cluster.move-after");
  to.tls = from.get<std::string>("cluster.tls") != "off";
  to.certificates = "certificates";
  fill_path(to.certificates, from, "cluster.certificates", folder);

  to.token_file = "http-token";
  fill_path(to.token_file, from, "cluster.token-file", folder);
  fs::path authority;
  fill_path(authority, from, "cluster.http-authority", folder);

  node_entry common;
  common.data = "data";
  fill_path(common.data, from, "cluster.data", folder);
  fill_path(common.program, from, "cluster.program", folder);
  fill(common.arguments, from, "cluster.arguments");
  fill_limits(common.limits, from, "node", folder);
  for (const auto& node : from.nodes()) {
    auto entry = common;
    entry.line = node.line;
    entry.seen_by_peers = peer_of(node, from, to.file.string());
    secure_http(entry, from, node, to, authority);
    entry.data /= node.name;
    fill_path(entry.data, from, key_of(node, "data"), folder);
    fill_path(entry.program, from, key_of(node, "program"), folder);
    fill(entry.arguments, from, key_of(node, "arguments"));
    if (const auto found = from.variables().find(key_of(node, "environment"));
        found != from.variables().end()) {
      entry.environment = found->second;
    }
    fill_limits(entry.limits, from, "nodes." + node.name, folder);
    if (entry.limits.backup_folder.empty()) {
      entry.limits.backup_folder = entry.data.parent_path() / "backups";
    }
    to.cluster.nodes.push_back(entry.seen_by_peers);
    to.nodes.push_back(std::move(entry));
  }
  for (const auto& service : from.services()) {
    if (auto called = service_of(service, from, to.file.string()); !called.url.empty()) {
      to.services.emplace(service.name, std::move(called));
    }
    if (auto limits = limits_of(service, from, to.file.string());
        limits.concurrency || limits.rate || limits.breaker) {
      to.service_limits.emplace(service.name, std::move(limits));
    }
  }
  for (const auto& one : from.schedules()) {
    to.schedules.push_back(schedule_of(one, from, to.file.string()));
  }
  fill_caf(to.caf, from, folder);
  return to;
}

} // namespace

const node_entry* cluster_file::find(std::string_view name) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(),
                                  [&](const node_entry& node) { return node.seen_by_peers.name == name; });
  return found == nodes.end() ? nullptr : &*found;
}

tls_files cluster_file::certificates_of(std::string_view name) const {
  return {certificates / fmt::format("{}.pem", name), certificates / fmt::format("{}.key", name),
          certificates / "ca.pem", certificates / "revoked.pem"};
}

bool cluster_file::shows_certificate(const node_entry& node) const {
  const auto& http = node.seen_by_peers.http;
  return tls || (http && http->tls &&
                 http->tls->certificate == certificates_of(node.seen_by_peers.name).certificate);
}

result<cluster_file> parse_cluster_file(std::string_view text, const fs::path& file) {
  const auto entries = scan(text, file.string());
  if (!entries) {
    return tl::unexpected(entries.error());
  }
  contents found{*entries};
  check_presence(found);
  check_times(found);
  check_addresses(found);
  check_services(found);
  check_schedules(found);
  auto built = build(found, file);
  check_data(found, built);
  check_backups(found, built);
  if (!found.is_good()) {
    return tl::unexpected(found.mistakes(file.string()));
  }
  return built;
}

result<cluster_file> read_cluster_file(const fs::path& file) {
  errno = 0;
  std::ifstream stream{file, std::ios::binary};
  std::string text;
  if (stream) {
    // One byte more than is allowed, so that `scan` sees that there are too many.
    text.resize(file_bytes_max + 1);
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
  }
  if (!stream.is_open() || stream.bad()) {
    const auto reason = errno != 0 ? std::generic_category().message(errno) : std::string{"it is no file"};
    return fail(
        errc::invalid_configuration,
        fmt::format("{}: the cluster file cannot be read ({}); name one that can", file.string(), reason));
  }
  return parse_cluster_file(text, file);
}

result<node_config> node_config_of(const cluster_file& file, const std::string& node) {
  const auto* entry = file.find(node);
  if (entry == nullptr) {
    std::string names;
    for (const auto& known : file.nodes) {
      names += (names.empty() ? "" : ", ") + known.seen_by_peers.name;
    }
    return fail(errc::invalid_configuration, fmt::format("{}: there is no node \"{}\"; the nodes are {}",
                                                         file.file.string(), node, names));
  }
  node_config config;
  config.name = node;
  config.cluster = file.cluster;
  if (file.tls) {
    config.cluster->tls = file.certificates_of(node);
  }
  config.http = entry->seen_by_peers.http;
  config.http_services = file.services;
  config.schedules = file.schedules;
  config.service_limits = file.service_limits;
  config.data = entry->data;
  config.backup_folder = entry->limits.backup_folder;
  const auto& limits = entry->limits;
  config.in_flight = limits.in_flight;
  config.instances_in_memory = limits.instances_in_memory;
  config.shards = limits.shards;
  config.disk_reserve = limits.disk_reserve;
  config.store_memory = limits.store_memory;
  config.keep_ended = limits.keep_ended;
  config.history = limits.history;
  if (!limits.trace_folder.empty()) {
    config.trace_file = limits.trace_folder / (config.name + ".jsonl");
  }
  config.trace_url = limits.trace_url;
  config.handler_attempts = limits.handler_attempts;
  config.handler_delay = limits.handler_delay;
  config.configure = [all = file.caf](caf::actor_system_config& to) {
    for (const auto& [section, keys] : all) {
      for (const auto& [key, value] : caf::get<caf::settings>(keys)) {
        to.set(section + '.' + key, value);
      }
    }
  };
  return config;
}

} // namespace continuo::config
