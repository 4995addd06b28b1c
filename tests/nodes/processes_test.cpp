#define CAF_SUITE processes
// ctest: timeout=240 labels=processes

#include "tests/nodes/process.hpp"
#include "tests/nodes/shop.hpp"
#include "tests/support/places.hpp"

#include <caf/test/dsl.hpp>

#include <fstream>
#include <random>
#include <sched.h>
#include <set>
#include <sstream>
#include <sys/mount.h>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

const std::string program = continuo::tests::places::programs() + "/shop_node";

bool is_long() {
  const auto* asked = std::getenv("CONTINUO_LONG");
  return asked != nullptr && std::string{asked} == "1";
}

/// The program on a directory of its own, life after life.
struct fixture {
  temporary_directory directory;
  std::filesystem::path data = directory.path() / "data";
  std::filesystem::path ledger = directory.path() / "ledger";
  std::filesystem::path errors = directory.path() / "stderr";

  std::unique_ptr<process> start(std::vector<std::string> arguments,
                                 std::map<std::string, std::string> environment = {},
                                 std::function<bool()> before = {}) {
    environment["SHOP_LEDGER"] = ledger.string();
    return std::make_unique<process>(program, std::move(arguments), environment, [this, before] {
      const int file = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      return ::dup2(file, STDERR_FILENO) >= 0 && (!before || before());
    });
  }

  std::unique_ptr<process> start() { return start({"--data", data.string()}); }

  /// What the last life said on standard error.
  std::string said() const {
    std::ostringstream text;
    text << std::ifstream{errors}.rdbuf();
    return text.str();
  }

  /// The effects on the outside world: for each `kind order` the keys that they were done under.
  std::map<std::string, std::set<std::string>> effects() const {
    std::map<std::string, std::set<std::string>> found;
    std::ifstream lines{ledger};
    for (std::string kind, order, key; lines >> kind >> order >> key;) {
      found[kind + " " + order].insert(key);
    }
    return found;
  }
};

constexpr int mount_refused = 99; // of `process`, where what comes before the program fails

/// Exit code as a number, or the signal as a negative one.
int number_of(const process::ending& end) {
  return end.code ? *end.code : -end.signal;
}

/// Places orders in life after life until all are accepted, and learns how each ended.
class customers {
public:
  explicit customers(std::set<std::string> orders) : unplaced_(std::move(orders)) {}

  /// Says what is left to be said: which orders to place, which of the accepted ones to watch.
  void speak(process& to) {
    for (const auto& order : unplaced_) {
      to.say("place " + order + " 100");
    }
    for (const auto& order : accepted_) {
      if (!ended_.contains(order)) {
        to.say("watch " + order);
      }
    }
  }

  /// Takes in a line. Where it says that an order was accepted, its end is asked for.
  void listen(process& to, const std::string& line) {
    std::istringstream words{line};
    std::string what;
    std::string order;
    std::string status;
    words >> what >> order >> status;
    if (what == "accepted") {
      unplaced_.erase(order);
      accepted_.insert(order);
      to.say("watch " + order);
    } else if (what == "ended" && status != "unavailable") {
      ended_[order] = status;
    }
  }

  void add(const std::string& order) { unplaced_.insert(order); }
  const std::set<std::string>& accepted() const { return accepted_; }
  const std::map<std::string, std::string>& ended() const { return ended_; }

private:
  std::set<std::string> unplaced_;
  std::set<std::string> accepted_;
  std::map<std::string, std::string> ended_;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(process_tests, fixture)

// -- exit codes ------------------------------------------------------------------------

CAF_TEST(a signal to end ends an idle node at once with 0) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto node = start();
    CAF_REQUIRE(node->wait_for_line("ready"));
    node->kill(signal);
    CAF_CHECK_EQUAL(number_of(node->wait(5s)), 0);
    const auto text = said(); // what a healthy node has to say
    CAF_CHECK_EQUAL(std::count(text.begin(), text.end(), '\n'), 2);
    CAF_CHECK(text.find(" ready after ") != std::string::npos);
    CAF_CHECK(text.find("; data in " + data.string()) != std::string::npos);
    CAF_CHECK(text.find("the node stops") != std::string::npos);
  }
}

CAF_TEST(a program whose code stops the node ends with 0) {
  const auto node = start();
  CAF_REQUIRE(node->wait_for_line("ready"));
  node->say("halt");
  CAF_CHECK_EQUAL(number_of(node->wait(8s)), 0);
}

CAF_TEST(a signal to end ends a node within 5 s also where a handler runs) {
  const auto node = start();
  CAF_REQUIRE(node->wait_for_line("ready"));
  node->say("place hang-1 100");
  CAF_REQUIRE(node->wait_for_line("hanging"));
  node->kill(SIGTERM);
  CAF_CHECK_EQUAL(number_of(node->wait(5s)), 0);
}

