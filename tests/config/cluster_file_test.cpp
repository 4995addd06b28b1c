#define CAF_SUITE config_cluster_file

#include <caf/test/dsl.hpp>

#include "config/cluster_file.hpp"
#include "config/known_keys.hpp"
#include "tests/config/caf_view.hpp"
#include "tests/support/places.hpp"

#include <caf/atom.hpp>

#include <algorithm>
#include <fstream>

using namespace continuo;
using namespace continuo::config;
using namespace std::chrono_literals;

namespace {

const std::filesystem::path place = "/etc/shop/continuo.conf";
const std::filesystem::path sample =
    std::filesystem::path{continuo::tests::places::root()} / "config/continuo.conf";

// Lines 1 to 5 of most texts here.
const std::string head = "[cluster]\nname=\"shop\"\n";
const std::string node_a = "[nodes.a]\naddress=\"127.0.0.1:4701\"\nhosts=[\"x\"]\n";

/// `line` is line 3.
std::string in_cluster(const std::string& line) {
  return head + line + "\n" + node_a;
}

/// `line` is line 6.
std::string in_node(const std::string& line) {
  return head + node_a + line + "\n";
}

/// `line` is line 7, below a section in line 6.
std::string in_section(const std::string& section, const std::string& line) {
  return head + node_a + "[" + section + "]\n" + line + "\n";
}

std::string with_address(const std::string& address) {
  return head + "[nodes.a]\naddress=" + address + "\nhosts=[\"x\"]\n";
}

std::string with_hosts(const std::string& hosts) {
  return head + "[nodes.a]\naddress=\"127.0.0.1:4701\"\nhosts=" + hosts + "\n";
}

/// A second node, from line 6.
std::string with_second(const std::string& address, const std::string& more = {}) {
  return head + node_a + "[nodes.b]\naddress=" + address + "\nhosts=[\"x\"]\n" + more;
}

struct row {
  std::string text;
  unsigned line;
  std::string key;
  std::string fragment; // of the sentence behind the key
};

const row broken[] = {
    // what is missing
    {node_a, 1, "cluster.name", "the cluster has no name; write name=\"...\" in [cluster]"},
    {";\n[cluster]\n" + node_a, 2, "cluster.name", "has no name"},
    {head, 1, "nodes", "there is no node; write a section [nodes.NAME]"},
    {head + "[nodes]\n", 3, "nodes", "there is no node"},
    {head + "[nodes.a]\nhosts=[\"x\"]\n", 3, "nodes.a.address", "no address; write address=\"HOST:PORT\""},
    {head + "[nodes.a]\naddress=\"127.0.0.1:1\"\n", 3, "nodes.a.hosts",
     "not said what the node hosts; write hosts="},
    {head + "[nodes]\na={address=\"127.0.0.1:1\"}\n", 4, "nodes.a.hosts", "not said what the node hosts"},
    // what there is not
    {in_cluster("hartbeat=1s"), 3, "cluster.hartbeat", "did you mean cluster.heartbeat?"},
    {in_cluster("shards=4"), 3, "cluster.shards", "did you mean node.shards?"},
    {in_cluster("colour=4"), 3, "cluster.colour", "there is no such key; remove it"},
    {in_cluster("colour={red=1}"), 3, "cluster.colour", "there is no such key; remove it"},
    {in_node("host=[\"y\"]"), 6, "nodes.a.host", "did you mean nodes.a.hosts?"},
    {in_node("enviroment={A=\"1\"}"), 6, "nodes.a.enviroment", "did you mean nodes.a.environment?"},
    {in_node("heartbeat=1s"), 6, "nodes.a.heartbeat", "did you mean cluster.heartbeat?"},
    {in_section("node", "in-flite=5"), 7, "node.in-flite", "did you mean node.in-flight?"},
    {in_section("node", "address=\"a:1\""), 7, "node.address", "did you mean nodes.NAME.address?"},
    {in_section("clutser", "name=\"x\""), 6, "clutser", "did you mean [cluster]?"},
    {in_section("node.b", "shards=1"), 6, "node.b", "did you mean [nodes.NAME]?"},
    {in_section("database", "x=1"), 6, "database", "the sections are [cluster]"},
    {in_section("cluster.more", "x=1"), 6, "cluster.more",
     "there is no such section; did you mean [cluster]?"},
    {in_section("services.x", "uri=\"http://a\"\nurl=\"http://a\""), 7, "services.x.uri",
     "did you mean services.x.url?"},
    {in_section("service.x", "url=\"http://a\""), 6, "service.x", "did you mean [services.NAME]?"},
    {in_section("services", "x=1"), 7, "services.x", "it is a service; write a section [services.x]"},
    {in_section("services.x", "timeout=1s"), 6, "services.x.url", "no URL; write url=\"http://HOST:PORT\""},
    {in_section("services.y", "url=\"http://a\""), 6, "services.y", "no node hosts y; the nodes host x"},
    {in_section("services.x", "url=5"), 7, "services.x.url", "it is 5, not a string"},
    {in_section("services.x", "url=\"127.0.0.1:9001\""), 7, "services.x.url", "does not begin with http://"},
    {in_section("services.x", "url=\"https://a\""), 7, "services.x.url",
     "is https, which is not supported: let a proxy beside the node speak TLS"},
    {in_section("services.x", "url=\"http://a:70000\""), 7, "services.x.url", "has no port from 1 to 65535"},
    {in_section("services.x", "url=\"http://a b\""), 7, "services.x.url", "that a URL writes as %XX"},
    {in_section("services.x", "url=\"http://a\"\ntimeout=10"), 8, "services.x.timeout", "without a unit"},
    {in_section("services.x", "url=\"http://a\"\ntimeout=0s"), 8, "services.x.timeout", "from 1ms to 1h"},
    {in_section("services.x", "url=\"http://a\"\nattempts=0"), 8, "services.x.attempts", "from 1 to "},
    {in_section("services.x", "url=\"http://a\"\nconnections=0"), 8, "services.x.connections",
     "from 1 to 1024"},
    {in_section("schedules.x", "when=\"@daily\""), 6, "schedules.x.event",
     "it is not said what is published; write event="},
    {in_section("schedules.x", "event=\"e\""), 6, "schedules.x.when", "it is not said when; write when="},
    {in_section("schedules.x", "evnt=\"e\"\nwhen=\"@daily\"\nevent=\"e\""), 7, "schedules.x.evnt",
     "did you mean schedules.x.event?"},
    {in_section("schedules.x", "when=\"@daily\"\nevent=\"e\"\ncatch-up=\"never\""), 9, "schedules.x.catch-up",
     "it is \"never\"; write \"skip\", \"once\" or \"all\""},
    {in_section("schedules.x", "when=\"@daily\"\nevent=\"e\"\noverlap=true"), 9, "schedules.x.overlap",
     "write \"allow\" or \"skip\""},
    {in_section("schedules.x", "when=10min\nevent=\"e\""), 7, "schedules.x.when", "not a string"},
    {in_section("schedules." + std::string(65, 'x'), "when=\"@daily\"\nevent=\"e\""), 6,
     "schedules." + std::string(65, 'x'), "the name of the schedule is too long"},
    {in_section("schedule.x", "when=\"@daily\""), 6, "schedule.x", "did you mean [schedules.NAME]?"},
    {in_section("schedules", "x=1"), 7, "schedules.x", "it is a schedule; write a section [schedules.x]"},
    {in_section("services.x", "rate=0"), 7, "services.x.rate", "from 1 to "},
    {in_section("services.x", "rate=1\nrate-per=0s"), 8, "services.x.rate-per", "from 1ms to 24h"},
    {in_section("services.x", "rate=1\nbursts=2"), 8, "services.x.bursts", "did you mean services.x.burst?"},
    {in_section("services.x", "concurrency=2\nburst=2"), 8, "services.x.burst",
     "it goes with rate, which is not there; write rate=10"},
    {in_section("services.x", "rate=1\nbreaker-wait=1s"), 8, "services.x.breaker-wait",
     "it goes with breaker-failures, which is not there"},
    {in_section("services.x", "url=\"http://a\"\nconcurrency=2"), 8, "services.x.concurrency",
     "an HTTP endpoint answers it; set connections"},
    {in_section("services.x", "rate=1\nattempts=2"), 6, "services.x.url", "the service has no URL"},
    {in_section("nodes", "b=1"), 7, "nodes.b", "it is a node; write a section [nodes.b]"},
    {in_section("scheduler", "max-thread=1"), 7, "scheduler.max-thread",
     "did you mean scheduler.max-threads?"},
    // wrong types
    {"[cluster]\nname=5\n" + node_a, 2, "cluster.name", "it is 5, not a string; write it in \"\""},
    {"[cluster]\nname=shop\n" + node_a, 2, "cluster.name", "it is shop, not a string"},
    {"[cluster]\nname=\"\"\n" + node_a, 2, "cluster.name", "empty string"},
    {"[cluster]\nname=\"my shop\"\n" + node_a, 2, "cluster.name", "letters, digits, - and _"},
    {"[cluster]\nname=\"" + std::string(65, 'x') + "\"\n" + node_a, 2, "cluster.name", "up to 64 letters"},
    {in_cluster("program={a=\"b\"}"), 3, "cluster.program",
     "it is a dictionary or section; write a single value"},
    {in_section("cluster.data", "x=1"), 6, "cluster.data", "it is a dictionary or section"},
    {in_cluster("arguments=\"-x\""), 3, "cluster.arguments",
     "it is \"-x\", not a list of strings; write [\"...\""},
    {in_cluster("arguments=[\"a\",5]"), 3, "cluster.arguments", "it has 5 in its list"},
    {in_cluster("arguments=[{a=1}]"), 3, "cluster.arguments", "in its list; write strings"},
    {in_cluster("arguments=[a]"), 3, "cluster.arguments", "not a list of strings"},
    {in_cluster("data=\"\""), 3, "cluster.data", "empty string"},
    {in_cluster("tls=true"), 3, "cluster.tls", "it is true; write \"on\" or \"off\""},
    {in_cluster("tls=\"no\""), 3, "cluster.tls", "it is \"no\"; write \"on\" or \"off\""},
    {in_section("node", "history=\"yes\""), 7, "node.history", "write true or false"},
    {in_section("node", "history=1"), 7, "node.history", "it is 1; write true or false"},
    {in_section("node", "log-level=\"loud\""), 7, "node.log-level", "write \"trace\", \"debug\", "},
    {in_node("environment=\"A=1\""), 6, "nodes.a.environment", "no dictionary; write {NAME=\"value\""},
    {in_node("environment={A=1}"), 6, "nodes.a.environment.A", "it is 1, not a string"},
    {in_node("environment={\nB=\"1\"\nA-B=\"1\"}"), 8, "nodes.a.environment.A-B", "no name of a variable"},
    {in_node("environment={1A=\"1\"}"), 6, "nodes.a.environment.1A", "no name of a variable"},
    // numbers
    {in_section("node", "shards=0"), 7, "node.shards", "it is 0; write a whole number from 1 to 1024"},
    {in_section("node", "shards=-1"), 7, "node.shards", "it is -1; write a whole number from 1"},
    {in_section("node", "shards=1025"), 7, "node.shards", "from 1 to 1024"},
    {in_section("node", "shards=1.5"), 7, "node.shards", "it is 1.5, not a whole number"},
    {in_section("node", "shards=\"4\""), 7, "node.shards", "it is \"4\", not a whole number"},
    {in_section("node", "shards=010"), 7, "node.shards", "which is read as 8; write it without a 0 in front"},
    {in_section("node", "in-flight=5000000000"), 7, "node.in-flight", "from 1 to 100000000"},
    {in_section("node", "in-flight=99999999999999999999"), 7, "node.in-flight", "not a whole number"},
    {in_node("handler-attempts=0"), 6, "nodes.a.handler-attempts", "from 1 to 1000"},
    {in_section("scheduler", "max-threads=\"two\""), 7, "scheduler.max-threads", "not a whole number"},
    // durations
    {in_cluster("heartbeat=1"), 3, "cluster.heartbeat", "it is 1, without a unit; write 1s or 1ms"},
    {in_cluster("heartbeat=\"1s\""), 3, "cluster.heartbeat",
     "it is \"1s\", not a duration; write a whole number and"},
    {in_cluster("heartbeat=10d"), 3, "cluster.heartbeat", "it is 10d, not a duration"},
    {in_cluster("heartbeat=1.5s"), 3, "cluster.heartbeat", "it is 1.5s, not a duration"},
    {in_cluster("heartbeat=0s"), 3, "cluster.heartbeat", "it is 0s; write a duration from 1s to 1h"},
    {in_cluster("heartbeat=-2s"), 3, "cluster.heartbeat", "it is -2s; write a duration from 1s to 1h"},
    {in_cluster("heartbeat=999ms"), 3, "cluster.heartbeat", "from 1s to 1h"},
    {in_cluster("heartbeat=9999999h"), 3, "cluster.heartbeat", "it is 9999999h; write a duration from"},
    {in_cluster("silence=500ms"), 3, "cluster.silence", "from 1s to 24h"},
    {in_cluster("silence=2s"), 3, "cluster.silence",
     "it is 2000ms and heartbeat 1000ms; write more than twice"},
    {in_cluster("heartbeat=2s"), 3, "cluster.silence",
     "it is 4000ms and heartbeat 2000ms; write more than twice"},
    {in_cluster("redial-cap=0ms"), 3, "cluster.redial-cap", "from 1ms to 1h"},
    {in_cluster("redial-cap=1500us"), 3, "cluster.redial-cap", "write a whole number of milliseconds"},
    {in_cluster("move-after=-1h"), 3, "cluster.move-after", "it is -1h; write a duration from 1ms"},
    {in_section("node", "keep-ended=90min"), 7, "node.keep-ended", "write a whole number of hours"},
    {in_section("node", "keep-ended=0h"), 7, "node.keep-ended", "from 1h"},
    {in_section("node", "handler-delay=010ms"), 7, "node.handler-delay", "not a duration"},
    // sizes
    {in_section("node", "disk-reserve=64MiB"), 7, "node.disk-reserve",
     "it is 64MiB, not a size; write bytes, or a "},
    {in_section("node", "disk-reserve=\"64MB\""), 7, "node.disk-reserve", "with KiB, MiB or GiB"},
    {in_section("node", "disk-reserve=\"MiB\""), 7, "node.disk-reserve", "it is \"MiB\", not a size"},
    {in_section("node", "disk-reserve=\"99999999999GiB\""), 7, "node.disk-reserve", "not a size"},
    {in_section("node", "disk-reserve=-1"), 7, "node.disk-reserve", "it is -1; write a size from 0"},
    {in_section("node", "disk-reserve=\"-1MiB\""), 7, "node.disk-reserve", "write a size from 0"},
    {in_node("store-memory=1024"), 6, "nodes.a.store-memory", "write a size from \"1MiB\" to \"1024GiB\""},
    {in_node("store-memory=128s"), 6, "nodes.a.store-memory", "not a size"},
    // nodes and addresses
    {head + "[nodes." + std::string(65, 'n') + "]\naddress=\"127.0.0.1:1\"\nhosts=[\"x\"]\n", 3,
     "nodes." + std::string(65, 'n'), "too long; write up to 64"},
    {with_address("4701"), 4, "nodes.a.address", "it is 4701, not a string"},
    {with_address("\"127.0.0.1\""), 4, "nodes.a.address", "has no port; write \"HOST:PORT\""},
    {with_address("\"127.0.0.1:\""), 4, "nodes.a.address", "no port from 1 to 65535"},
    {with_address("\"127.0.0.1:0\""), 4, "nodes.a.address", "no port from 1 to 65535"},
    {with_address("\"127.0.0.1:65536\""), 4, "nodes.a.address", "no port from 1 to 65535"},
    {with_address("\"127.0.0.1:-1\""), 4, "nodes.a.address", "no port from 1 to 65535"},
    {with_address("\"127.0.0.1:4701x\""), 4, "nodes.a.address", "no port from 1 to 65535"},
    {with_address("\":4701\""), 4, "nodes.a.address", "names no host"},
    {with_address("\"127.0.0.256:4701\""), 4, "nodes.a.address", "names no host"},
    {with_address("\"my host:4701\""), 4, "nodes.a.address", "names no host"},
    {with_address("\"[::g]:4701\""), 4, "nodes.a.address", "names no host"},
    {with_address("\"[::1]\""), 4, "nodes.a.address", "has no port"},
    {with_address("\"::1:4701\""), 4, "nodes.a.address", "IPv6 stands in brackets"},
    {with_address("\"0.0.0.0:4701\""), 4, "nodes.a.address",
     "stands for every address, which no peer can connect to; write the one that peers use, and "
     "listen=\"0.0.0.0:4701\""},
    {with_address("\"[::]:4701\""), 4, "nodes.a.address", "stands for every address"},
    {in_node("listen=\"4701\""), 6, "nodes.a.listen", "has no port"},
    {in_node("http-listen=\"0.0.0.0:8701\""), 6, "nodes.a.http-listen", "the node has no http address"},
    {in_node("http=\"127.0.0.1:8701\"\nhttp-listen=\"0.0.0.0:4701\""), 7, "nodes.a.http-listen",
     "is where the node listens for its peers too; give it another port"},
    {in_node("http=\"0.0.0.0:4701\""), 6, "nodes.a.http", "is where the node listens for its peers too"},
    {in_node("listen=\"0.0.0.0:4801\"\nhttp=\"127.0.0.1:4801\""), 7, "nodes.a.http",
     "is where the node listens for its peers too"},
    {in_node("http=\"127.0.0.1:8701\"\nhttp-listen=\"127.0.0.1:4701\""), 7, "nodes.a.http-listen",
     "is where the node listens for its peers too"},
    {in_node("http=\"127.0.0.1:8701\"\nhttp-certificate=\"a.pem\""), 7, "nodes.a.http-certificate",
     "there is no http-key; write http-key=\"FILE\" beside it"},
    {in_node("http=\"127.0.0.1:8701\"\nhttp-key=\"a.key\""), 7, "nodes.a.http-key",
     "there is no http-certificate"},
    {in_cluster("http-tls=\"yes\""), 3, "cluster.http-tls", "it is \"yes\"; write \"on\" or \"off\""},
    {with_hosts("[\"\"]"), 5, "nodes.a.hosts", "empty string in its list"},
    {with_hosts("[\"x\", \"y\", \"x\"]"), 5, "nodes.a.hosts", "it has \"x\" twice"},
    {with_hosts("\"x\""), 5, "nodes.a.hosts", "not a list of strings"},
    {with_second("\"127.0.0.1:4701\""), 7, "nodes.b.address",
     "is the address of a too; give each node a port"},
    {with_second("\"localhost:4701\""), 7, "nodes.b.address", "is the address of a too"},
    {with_second("\"127.0.0.1:4702\"", "http=\"127.0.0.1:4701\"\n"), 9, "nodes.b.http",
     "is the address of a too; give each node a port"},
    {with_second("\"127.0.0.1:4702\"", "http=8702\n"), 9, "nodes.b.http", "it is 8702, not a string"},
    {with_second("\"127.0.0.1:4702\"", "data=\"data/../data/a/\"\n"), 9, "nodes.b.data",
     "/etc/shop/data/a is the data directory of a too"},
    {in_cluster("tls=\"off\"\n[nodes.b]\naddress=\"10.0.0.1:4701\"\nhosts=[\"x\"]"), 5, "nodes.b.address",
     "\"10.0.0.1:4701\" is no loopback address and cluster.tls is \"off\"; write tls=\"on\""},
    {in_cluster("tls=\"off\"\n[nodes.b]\naddress=\"shop.example:4701\"\nhosts=[\"x\"]"), 5, "nodes.b.address",
     "no loopback address"},
    {in_cluster("tls=\"off\"\n[nodes.b]\naddress=\"[fe80::1]:4701\"\nhosts=[\"x\"]"), 5, "nodes.b.address",
     "no loopback address"},
    {in_cluster("tls=\"off\"\n[nodes.b]\naddress=\"127.0.0.1:4702\"\nlisten=\"0.0.0.0:4702\"\nhosts=[\"x\"]"),
     6, "nodes.b.listen",
     "\"0.0.0.0:4702\" is no loopback address and cluster.tls is \"off\"; write tls=\"on\""},
    {in_cluster(
         "tls=\"off\"\n[nodes.b]\naddress=\"127.0.0.1:4702\"\nlisten=\"10.0.0.1:4702\"\nhosts=[\"x\"]"),
     6, "nodes.b.listen", "no loopback address"},
    // CAF's keys
    {in_section("middleman", "heartbeat-interval=1s"), 7, "middleman.heartbeat-interval",
     "CAF's key is not set here; set heartbeat in [cluster]"},
    {in_section("middleman", "connection-timeout=1s"), 7, "middleman.connection-timeout",
     "set silence in [cluster]"},
    {in_section("middleman", "app-identifiers=[\"x\"]"), 7, "middleman.app-identifiers",
     "set name in [cluster]"},
    {in_section("middleman", "enable-automatic-connections=true"), 7,
     "middleman.enable-automatic-connections", "nodes connect to each address"},
    {in_section("middleman", "attach-utility-actors=true"), 7, "middleman.attach-utility-actors",
     "not set here"},
    {in_section("openssl", "key=\"x\""), 7, "openssl.key", "set certificates in [cluster]"},
    {in_section("logger", "console={a=1}"), 7, "logger.console", "set log-level in [node]"},
    {in_section("scheduler", "policy='fair'"), 7, "scheduler.policy", "write \"stealing\" or \"sharing\""},
    // the scanner's
    {in_cluster("name=\"other\""), 3, "cluster.name", "the key was given in line 2 already"},
    {head + node_a + node_a, 6, "nodes.a", "the section was opened in line 3 already"},
    {in_cluster("data=\"x"), 3, "cluster.data", "the string is not closed"},
};

std::string message_of(const std::string& text) {
  const auto file = parse_cluster_file(text, place);
  if (file) {
    return "it was read";
  }
  CAF_CHECK(file.error().code == errc::invalid_configuration);
  return file.error().message;
}

cluster_file read(const std::string& text) {
  auto file = parse_cluster_file(text, place);
  if (!file) {
    CAF_FAIL(file.error().message);
  }
  return std::move(*file);
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream{text};
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) {
    text += line + "\n";
  }
  return text;
}

