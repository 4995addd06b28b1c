#define CAF_SUITE metrics

#include "tests/nodes/reserved_port.hpp"
#include "tests/nodes/shop.hpp"
#include "tests/support/places.hpp"

#include <continuo/node.hpp>

#include <caf/test/dsl.hpp>

#include <arpa/inet.h>
#include <cmath>
#include <fstream>
#include <map>
#include <netinet/in.h>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <sys/socket.h>
#include <sys/time.h>
#include <thread>
#include <unistd.h>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

// -- the text format -----------------------------------------------------------------------

struct family {
  std::string help;
  std::string type;
  std::set<std::string> labels;
};

/// One answer of `/metrics`, read strictly: what Prometheus would put up with is a problem here.
struct page {
  std::map<std::string, family> families;
  std::map<std::string, double> series; ///< by name and labels, as they stand in the text
  std::vector<std::string> problems;

  double operator[](const std::string& wanted) const {
    const auto found = series.find(wanted);
    return found == series.end() ? std::nan("") : found->second;
  }
};

/// Whether a sample of that name may stand in the family.
bool belongs(const std::string& sample, const std::string& name, const std::string& type) {
  if (type == "histogram") {
    return sample == name + "_bucket" || sample == name + "_sum" || sample == name + "_count";
  }
  return sample == name;
}

page read_page(const std::string& text) {
  static const std::regex help{"# HELP (continuo_[a-z_]+) (\\S.*)"};
  static const std::regex type{"# TYPE (continuo_[a-z_]+) (counter|gauge|histogram)"};
  static const std::regex sample{"(continuo_[a-z_]+)(\\{(.*)\\})? (\\S+)"};
  static const std::regex label{"([a-z_]+)=\"((?:[^\"\\\\]|\\\\[\\\\n\"])*)\"(,|$)"};
  page read;
  std::string name; // of the family that was begun last
  std::map<std::string, double> last_bucket;
  const auto object = [&](const std::string& what, const std::string& line) {
    read.problems.push_back(what + ": " + line);
  };
  if (!text.ends_with('\n')) {
    object("the last line does not end", "");
  }
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    std::smatch parts;
    if (std::regex_match(line, parts, help)) {
      name = parts[1];
      if (!read.families.try_emplace(name, family{parts[2], {}, {}}).second) {
        object("a second HELP", line);
      }
    } else if (std::regex_match(line, parts, type)) {
      auto& begun = read.families[name];
      if (parts[1] != name || !begun.type.empty()) {
        object("a TYPE that does not follow its HELP", line);
      }
      begun.type = parts[2];
      if ((begun.type == "counter") != name.ends_with("_total")) {
        object("counters end in _total, and nothing else does", line);
      }
    } else if (std::regex_match(line, parts, sample)) {
      if (name.empty() || !belongs(parts[1], name, read.families[name].type)) {
        object("a sample outside of its family", line);
        continue;
      }
      std::string others; // the labels but `le`
      std::string bound;
      std::string rest = parts[3];
      std::smatch one;
      while (std::regex_search(rest, one, label, std::regex_constants::match_continuous)) {
        if (one[1] == "le") {
          bound = one[2];
        } else {
          others += one.str();
          read.families[name].labels.insert(one[1]);
        }
        rest = one.suffix();
      }
      if (!rest.empty() || (parts[2].matched && parts[3].length() == 0)) {
        object("labels that cannot be read", line);
      }
      std::size_t used = 0;
      const std::string number = parts[4];
      const auto value = std::stod(number, &used);
      if (used != number.size() || std::isnan(value) || value < 0) {
        object("no number", line);
      }
      if (!read.series.try_emplace(parts[1].str() + parts[2].str(), value).second) {
        object("a series that stands there twice", line);
      }
      if (parts[1] == name + "_bucket") {
        auto& last = last_bucket[name + others];
        if (bound.empty() || value < last) {
          object("a bucket without a bound, or with less than the one before", line);
        }
        last = value;
        if (bound == "+Inf") {
          last_bucket[name + others + "+Inf"] = value;
        }
      }
    } else {
      object("neither HELP nor TYPE nor a sample", line);
    }
  }
  for (const auto& [series, value] : read.series) {
    std::smatch parts;
    static const std::regex count{"(continuo_[a-z_]+)_count(\\{(.*)\\})?"};
    if (std::regex_match(series, parts, count)) {
      const auto key = parts[1].str() + parts[3].str();
      const auto all = last_bucket.find(key + (parts[3].length() > 0 ? "," : "") + "+Inf");
      const auto without = last_bucket.find(key + "+Inf");
      const auto found = all != last_bucket.end() ? all : without;
      if (found == last_bucket.end() || found->second != value) {
        object("a count that is not that of its last bucket", series);
      }
    }
  }
  return read;
}