CAF_TEST(a signal to end is heard while a node starts) {
  auto node = start();
  CAF_REQUIRE(node->wait_for_line("ready"));
  node->say("place hang-1 100");
  CAF_REQUIRE(node->wait_for_line("hanging"));
  node->kill(SIGKILL);
  node->wait();
  node = start(); // runs the handler that ran, alone, before it takes anything
  CAF_REQUIRE(node->wait_for_line("hanging"));
  node->kill(SIGTERM);
  CAF_CHECK_EQUAL(number_of(node->wait(5s)), 0);
}

CAF_TEST(arguments that are not understood end with 2 and a line that says why) {
  const std::vector<std::vector<std::string>> wrong{{},
                                                    {"--data"},
                                                    {"--data="},
                                                    {"--data", ""},
                                                    {"--bogus"},
                                                    {"--data", data.string(), "more"},
                                                    {"--name", "x"}};
  for (const auto& arguments : wrong) {
    CAF_CHECK_EQUAL(number_of(start(arguments)->wait()), 2);
    const auto text = said();
    CAF_CHECK_EQUAL(std::count(text.begin(), text.end(), '\n'), 1);
    CAF_CHECK(text.size() > 10);
  }
  CAF_CHECK(!std::filesystem::exists(data));
}

CAF_TEST(what follows two dashes is left to the program) {
  const auto node = start({"--data", data.string(), "--", "--bogus", "--help", "--data"});
  CAF_REQUIRE(node->wait_for_line("ready"));
  node->kill(SIGTERM);
  CAF_CHECK_EQUAL(number_of(node->wait(5s)), 0);
}

CAF_TEST(a program may read its arguments itself) {
  const auto node = start({"--bogus", "1"}, {{"SHOP_DATA", data.string()}});
  CAF_REQUIRE(node->wait_for_line("ready"));
  CAF_CHECK(std::filesystem::exists(data / "journal"));
  node->kill(SIGTERM);
  CAF_CHECK_EQUAL(number_of(node->wait(5s)), 0);
}

CAF_TEST(help is printed and ends with 0) {
  const auto node = start({"--help"});
  CAF_CHECK(node->wait_for_line("usage: "));
  CAF_CHECK_EQUAL(number_of(node->wait()), 0);
}

CAF_TEST(definitions that cannot run end with 2 and are named) {
  const auto node = start({"--data", data.string()}, {{"SHOP_DEFINITIONS", "incomplete"}});
  CAF_CHECK_EQUAL(number_of(node->wait()), 2);
  CAF_CHECK(said().find("create_label, which no service handles") != std::string::npos);
}

CAF_TEST(a data directory in use ends with 6 and harms nobody) {
  const auto first = start();
  CAF_REQUIRE(first->wait_for_line("ready"));
  const auto second = start();
  CAF_CHECK_EQUAL(number_of(second->wait()), 6);
  CAF_CHECK(said().find(data.string()) != std::string::npos);
  first->say("place o-1 100");
  CAF_CHECK(first->wait_for_line("accepted o-1"));
}

CAF_TEST(a flipped byte ends with 3 and the name of the file) {
  {
    const auto node = start();
    CAF_REQUIRE(node->wait_for_line("ready"));
    for (int i = 0; i < 100; ++i) {
      node->say("place o-" + std::to_string(i) + " 100");
    }
    for (int i = 0; i < 100; ++i) {
      CAF_REQUIRE(node->wait_for_line("accepted o-"));
    }
    node->kill(SIGKILL);
    node->wait();
  }
  // The largest file of the journal holds the records; its middle is between two of them or in one.
  std::filesystem::path largest;
  std::uintmax_t size = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator{data / "journal"}) {
    const auto name = file.path().filename().string();
    if (file.is_regular_file() && !name.starts_with("LOG") && !name.starts_with("OPTIONS") &&
        file.file_size() > size) {
      largest = file.path();
      size = file.file_size();
    }
  }
  {
    std::fstream bytes{largest, std::ios::in | std::ios::out | std::ios::binary};
    bytes.seekg(static_cast<std::streamoff>(size / 2));
    const auto byte = static_cast<char>(bytes.get() ^ 0x40);
    bytes.seekp(static_cast<std::streamoff>(size / 2));
    bytes.put(byte);
  }
  CAF_CHECK_EQUAL(number_of(start()->wait()), 3);
  CAF_CHECK(said().find(data.string()) != std::string::npos);
  CAF_MESSAGE(said());
}