/// The sample with the keys that are behind a `;`.
std::string uncommented() {
  auto lines = lines_of(text_of(sample));
  for (auto& line : lines) {
    if (line.size() > 1 && line[0] == ';' && line[1] != ' ') {
      line.erase(0, 1);
    }
  }
  return joined(lines);
}

/// Whatever it is: it is read, or the error has a line that there is, and CAF reads what we read.
bool is_value_or_line(const std::string& text) {
  const auto file = parse_cluster_file(text, "f");
  if (file) {
    const auto entries = scan(text, "f");
    return entries && tests::as_scanned(*entries) == tests::as_caf_reads(text);
  }
  for (const auto& line : lines_of(file.error().message)) {
    std::istringstream stream{line};
    char f = 0;
    char colon = 0;
    std::size_t number = 0;
    stream >> f >> colon >> number;
    if (f != 'f' || colon != ':' || number == 0 || number > lines_of(text).size() + 1) {
      return false;
    }
  }
  return !file.error().message.empty();
}

} // namespace

CAF_TEST(every mistake is refused with its line and its key and a way out) {
  for (const auto& row : broken) {
    const auto message = message_of(row.text);
    const auto start = "/etc/shop/continuo.conf:" + std::to_string(row.line) + ": " + row.key + ": ";
    const bool named = message.rfind(start, 0) == 0;
    const bool alone = message.find('\n') == std::string::npos;
    if (!named || !alone || message.find(row.fragment, start.size()) == std::string::npos) {
      CAF_ERROR("expected " << start << "... " << row.fragment << ", found " << message);
    }
  }
  CAF_CHECK_GREATER(std::size(broken), 50u);
}