// -- over HTTP ------------------------------------------------------------------------------

/// All that the node answers, header and body.
std::string get(std::uint16_t port, const std::string& target) {
  const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{20, 0};
  ::setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  std::string heard;
  if (::connect(file, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const auto request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    [[maybe_unused]] const auto sent = ::send(file, request.data(), request.size(), MSG_NOSIGNAL);
    char part[4096];
    for (auto got = ::recv(file, part, sizeof(part), 0); got > 0; got = ::recv(file, part, sizeof(part), 0)) {
      heard.append(part, static_cast<std::size_t>(got));
    }
  }
  ::close(file);
  return heard;
}

page scrape(std::uint16_t port) {
  const auto answer = get(port, "/metrics");
  const auto end = answer.find("\r\n\r\n");
  CAF_REQUIRE(end != std::string::npos);
  CAF_CHECK(answer.starts_with("HTTP/1.1 200 "));
  CAF_CHECK(answer.find("Content-Type: text/plain; version=0.0.4\r\n") < end);
  auto read = read_page(answer.substr(end + 4));
  for (const auto& problem : read.problems) {
    CAF_ERROR(problem);
  }
  return read;
}

// -- the node ---------------------------------------------------------------------------------

struct printed {
  CONTINUO_FIELDS(printed)
};

struct print {
  using reply = printed;
  std::string page;
  CONTINUO_FIELDS(print, page)
};

struct stored {
  CONTINUO_FIELDS(stored)
};

struct store {
  using reply = stored;
  std::string shelf;
  CONTINUO_FIELDS(store, shelf)
};

struct shelf_content {
  std::int64_t things = 0;
  CONTINUO_FIELDS(shelf_content, things)
};

/// Fails at the first attempt, or at each.
service printer() {
  return service{"printer"}
      .retry({.attempts = 2, .first = 1ms})
      .handle([](const print& command, command_context& context) -> outcome<printed> {
        if (context.attempt() == 1 || command.page == "never") {
          throw std::runtime_error{"paper jam"};
        }
        return printed{};
      });
}

keyed_service<shelf_content> shelf() {
  keyed_service<shelf_content> made{"shelf"};
  made.handle(&store::shelf, [](shelf_content& state, const store&, keyed_context&) -> outcome<stored> {
    ++state.things;
    return stored{};
  });
  return made;
}

/// One node of a cluster of two. The other one, where the warehouse is, is down.
struct fixture {
  temporary_directory folder;
  reserved_port http;
  reserved_port peers;
  reserved_port nobody;
  gate held;
  std::optional<node> here;

  fixture() {
    auto config = node_config::embedded(folder.path() / "data");
    config.name = "shop";
    config.http = http_address{"127.0.0.1", http.number()};
    config.cluster.emplace();
    config.cluster->name = "mall";
    config.cluster->nodes = {
        {"shop", "127.0.0.1", peers.number(), {"fulfilment", "payment", "printer", "shelf"}, std::nullopt},
        {"depot", "127.0.0.1", nobody.number(), {"warehouse"}, std::nullopt}};
    here.emplace(std::move(config));
    host_shop(*here, &held);
    here->host(printer());
    here->host(shelf());
    const auto started = here->start();
    CAF_REQUIRE_EQUAL(code_of(started), "ok");
  }

  ~fixture() { held.open(); }

  /// The first page that has what is wanted, or the one after 20 s: gauges that are counted from records may
  /// be half a second old.
  page scrape_until(const std::map<std::string, double>& wanted) const {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (true) {
      auto seen = scrape(http.number());
      const auto has_all = std::all_of(wanted.begin(), wanted.end(),
                                       [&](const auto& one) { return seen[one.first] == one.second; });
      if (has_all || std::chrono::steady_clock::now() > deadline) {
        for (const auto& [series, value] : wanted) {
          CAF_MESSAGE(series);
          CAF_CHECK_EQUAL(seen[series], value);
        }
        return seen;
      }
      std::this_thread::sleep_for(20ms);
    }
  }
};

std::string text_of(const std::string& file) {
  std::ifstream in{continuo::tests::places::root() + "/" + file};
  CAF_REQUIRE(in.good());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(metrics_tests, fixture)

CAF_TEST(what a node does is counted) {
  auto seen = scrape(http.number());
  CAF_CHECK_EQUAL(seen["continuo_commands_completed_total{service=\"payment\"}"], 0.0);
  CAF_CHECK_EQUAL(seen["continuo_waiting_commands{service=\"warehouse\"}"], 0.0);
  CAF_CHECK_EQUAL(seen["continuo_oldest_waiting_command_seconds{service=\"warehouse\"}"], 0.0);
  CAF_CHECK_EQUAL(seen["continuo_instances{type=\"fulfilment\",status=\"stuck\"}"], 0.0);

  CAF_REQUIRE(here->client().publish(order_placed{"o-1", 100}).get().has_value());
  CAF_REQUIRE(held.wait_for_held(1));
  scrape_until({{"continuo_commands_in_execution{service=\"payment\"}", 1},
                {"continuo_waiting_commands{service=\"payment\"}", 1},
                {"continuo_in_flight_instances", 1}});
  held.open();
  CAF_CHECK_EQUAL(place(*here, "o-2", 200'000).substr(0, 11), "compensated");
  CAF_CHECK(wait_for(here->client().send(print{"once"})).has_value());
  CAF_CHECK(!wait_for(here->client().send(print{"never"})).has_value());
  CAF_CHECK(wait_for(here->client().send(store{"a"})).has_value());

  seen = scrape_until({{"continuo_instances{type=\"fulfilment\",status=\"running\"}", 1},
                       {"continuo_instances{type=\"fulfilment\",status=\"compensated\"}", 1},
                       {"continuo_instances{type=\"fulfilment\",status=\"completed\"}", 0},
                       {"continuo_waiting_commands{service=\"warehouse\"}", 1},
                       {"continuo_waiting_commands{service=\"payment\"}", 0},
                       {"continuo_commands_in_execution{service=\"payment\"}", 0},
                       {"continuo_in_flight_instances", 0}, // what waits for the depot is parked
                       {"continuo_commands_completed_total{service=\"payment\"}", 1},
                       {"continuo_commands_failed_total{service=\"payment\",reason=\"declined\"}", 1},
                       {"continuo_commands_failed_total{service=\"payment\",reason=\"gave_up\"}", 0},
                       {"continuo_handler_seconds_count{service=\"payment\"}", 2},
                       {"continuo_commands_completed_total{service=\"printer\"}", 1},
                       {"continuo_commands_failed_total{service=\"printer\",reason=\"gave_up\"}", 1},
                       {"continuo_command_retries_total{service=\"printer\"}", 2},
                       {"continuo_handler_seconds_count{service=\"printer\"}", 4},
                       {"continuo_commands_completed_total{service=\"shelf\"}", 1},
                       {"continuo_handler_seconds_count{service=\"shelf\"}", 1},
                       {"continuo_parked_commands{service=\"printer\"}", 0},
                       {"continuo_dead_letters", 1},
                       {"continuo_dead_letters_made_total", 1},
                       {"continuo_orphaned_instances", 0},
                       {"continuo_link_up{peer=\"depot\"}", 0},
                       {"continuo_in_flight_limit", 10'000}});
  CAF_CHECK(seen["continuo_oldest_waiting_command_seconds{service=\"warehouse\"}"] > 0);
  CAF_CHECK(seen["continuo_transitions_total"] >= 10);
  CAF_CHECK(seen["continuo_journal_sync_seconds_count"] >= 1);
  CAF_CHECK(seen["continuo_journal_sync_seconds_sum"] > 0);
  CAF_CHECK(seen["continuo_journal_sync_seconds_sum"] < 60);
  CAF_CHECK_EQUAL(seen["continuo_journal_batch_transitions_sum"], seen["continuo_transitions_total"]);
  CAF_CHECK_EQUAL(seen["continuo_journal_batch_transitions_count"],
                  seen["continuo_journal_sync_seconds_count"]);
  CAF_CHECK(seen["continuo_journal_operations_total"] >= seen["continuo_journal_sync_seconds_count"]);
  CAF_CHECK(seen["continuo_journal_written_bytes_total"] > 1'000);
  CAF_CHECK(seen["continuo_journal_size_bytes"] > 1'000);
  CAF_CHECK(seen["continuo_disk_free_bytes"] > 0);
  CAF_CHECK_EQUAL(seen["continuo_disk_reserve_bytes"], 256.0 * 1'024 * 1'024);
  CAF_CHECK(seen["continuo_resident_memory_bytes"] > 1'000'000);
  CAF_CHECK(seen["continuo_recovery_seconds"] < 60);
  CAF_CHECK(std::abs(seen["continuo_start_time_seconds"] - static_cast<double>(::time(nullptr))) < 120);
}

CAF_TEST(the document names all metrics with their types and labels and no others) {
  const auto seen = scrape(http.number());
  std::map<std::string, std::string> documented;
  static const std::regex row{"\\| `(continuo_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\| [^|]+ \\|"};
  std::istringstream lines{text_of("docs/metrics.md")};
  for (std::string line; std::getline(lines, line);) {
    std::smatch parts;
    if (std::regex_match(line, parts, row)) {
      CAF_CHECK(documented.try_emplace(parts[1], parts[2].str() + " " + parts[3].str()).second);
    }
  }
  std::map<std::string, std::string> found;
  for (const auto& [name, family] : seen.families) {
    auto& text = found[name] = family.type + " ";
    for (const auto& label : family.labels) {
      text += (text.back() == ' ' ? "`" : ", `") + label + "`";
    }
  }
  for (const auto& [name, text] : found) {
    CAF_MESSAGE(name);
    CAF_CHECK_EQUAL(documented[name], text);
  }
  for (const auto& [name, text] : documented) {
    CAF_MESSAGE(name);
    CAF_CHECK(found.contains(name));
  }
}

CAF_TEST(every metric in the alert rules exists) {
  const auto seen = scrape(http.number());
  static const std::regex metric{"continuo_[a-z_]+"};
  std::size_t rules = 0;
  std::istringstream lines{text_of("config/alerts.yml")};
  for (std::string line; std::getline(lines, line);) {
    const auto is_rule = line.find("expr: ") != std::string::npos;
    rules += is_rule ? 1 : 0;
    for (std::sregex_iterator i{line.begin(), line.end(), metric}, end; i != end; ++i) {
      const auto name = i->str();
      const auto exists = std::any_of(seen.families.begin(), seen.families.end(), [&](const auto& one) {
        // A rule needs a series; what the texts say may name a histogram as a whole.
        return belongs(name, one.first, one.second.type) || (!is_rule && name == one.first);
      });
      CAF_MESSAGE(name);
      CAF_CHECK(exists);
    }
  }
  CAF_CHECK(rules >= 8);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(a node that stands alone has the same metrics) {
  const reserved_port http;
  auto config = node_config::in_memory();
  config.name = "a \"b\" \\c"; // what must be escaped
  config.http = http_address{"127.0.0.1", http.number()};
  node alone{std::move(config)};
  host_shop(alone);
  CAF_REQUIRE(alone.start().has_value());
  CAF_CHECK_EQUAL(place(alone, "o-1"), "completed: track-o-1");
  const auto seen = scrape(http.number());
  CAF_CHECK(seen.families.contains("continuo_link_up"));
  CAF_CHECK_EQUAL(seen["continuo_commands_completed_total{service=\"warehouse\"}"], 1.0);
  alone.stop();
}

CAF_TEST(the reader of these tests is strict) {
  const std::string head = "# HELP continuo_a_total x\n# TYPE continuo_a_total counter\n";
  const std::string histogram = "# HELP continuo_h x\n# TYPE continuo_h histogram\n";
  CAF_CHECK(read_page(head + "continuo_a_total 1\n").problems.empty());
  for (const auto& text :
       {head + "continuo_a_total 1", head + "continuo_a_total 1\ncontinuo_a_total 1\n", head + head,
        head + "continuo_b_total 1\n", std::string{"continuo_a_total 1\n"},
        head + "continuo_a_total{x=1} 1\n", head + "continuo_a_total 1x\n", head + "\n",
        std::string{"# TYPE continuo_a_total counter\n"},
        std::string{"# HELP continuo_a x\n# TYPE continuo_a counter\ncontinuo_a 1\n"},
        histogram + "continuo_h_bucket{le=\"1\"} 2\ncontinuo_h_bucket{le=\"+Inf\"} 1\ncontinuo_h_count 1\n",
        histogram + "continuo_h_bucket{le=\"+Inf\"} 1\ncontinuo_h_count 2\n"}) {
    CAF_CHECK(!read_page(text).problems.empty());
  }
}