CAF_TEST(a full disk ends with 4) {
  const auto mounted = [this] {
    return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=96m") == 0;
  };
  // The mount is gone with the process. With a reserve, the node would refuse new work before the disk is
  // full.
  const auto node = start({"--data", data.string(), "--disk-reserve", "0"}, {}, mounted);
  if (!node->wait_for_line("ready")) {
    CAF_REQUIRE_EQUAL(number_of(node->wait()), mount_refused);
    CAF_MESSAGE("skipped: a small file system can only be mounted by root");
    return;
  }
  node->say("fill " + (directory.path() / "filler").string());
  CAF_REQUIRE(node->wait_for_line("full"));
  for (int i = 0; i < 200; ++i) {
    node->say("charge o-" + std::to_string(i) + " 100000");
  }
  CAF_CHECK_EQUAL(number_of(node->wait()), 4);
  CAF_MESSAGE(said());
}

// -- handlers that end the process --------------------------------------------------------

namespace {

/// The message whose handler ends the process, and how to see what became of it.
struct poison {
  std::string line;                  ///< that brings it in
  std::string taken;                 ///< begins the line that says that it is accepted
  std::string type;                  ///< where what was given up is found: `letters`, or what is `stuck`
  bool each_saying_is_a_new_message; ///< so that each ends its life; else a repeated one is dropped
};

/// Lives and deaths until a life lasts: the one in which every order but the poisoned ones has ended.
struct lives {
  int aborts = 0;
  int sayings = 0;             ///< how often the poison was said
  std::set<std::string> stuck; ///< in the last life, as `TYPE KEY`
};

lives live_through(fixture& here, customers& orders, const std::set<std::string>& healthy,
                   const poison& bad) {
  lives outcome;
  bool poisoned = false;
  for (int life = 0; life < 40; ++life) {
    const auto node = here.start();
    const auto deadline = process::clock::now() + 60s;
    if (node->wait_for_line("ready")) {
      orders.speak(*node);
      // The process may have ended between the sync and the line that tells of it: then the message is said
      // again. Where it would be another one, what was given up of the earlier ones is looked at first.
      if (!poisoned && outcome.sayings > 0 && bad.each_saying_is_a_new_message) {
        node->say(bad.type);
        while (const auto line = node->hear(deadline)) {
          orders.listen(*node, *line);
          poisoned = poisoned || line->starts_with("stuck ");
          if (*line == "end") {
            break;
          }
        }
      }
      const bool says = !poisoned;
      if (says) {
        node->say(bad.line);
        ++outcome.sayings;
      }
      const bool must_die = says && bad.each_saying_is_a_new_message;
      while (const auto line = node->hear(deadline)) {
        orders.listen(*node, *line);
        poisoned = poisoned || line->starts_with(bad.taken);
        const auto all_ended = std::all_of(healthy.begin(), healthy.end(),
                                           [&](const auto& order) { return orders.ended().contains(order); });
        if (poisoned && all_ended && !must_die) {
          break;
        }
      }
      for (const auto& order : healthy) {
        if (!orders.ended().contains(order)) {
          node->say("show " + order);
        }
      }
      node->say(bad.type == "letters" ? bad.type : "stuck " + bad.type);
      outcome.stuck.clear();
      while (const auto line = node->hear(process::clock::now() + 10s)) {
        if (*line == "end") {
          node->kill(SIGTERM);
          CAF_CHECK_EQUAL(number_of(node->wait()), 0);
          return outcome;
        }
        if (line->starts_with("shown ")) {
          CAF_MESSAGE(*line);
        }
        if (line->starts_with("stuck ")) {
          outcome.stuck.insert(line->substr(6));
        }
      }
    }
    const auto end = node->wait();
    CAF_REQUIRE_EQUAL(number_of(end), -SIGABRT);
    ++outcome.aborts;
  }
  CAF_FAIL("the node does not come to rest");
}

/// A saga's or keyed service's handler may run before its message is durable: that death leaves nothing to be
/// found, and comes again.
void check_deaths(int aborts) {
  CAF_MESSAGE(aborts << " deaths");
  CAF_CHECK(aborts == 3 || aborts == 4);
}

std::set<std::string> thousand_orders() {
  std::set<std::string> orders;
  for (int i = 0; i < 1'000; ++i) {
    orders.insert("o-" + std::to_string(i));
  }
  return orders;
}

/// All that the healthy orders came to: completed, and charged under one key each.
void check_healthy(const fixture& here, const customers& orders, const std::set<std::string>& healthy) {
  const auto effects = here.effects();
  std::size_t completed = 0;
  std::size_t charged_once = 0;
  for (const auto& order : healthy) {
    const auto end = orders.ended().find(order);
    const auto well = end != orders.ended().end() && end->second == "completed";
    completed += well ? 1 : 0;
    if (!well) {
      CAF_MESSAGE(order << (orders.accepted().contains(order) ? ", accepted, " : ", not accepted, ")
                        << (end == orders.ended().end() ? "did not end" : end->second));
    }
    const auto charge = effects.find("charge " + order);
    charged_once += charge != effects.end() && charge->second.size() == 1 ? 1 : 0;
  }
  CAF_CHECK_EQUAL(completed, healthy.size());
  CAF_CHECK_EQUAL(charged_once, healthy.size());
}

} // namespace