CAF_TEST(all mistakes are reported in the order of their lines) {
  CAF_CHECK_EQUAL(
      message_of("[cluster]\nheartbeat=0s\nsilence=10\n[nodes.a]\nadress=\"127.0.0.1:1\"\nhosts=[\"\"]\n"
                 "[nonsense]\nx=1\n"),
      "/etc/shop/continuo.conf:1: cluster.name: the cluster has no name; write name=\"...\" in [cluster]\n"
      "/etc/shop/continuo.conf:2: cluster.heartbeat: it is 0s; write a duration from 1s to 1h\n"
      "/etc/shop/continuo.conf:3: cluster.silence: it is 10, without a unit; write 10s or 10ms\n"
      "/etc/shop/continuo.conf:4: nodes.a.address: the node has no address; write "
      "address=\"HOST:PORT\"\n"
      "/etc/shop/continuo.conf:5: nodes.a.adress: there is no such key; did you mean nodes.a.address?\n"
      "/etc/shop/continuo.conf:6: nodes.a.hosts: it has an empty string in its list; write the name of a "
      "saga or service\n"
      "/etc/shop/continuo.conf:7: nonsense: there is no such section; the sections are [cluster], [node], "
      "[nodes.NAME], [services.NAME], [schedules.NAME] and, of CAF, [scheduler], [work-stealing] and "
      "[middleman]");
}

CAF_TEST(what is left out has the defaults of a node) {
  const auto file = read(head + node_a);
  CAF_CHECK_EQUAL(file.file, place);
  cluster_config expected;
  expected.name = "shop";
  expected.nodes = {{"a", "127.0.0.1", 4701, {"x"}, {}, "/etc/shop/continuo.conf:5: nodes.a.hosts"}};
  CAF_CHECK(file.cluster == expected);
  CAF_CHECK(file.tls);
  CAF_CHECK_EQUAL(file.certificates, "/etc/shop/certificates");
  CAF_CHECK(file.caf.empty());
  CAF_REQUIRE_EQUAL(file.nodes.size(), 1u);
  const auto& node = file.nodes[0];
  CAF_CHECK_EQUAL(node.line, 3u);
  CAF_CHECK_EQUAL(node.data, "/etc/shop/data/a");
  CAF_CHECK(node.program.empty() && node.arguments.empty() && node.environment.empty());
  node_limits defaults;
  defaults.backup_folder = "/etc/shop/data/backups";
  CAF_CHECK(node.limits == defaults);
}

CAF_TEST(the limits of a file have the same defaults as those of a node) {
  const auto config = node_config_of(read(head + node_a), "a");
  CAF_REQUIRE(config.has_value());
  const node_config defaults;
  CAF_CHECK_EQUAL(config->in_flight, defaults.in_flight);
  CAF_CHECK_EQUAL(config->instances_in_memory, defaults.instances_in_memory);
  CAF_CHECK_EQUAL(config->shards, defaults.shards);
  CAF_CHECK_EQUAL(config->disk_reserve, defaults.disk_reserve);
  CAF_CHECK_EQUAL(config->store_memory, defaults.store_memory);
  CAF_CHECK(config->keep_ended == defaults.keep_ended);
  CAF_CHECK_EQUAL(config->history, defaults.history);
  CAF_CHECK_EQUAL(config->handler_attempts, defaults.handler_attempts);
  CAF_CHECK(config->handler_delay == defaults.handler_delay);
}