CAF_TEST(a saga handler that aborts is stuck after its third death while a thousand orders complete) {
  const auto healthy = thousand_orders();
  customers orders{healthy};
  const auto outcome =
      live_through(*this, orders, healthy, {"place saga-abort 100", "accepted saga-abort", "selling", false});
  check_deaths(outcome.aborts);
  CAF_REQUIRE_EQUAL(outcome.stuck.size(), 1u);
  CAF_MESSAGE(*outcome.stuck.begin());
  CAF_CHECK(outcome.stuck.begin()->starts_with("selling saga-abort "));
  check_healthy(*this, orders, healthy);
}

CAF_TEST(a service handler that aborts is parked after its third death while a thousand orders complete) {
  const auto healthy = thousand_orders();
  customers orders{healthy};
  const auto outcome = live_through(*this, orders, healthy,
                                    {"place service-abort 100", "accepted service-abort", "payment", false});
  check_deaths(outcome.aborts);
  CAF_REQUIRE_EQUAL(outcome.stuck.size(), 1u);
  CAF_MESSAGE(*outcome.stuck.begin());
  check_healthy(*this, orders, healthy);
}

CAF_TEST(
    a keyed handler that aborts gives up its command after the third death while a thousand orders complete) {
  const auto healthy = thousand_orders();
  customers orders{healthy};
  const auto outcome =
      live_through(*this, orders, healthy, {"deposit keyed-abort", "taken ", "letters", true});
  CAF_MESSAGE(outcome.aborts << " deaths, " << outcome.sayings << " sayings");
  for (const auto& letter : outcome.stuck) {
    CAF_MESSAGE(letter);
    CAF_CHECK(letter.starts_with("letter deposit "));
  }
  // Each saying is a command of its own and ends the life that hears it. One that was durable then is found,
  // ends two more lives, and becomes a letter of its own; one that was not leaves nothing, but its receiver
  // is watched in the next life, so that the next one is found.
  const auto letters = static_cast<int>(outcome.stuck.size());
  CAF_CHECK(letters >= 1);
  CAF_CHECK_EQUAL(outcome.aborts, outcome.sayings + 2 * letters);
  CAF_CHECK(outcome.sayings - letters <= letters);
  check_healthy(*this, orders, healthy);
}

// -- kills from outside ---------------------------------------------------------------------

CAF_TEST(kills from outside lose nothing and park nothing) {
  const int kills = is_long() ? 200 : 20;
  const auto seed = std::random_device{}();
  CAF_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  customers orders{{}};
  std::set<std::string> all;
  for (int life = 0; life <= kills; ++life) {
    const bool last = life == kills;
    const auto node = start();
    for (int i = 0; i < 50 && !last; ++i) {
      const auto order = "o-" + std::to_string(life) + "-" + std::to_string(i);
      orders.add(order);
      all.insert(order);
    }
    orders.speak(*node); // it reads as soon as it has started
    // Sometimes while it starts, mostly while it works.
    const auto until = process::clock::now() +
                       (last ? std::chrono::milliseconds{60'000} : std::chrono::milliseconds{random() % 300});
    if (last) {
      CAF_REQUIRE(node->wait_for_line("ready"));
    }
    while (orders.ended().size() < all.size()) {
      const auto line = node->hear(until);
      if (!line) {
        break;
      }
      orders.listen(*node, *line);
    }
    if (!last) {
      node->kill(SIGKILL);
      CAF_REQUIRE_EQUAL(number_of(node->wait()), -SIGKILL);
      continue;
    }
    for (const std::string type : {"selling", "payment", "warehouse"}) {
      node->say("stuck " + type);
      CAF_CHECK_EQUAL(node->hear(process::clock::now() + 10s).value_or("nothing"), "end");
    }
    node->kill(SIGTERM);
    CAF_CHECK_EQUAL(number_of(node->wait()), 0);
  }
  CAF_CHECK_EQUAL(orders.ended().size(), all.size());
  check_healthy(*this, orders, all);
}

CAF_TEST_FIXTURE_SCOPE_END()