CAF_TEST(every key of the cluster arrives) {
  const auto file =
      read("[cluster]\nname=\"my_shop-2\"\nprogram=\"./bin/order-node\"\narguments=[\"-a\",\"\"]\n"
           "data=\"/var/lib/shop/\"\ntls=\"off\"\ncertificates=\"../keys\"\nheartbeat=1500ms\n"
           "silence=1min\nredial-cap=250ms\nmove-after=2h\n"
           "[nodes.b]\naddress=\"LOCALHOST:1\"\nhosts=[\"x\", \"y z\"]\n"
           "[nodes.a]\naddress=\"[::1]:65535\"\nhosts=[\"x\"]\nprogram=\"/bin/other\"\narguments=[]\n"
           "data=\"own\"\nenvironment={A=\"1\", B_2=\"\"}\n");
  CAF_CHECK_EQUAL(file.cluster.name, "my_shop-2");
  CAF_CHECK(file.cluster.heartbeat == 1500ms && file.cluster.silence == 1min);
  CAF_CHECK(file.cluster.redial_cap == 250ms && file.cluster.move_after == 2h);
  CAF_CHECK(!file.tls && !file.cluster.tls);
  CAF_CHECK_EQUAL(file.certificates, "/etc/keys");
  CAF_REQUIRE_EQUAL(file.nodes.size(), 2u);
  const auto& [b, a] = std::tie(file.nodes[0], file.nodes[1]);
  const auto hosts_of = [](unsigned line, const char* node) {
    return fmt::format("/etc/shop/continuo.conf:{}: nodes.{}.hosts", line, node);
  };
  CAF_CHECK((b.seen_by_peers == cluster_node{"b", "LOCALHOST", 1, {"x", "y z"}, {}, hosts_of(14, "b")}));
  CAF_CHECK((a.seen_by_peers == cluster_node{"a", "::1", 65535, {"x"}, {}, hosts_of(17, "a")}));
  CAF_CHECK(file.cluster.nodes[0] == b.seen_by_peers && file.cluster.nodes[1] == a.seen_by_peers);
  CAF_CHECK_EQUAL(b.data, "/var/lib/shop/b");
  CAF_CHECK_EQUAL(b.program, "/etc/shop/bin/order-node");
  CAF_CHECK((b.arguments == std::vector<std::string>{"-a", ""}));
  CAF_CHECK_EQUAL(a.data, "/etc/shop/own");
  CAF_CHECK_EQUAL(a.program, "/bin/other");
  CAF_CHECK(a.arguments.empty());
  CAF_CHECK((a.environment == std::map<std::string, std::string>{{"A", "1"}, {"B_2", ""}}));
}

CAF_TEST(a node may host nothing if that is said) {
  const auto file = read(head + node_a + "[nodes.door]\naddress=\"127.0.0.1:4702\"\nhosts=[]\n");
  CAF_REQUIRE_EQUAL(file.cluster.nodes.size(), 2u);
  CAF_CHECK_EQUAL(file.cluster.nodes[1].name, "door");
  CAF_CHECK(file.cluster.nodes[1].hosts.empty());
}

CAF_TEST(a limit of all nodes is overridden in the section of one) {
  const auto file =
      read(head + node_a +
           "shards=9\nlog-level=\"off\"\nhistory=true\n[nodes.b]\n"
           "address=\"127.0.0.1:4702\"\nhosts=[\"x\"]\n[node]\nin-flight=5\ninstances-in-memory=6\n"
           "shards=7\ndisk-reserve=\"1GiB\"\nstore-memory=2097152\nkeep-ended=1h\nhistory=false\n"
           "log-level=\"debug\"\nhandler-attempts=8\nhandler-delay=1s\ntrace-folder=\"traces\"\n"
           "trace-url=\"http://127.0.0.1:4318/v1/traces\"\nbackup-folder=\"kept\"\n");
  const auto& a = file.find("a")->limits;
  node_limits b{5,
                6,
                7,
                1u << 30,
                2u << 20,
                1h,
                false,
                "/etc/shop/traces",
                "http://127.0.0.1:4318/v1/traces",
                8,
                1s,
                "debug",
                "/etc/shop/kept"};
  CAF_CHECK(file.find("b")->limits == b);
  b.shards = 9;
  b.log_level = "off";
  b.history = true;
  CAF_CHECK(a == b);
}

CAF_TEST(backups go beside the data unless another folder is named) {
  const auto of_nodes =
      node_a + "[nodes.b]\naddress=\"127.0.0.1:4702\"\nhosts=[\"x\"]\ndata=\"elsewhere/b\"\n";
  const auto file = read(head + of_nodes);
  CAF_CHECK_EQUAL(file.find("a")->limits.backup_folder, "/etc/shop/data/backups");
  CAF_CHECK_EQUAL(file.find("b")->limits.backup_folder, "/etc/shop/elsewhere/backups");
  const auto config = node_config_of(file, "b");
  CAF_REQUIRE(config.has_value());
  CAF_CHECK_EQUAL(config->backup_folder.string(), "/etc/shop/elsewhere/backups");
  // A backup in somebody's data would keep him from starting.
  const auto refused = [](const std::string& text) {
    const auto parsed = parse_cluster_file(text, "/etc/shop/shop.conf");
    CAF_MESSAGE((parsed ? "taken" : parsed.error().message));
    return !parsed && parsed.error().message.find("is in the data directory of ") != std::string::npos;
  };
  CAF_CHECK(refused(head + of_nodes + "backup-folder=\"data/a\"\n"));
  CAF_CHECK(refused(head + of_nodes + "[node]\nbackup-folder=\"data/a/backups\"\n"));
  CAF_CHECK(refused(head + of_nodes + "[nodes.backups]\naddress=\"127.0.0.1:4703\"\nhosts=[]\n"));
  CAF_CHECK(!refused(head + of_nodes + "backup-folder=\"data/ab\"\n"));
}

CAF_TEST(the token of the cluster is that of each HTTP address) {
  const auto http_of = [](const std::string& key) {
    const auto file = read("[cluster]\nname=\"a\"\n" + key +
                           "[nodes.a]\naddress=\"127.0.0.1:4701\"\nhttp=\"10.0.0.1:8701\"\nhosts=[\"x\"]\n");
    CAF_REQUIRE_EQUAL(file.nodes.size(), 1u);
    CAF_REQUIRE(file.nodes[0].seen_by_peers.http.has_value());
    CAF_CHECK_EQUAL(file.token_file, file.nodes[0].seen_by_peers.http->token_file.string());
    return *file.nodes[0].seen_by_peers.http;
  };
  const auto written = http_of("token-file=\"keys/token\"\n");
  CAF_CHECK_EQUAL(written.token_file, "/etc/shop/keys/token");
  CAF_CHECK(!written.token_may_be_missing);
  const auto left_out = http_of("");
  CAF_CHECK_EQUAL(left_out.token_file, "/etc/shop/http-token");
  CAF_CHECK(left_out.token_may_be_missing);
}

CAF_TEST(a node may listen elsewhere than where others reach it) {
  const auto node_with = [](const std::string& lines) {
    return read(in_node(lines)).nodes.at(0).seen_by_peers;
  };
  const auto plain = node_with("http=\"127.0.0.1:8701\"");
  CAF_CHECK(plain.listen_host.empty() && plain.listen_port == 0);
  CAF_CHECK(plain.http && plain.http->listen_host.empty() && plain.http->listen_port == 0);
  const auto other =
      node_with("listen=\"0.0.0.0:4801\"\nhttp=\"shop.example:8701\"\nhttp-listen=\"[::]:8801\"");
  CAF_CHECK_EQUAL(other.host, "127.0.0.1");
  CAF_CHECK_EQUAL(other.port, 4701);
  CAF_CHECK_EQUAL(other.listen_host, "0.0.0.0");
  CAF_CHECK_EQUAL(other.listen_port, 4801);
  CAF_REQUIRE(other.http.has_value());
  CAF_CHECK_EQUAL(other.http->host, "shop.example");
  CAF_CHECK_EQUAL(other.http->port, 8701);
  CAF_CHECK_EQUAL(other.http->listen_host, "::");
  CAF_CHECK_EQUAL(other.http->listen_port, 8801);
  // At every address, clients use that of the peers.
  const auto anywhere = node_with("http=\"0.0.0.0:8701\"");
  CAF_REQUIRE(anywhere.http.has_value());
  CAF_CHECK_EQUAL(anywhere.http->host, "127.0.0.1");
  CAF_CHECK_EQUAL(anywhere.http->port, 8701);
  CAF_CHECK_EQUAL(anywhere.http->listen_host, "0.0.0.0");
  CAF_CHECK_EQUAL(anywhere.http->listen_port, 0);
  // On machines of their own they may listen at what is written alike.
  CAF_CHECK(parse_cluster_file(
      head + "[nodes.a]\naddress=\"10.0.0.1:4701\"\nlisten=\"0.0.0.0:4701\"\nhosts=[\"x\"]\n" +
          "[nodes.b]\naddress=\"10.0.0.2:4701\"\nlisten=\"0.0.0.0:4701\"\nhosts=[\"x\"]\n",
      place));
}

CAF_TEST(http shows the certificate of the cluster or another one) {
  const auto off = read(in_node("http=\"127.0.0.1:8701\""));
  CAF_CHECK(!off.nodes[0].seen_by_peers.http->tls && !off.nodes[0].trust);
  const auto on =
      read(head + "http-tls=\"on\"\ntls=\"off\"\n" + node_a + "http=\"127.0.0.1:8701\"\n[nodes.b]\n" +
           "address=\"127.0.0.1:4702\"\nhttp=\"shop.example:8702\"\nhttp-certificate=\"b.pem\"\n" +
           "http-key=\"b.key\"\nhosts=[\"x\"]\n[nodes.c]\naddress=\"127.0.0.1:4703\"\nhosts=[\"x\"]\n");
  const auto& a = on.nodes[0];
  CAF_CHECK((a.seen_by_peers.http->tls ==
             http_certificate{"/etc/shop/certificates/a.pem", "/etc/shop/certificates/a.key"}));
  CAF_CHECK((a.trust == http_trust{"/etc/shop/certificates/ca.pem", "a"}));
  const auto& b = on.nodes[1];
  CAF_CHECK((b.seen_by_peers.http->tls == http_certificate{"/etc/shop/b.pem", "/etc/shop/b.key"}));
  CAF_CHECK((b.trust == http_trust{"", "shop.example"}));
  CAF_CHECK(!on.nodes[2].trust);
  CAF_CHECK(on.shows_certificate(a) && !on.shows_certificate(b) && !on.shows_certificate(on.nodes[2]));
  const auto own = read(in_cluster("http-authority=\"corp.pem\"") +
                        "http=\"127.0.0.1:8701\"\nhttp-certificate=\"b.pem\"\nhttp-key=\"b.key\"\n");
  CAF_CHECK((own.nodes[0].trust == http_trust{"/etc/shop/corp.pem", "127.0.0.1"}));
  CAF_CHECK(own.shows_certificate(own.nodes[0])); // to its peers
}

CAF_TEST(a node is configured out of the file) {
  const auto file =
      read(with_second("\"127.0.0.1:4702\"", "shards=9\nin-flight=1\ninstances-in-memory=2\n"
                                             "disk-reserve=3\nstore-memory=\"4MiB\"\nkeep-ended=5h\n"
                                             "history=false\nhandler-attempts=6\nhandler-delay=7ms\n"));
  const auto config = node_config_of(file, "b");
  CAF_REQUIRE(config.has_value());
  CAF_CHECK_EQUAL(config->name, "b");
  CAF_CHECK_EQUAL(config->data, "/etc/shop/data/b");
  CAF_CHECK_EQUAL(config->shards, 9u);
  CAF_CHECK_EQUAL(config->in_flight, 1u);
  CAF_CHECK_EQUAL(config->instances_in_memory, 2u);
  CAF_CHECK_EQUAL(config->disk_reserve, 3u);
  CAF_CHECK_EQUAL(config->store_memory, 4u << 20);
  CAF_CHECK(config->keep_ended == 5h && !config->history);
  CAF_CHECK(config->handler_attempts == 6 && config->handler_delay == 7ms);
  CAF_REQUIRE(config->cluster && config->cluster->tls);
  auto cluster = *config->cluster;
  CAF_CHECK(
      (*cluster.tls == tls_files{"/etc/shop/certificates/b.pem", "/etc/shop/certificates/b.key",
                                 "/etc/shop/certificates/ca.pem", "/etc/shop/certificates/revoked.pem"}));
  cluster.tls.reset();
  CAF_CHECK(cluster == file.cluster);
  const auto open = node_config_of(read(in_cluster("tls=\"off\"")), "a");
  CAF_CHECK(open && open->cluster && !open->cluster->tls);
}

CAF_TEST(a schedule of the file arrives at every node) {
  const auto file = read(in_section(
      "schedules.nightly", "when=\"30 2 * * *\"\nzone=\"Europe/Berlin\"\nevent=\"report_due\"\n"
                           "body=\"{\\\"id\\\": \\\"{due}\\\"}\"\ncatch-up=\"all\"\noverlap=\"skip\""));
  schedule expected;
  expected.name = "nightly";
  expected.when = "30 2 * * *";
  expected.zone = "Europe/Berlin";
  expected.event = "report_due";
  expected.body = R"({"id": "{due}"})";
  expected.catch_up = schedule_catch_up::all;
  expected.overlap = schedule_overlap::skip;
  expected.where = "/etc/shop/continuo.conf:6: schedules.nightly";
  CAF_REQUIRE_EQUAL(file.schedules.size(), 1u);
  CAF_CHECK(file.schedules.front() == expected);
  CAF_CHECK(node_config_of(file, "a")->schedules == file.schedules);
}

CAF_TEST(an unknown node is refused with the names of the known ones) {
  const auto config = node_config_of(read(with_second("\"127.0.0.1:4702\"")), "c");
  CAF_REQUIRE(!config);
  CAF_CHECK(config.error().code == errc::invalid_configuration);
  CAF_CHECK_EQUAL(config.error().message,
                  "/etc/shop/continuo.conf: there is no node \"c\"; the nodes are a, b");
}

CAF_TEST(the settings of CAF are passed on) {
  const auto file = read(head + node_a +
                         "[scheduler]\npolicy='sharing'\nmax-threads=2\n"
                         "profiling-output-file=\"p.log\"\n[middleman]\nworkers=0\n"
                         "[work-stealing]\nrelaxed-sleep-duration=50us\n[logger]\n");
  CAF_CHECK(caf::get<caf::atom_value>(file.caf, "scheduler.policy") == caf::atom("sharing"));
  CAF_CHECK_EQUAL(caf::get<std::size_t>(file.caf, "scheduler.max-threads"), 2u);
  CAF_CHECK_EQUAL(caf::get<std::string>(file.caf, "scheduler.profiling-output-file"), "/etc/shop/p.log");
  CAF_CHECK_EQUAL(caf::get<std::size_t>(file.caf, "middleman.workers"), 0u);
  CAF_CHECK(caf::get<caf::timespan>(file.caf, "work-stealing.relaxed-sleep-duration") == 50us);
  CAF_CHECK_EQUAL(file.caf.size(), 3u);
  const auto text = read(in_section("scheduler", "policy=\"stealing\""));
  CAF_CHECK(caf::get<caf::atom_value>(text.caf, "scheduler.policy") == caf::atom("stealing"));
}

CAF_TEST(loopback addresses may go without tls and others with it) {
  for (const auto* address : {"127.0.0.1", "127.1.2.3", "[::1]", "localhost"}) {
    CAF_CHECK(parse_cluster_file(
        in_cluster("tls=\"off\"\n[nodes.b]\naddress=\"" + std::string{address} + ":4702\"\nhosts=[\"x\"]"),
        place));
  }
  for (const auto* address : {"10.0.0.1", "shop-1.example", "[2001:db8::1]", "127.shop"}) {
    CAF_CHECK(parse_cluster_file(with_address("\"" + std::string{address} + ":4702\""), place));
  }
}

CAF_TEST(a cluster has a bounded number of nodes) {
  auto text = head;
  for (std::size_t number = 1; number <= nodes_max; ++number) {
    text += "[nodes.n" + std::to_string(number) + "]\naddress=\"127.0.0.1:" + std::to_string(number) +
            "\"\nhosts=[\"x\"]\n";
  }
  CAF_CHECK(parse_cluster_file(text, place));
  text += "[nodes.last]\naddress=\"127.0.0.1:9999\"\nhosts=[\"x\"]\n";
  CAF_CHECK_EQUAL(message_of(text),
                  "/etc/shop/continuo.conf:771: nodes.last: there are too many nodes; a cluster has "
                  "at most 256");
}

CAF_TEST(a file that cannot be read is named) {
  for (const auto* name : {"/nowhere/continuo.conf", "/"}) {
    const auto file = read_cluster_file(name);
    CAF_REQUIRE(!file);
    CAF_CHECK(file.error().code == errc::invalid_configuration);
    CAF_CHECK(file.error().message.find("cannot be read (") != std::string::npos);
    CAF_CHECK_EQUAL(file.error().message.find(name), 0u);
  }
}

CAF_TEST(a relative file has absolute paths) {
  const auto relative = sample.lexically_relative(std::filesystem::current_path());
  CAF_REQUIRE(relative.is_relative());
  const auto file = read_cluster_file(relative);
  CAF_REQUIRE(file.has_value());
  CAF_CHECK_EQUAL(file->file, sample);
  CAF_CHECK_EQUAL(file->nodes[0].data, sample.parent_path() / "data/ordering");
}

CAF_TEST(the sample is read) {
  const auto file = read_cluster_file(sample);
  if (!file) {
    CAF_FAIL(file.error().message);
  }
  CAF_REQUIRE_EQUAL(file->nodes.size(), 3u);
  const auto lines = lines_of(text_of(sample));
  const auto is = [&](const char* name, std::uint16_t port, const char* host, std::uint16_t http) {
    const auto line = std::find(lines.begin(), lines.end(), fmt::format("hosts=[\"{}\"]", host));
    const auto where = fmt::format("{}:{}: nodes.{}.hosts", sample.string(), line - lines.begin() + 1, name);
    return file->find(name)->seen_by_peers ==
           cluster_node{name,
                        "127.0.0.1",
                        port,
                        {host},
                        http_address{"127.0.0.1", http, sample.parent_path() / "http-token", true},
                        where};
  };
  CAF_CHECK(is("ordering", 4701, "fulfilment", 8701));
  CAF_CHECK(is("payment", 4702, "payment", 8702));
  CAF_CHECK(is("warehouse", 4703, "warehouse", 8703));
  CAF_CHECK(file->tls);
  CAF_CHECK(file->find("nobody") == nullptr);
}

CAF_TEST(the sample says the true defaults) {
  const auto plain = parse_cluster_file(text_of(sample), sample);
  auto full = parse_cluster_file(uncommented(), sample);
  if (!plain || !full) {
    CAF_FAIL((plain ? full : plain).error().message);
  }
  for (auto& node : full->nodes) { // these are nowhere unless they stand there
    CAF_CHECK(!node.limits.trace_folder.empty() && !node.limits.trace_url.empty());
    node.limits.trace_folder.clear();
    node.limits.trace_url.clear();
  }
  for (auto& node : full->cluster.nodes) {
    CAF_REQUIRE(node.http && !node.http->token_may_be_missing);
    node.http->token_may_be_missing = true; // unless it stands there
    CAF_CHECK_EQUAL(node.http->tls.has_value(), node.name == "warehouse");
    node.http->tls.reset();
  }
  CAF_CHECK(plain->cluster == full->cluster);
  CAF_CHECK_EQUAL(plain->tls, full->tls);
  CAF_CHECK_EQUAL(plain->certificates, full->certificates);
  for (std::size_t index = 0; index < plain->nodes.size(); ++index) {
    CAF_CHECK(plain->nodes[index].limits == full->nodes[index].limits);
    CAF_CHECK_EQUAL(plain->nodes[index].data, full->nodes[index].data);
    CAF_CHECK_EQUAL(plain->nodes[index].program, full->nodes[index].program);
  }
  CAF_CHECK_EQUAL(full->find("warehouse")->environment.size(), 2u);
  CAF_CHECK(plain->services.empty());
  CAF_CHECK_EQUAL(full->services.size(), 1u);
  CAF_CHECK(plain->schedules.empty());
  CAF_REQUIRE_EQUAL(full->schedules.size(), 1u);
  CAF_CHECK(full->schedules.front().catch_up == schedule{}.catch_up);
  CAF_CHECK(full->schedules.front().overlap == schedule{}.overlap);
  CAF_CHECK(plain->service_limits.empty());
  CAF_REQUIRE_EQUAL(full->service_limits.size(), 1u);
  const auto& limits = full->service_limits.begin()->second;
  CAF_CHECK_EQUAL(full->service_limits.begin()->first, "payment");
  CAF_CHECK(limits.concurrency == 8u);
  CAF_REQUIRE(limits.rate && limits.breaker);
  CAF_CHECK_EQUAL(limits.rate->starts, 100u);
  CAF_CHECK_EQUAL(limits.rate->burst, 10u);
  CAF_CHECK(limits.rate->per == std::chrono::seconds{1});
  CAF_CHECK_EQUAL(limits.breaker->failures, 5u);
  CAF_CHECK(limits.breaker->wait == std::chrono::seconds{30});
  CAF_CHECK(plain->caf.empty());
  CAF_CHECK_EQUAL(full->caf.size(), 3u);
}

CAF_TEST(the sample has every key that there is) {
  const auto entries = scan(uncommented(), "sample");
  CAF_REQUIRE(entries.has_value());
  for (const auto& key : known_keys()) {
    const bool found = std::any_of(entries->begin(), entries->end(),
                                   [&](const entry& entry) { return pattern_of(entry.path) == key.path; });
    if (found == (key.kind == value_kind::refused)) {
      CAF_ERROR("the sample should " << (found ? "not " : "") << "have " << std::string{key.path});
    }
  }
}

CAF_TEST(a sample that is cut off anywhere is read or refused with a line) {
  const auto text = uncommented();
  for (std::size_t size = 0; size <= text.size(); ++size) {
    if (!is_value_or_line(text.substr(0, size))) {
      CAF_ERROR("cut off after " << size << " bytes: " << message_of(text.substr(0, size)));
    }
  }
}

CAF_TEST(a sample with a line less or twice is read or refused with a line) {
  const auto lines = lines_of(uncommented());
  for (std::size_t index = 0; index < lines.size(); ++index) {
    auto fewer = lines;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(index));
    CAF_CHECK(is_value_or_line(joined(fewer)));
    auto more = lines;
    more.insert(more.begin() + static_cast<std::ptrdiff_t>(index), lines[index]);
    CAF_CHECK(is_value_or_line(joined(more)));
    const bool says_something = !lines[index].empty() && lines[index][0] != ';';
    CAF_CHECK_EQUAL(parse_cluster_file(joined(more), "f").has_value(), !says_something);
  }
}

CAF_TEST(a sample with a wrong character anywhere is read or refused with a line) {
  const auto text =
      head + node_a + "environment={A=\"1\"\nB=\"2\"}\nshards=3\n[node]\ndisk-reserve=\"1MiB\"\n";
  for (std::size_t place_of = 0; place_of < text.size(); ++place_of) {
    for (const char c : std::string_view{"\0\n\r \"'[]{}<>=,;.-_0a\\#\x7f\xff", 25}) {
      auto changed = text;
      changed[place_of] = c;
      if (!is_value_or_line(changed)) {
        CAF_ERROR("0x" << std::hex << +c << " at " << place_of << ": " << message_of(changed));
      }
    }
  }
}
