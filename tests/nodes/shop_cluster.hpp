#pragma once

#include "nodes/certificates.hpp"
#include "tests/nodes/process.hpp"
#include "tests/nodes/reserved_port.hpp"
#include "tests/nodes/shop.hpp"
#include "tests/support/places.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace continuo::tests {

/// Whether the suites run in their long form.
inline bool is_long() {
  const auto* asked = std::getenv("CONTINUO_LONG");
  return asked != nullptr && std::string{asked} == "1";
}

/// Exit code as a number, or the signal as a negative one.
inline int number_of(const process::ending& end) {
  return end.code ? *end.code : -end.signal;
}

/// The nodes of the shop. The one of the lower name dials.
inline const std::array<std::string, 3> shop_nodes{"ordering", "payment", "warehouse"};

/// Three nodes as processes of their own with TLS between them, their customers, and what they did to the
/// outside world. One thread: lines are taken in by `listen`, and what waits by calling it.
class shop_cluster {
public:
  using clock = process::clock;
  using milliseconds = std::chrono::milliseconds;

  /// What a node said of a peer last.
  struct view {
    bool up = false;
    std::uint64_t connections = 0;
    clock::time_point asked; ///< not older than this
  };

  shop_cluster() {
    write_files();
    const auto made =
        nodes::make_certificates(directory_.path() / "certificates", {shop_nodes.begin(), shop_nodes.end()});
    if (!made) {
      throw std::runtime_error{made.error().message};
    }
  }

  // -- files -----------------------------------------------------------------------------
  std::filesystem::path folder() const { return directory_.path(); }
  std::filesystem::path data(const std::string& node) const { return folder() / "data" / node; }
  std::filesystem::path file(const std::string& node) const { return folder() / (node + ".conf"); }
  std::uint16_t port(const std::string& node) const { return ports_.at(node).number(); }

  /// The cluster file that a node is given. `seen` has the ports at which it looks for others where these are
  /// not their own.
  std::string file_text(const std::map<std::string, std::uint16_t>& seen = {}) const {
    std::ostringstream out;
    out << "[cluster]\nname=\"shop\"\n[node]\nlog-level=\"info\"\n";
    for (const auto& name : shop_nodes) {
      const auto other = seen.find(name);
      const auto hosts = name == "ordering" ? std::string{"\"selling\", \"account\""} : '"' + name + '"';
      out << "[nodes." << name
          << "]\naddress=\"127.0.0.1:" << (other == seen.end() ? port(name) : other->second) << "\"\nhosts=["
          << hosts << "]\n";
    }
    return out.str();
  }

  void write_files() const {
    for (const auto& name : shop_nodes) {
      std::ofstream{file(name)} << file_text();
    }
  }

  // -- lives -----------------------------------------------------------------------------
  /// Starts the program as that node; `before` is what the child does before it becomes the program.
  process& start(const std::string& name, const std::function<bool()>& before = {}) {
    return start(name, name, file(name), before);
  }

  /// The same under a name of the test's own, so that there may be two of one node.
  process& start(const std::string& called, const std::string& name, const std::filesystem::path& config,
                 const std::function<bool()>& before = {}) {
    const auto errors = errors_of(called);
    std::error_code none;
    const auto size = std::filesystem::file_size(errors, none);
    auto& life = lives_[called];
    life = {};
    life.said_from = none ? 0 : size;
    life.program = std::make_unique<process>(
        program(), std::vector<std::string>{"--config", config.string(), "--node", name},
        std::map<std::string, std::string>{{"SHOP_LEDGER", ledger().string()}, {"SHOP_HANDLER_MS", "10"}},
        [errors, before] {
          const int to = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
          return ::dup2(to, STDERR_FILENO) >= 0 && (!before || before());
        });
    return *life.program;
  }

  void start_all() {
    for (const auto& name : shop_nodes) {
      start(name);
    }
  }

  process& operator[](const std::string& name) { return *lives_.at(name).program; }
  bool is_running(const std::string& name) const {
    const auto life = lives_.find(name);
    return life != lives_.end() && life->second.program;
  }
  bool is_ready(const std::string& name) const { return is_running(name) && lives_.at(name).ready; }

  /// Kills a node at once. What it said before counts.
  int kill(const std::string& name) {
    auto& life = lives_.at(name);
    life.program->kill(SIGKILL);
    return end(name, std::chrono::seconds{30});
  }

  /// Takes in what a node says until it has ended, and kills it where that takes too long.
  int end(const std::string& name, milliseconds patience) {
    auto& life = lives_.at(name);
    const auto deadline = clock::now() + patience;
    while (const auto line = life.program->hear(deadline)) {
      hear(name, *line);
    }
    const auto how = number_of(life.program->wait(std::max(milliseconds{1}, left_until(deadline))));
    life.program.reset();
    return how;
  }

  /// Sends SIGSTOP or SIGCONT. A stopped node is asked nothing.
  void pause(const std::string& name, bool stop) {
    auto& life = lives_.at(name);
    life.stopped = stop;
    life.asked = false;
    life.program->kill(stop ? SIGSTOP : SIGCONT);
  }

  /// What the last life of a node said on standard error.
  std::string said(const std::string& name) const {
    std::ifstream in{errors_of(name)};
    in.seekg(static_cast<std::streamoff>(lives_.at(name).said_from));
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

  // -- lines -----------------------------------------------------------------------------
  /// Takes in lines, places orders that are due, and asks the nodes for their peers, for so long.
  void listen(milliseconds time) {
    const auto until = clock::now() + time;
    do {
      bool any = false;
      for (auto& [name, life] : lives_) {
        if (!life.program) {
          continue;
        }
        ask(life);
        place_due(name);
        const auto soon = clock::now() + milliseconds{2};
        for (auto line = life.program->hear(soon); line; line = life.program->hear(soon)) {
          hear(name, *line);
          any = true;
        }
      }
      if (!any) {
        std::this_thread::sleep_for(milliseconds{2});
      }
    } while (clock::now() < until);
  }

  /// Waits for a line of a node that begins so, and drops what comes before it; but not what it says of its
  /// peers, since who waits for an answer asks no second time.
  bool wait_for_line(const std::string& name, const std::string& begin,
                     milliseconds patience = std::chrono::seconds{30}) {
    auto& life = lives_.at(name);
    const auto deadline = clock::now() + patience;
    while (const auto line = life.program->hear(deadline)) {
      if (line->starts_with(begin)) {
        return true;
      }
      if (line->starts_with("peer ") || *line == "end") {
        hear(name, *line);
      }
    }
    return false;
  }

  bool wait_until(const std::function<bool()>& holds, milliseconds patience) {
    const auto deadline = clock::now() + patience;
    while (!holds()) {
      if (clock::now() >= deadline) {
        return false;
      }
      listen(milliseconds{5});
    }
    return true;
  }

  bool wait_for_ready(milliseconds patience = std::chrono::seconds{30}) {
    return wait_until(
        [&] {
          return std::all_of(shop_nodes.begin(), shop_nodes.end(),
                             [&](const auto& name) { return is_ready(name); });
        },
        patience);
  }

  // -- peers -----------------------------------------------------------------------------
  /// What `node` said of `peer`, if that was asked for after `since`.
  const view* seen(const std::string& node, const std::string& peer, clock::time_point since = {}) const {
    const auto& views = lives_.at(node).peers;
    const auto found = views.find(peer);
    return found != views.end() && found->second.asked >= since ? &found->second : nullptr;
  }

  bool sees(const std::string& node, const std::string& peer, bool up, clock::time_point since) const {
    const auto* found = seen(node, peer, since);
    return found != nullptr && found->up == up;
  }

  /// Whether every node said after `since` that it is connected to all others.
  bool all_up(clock::time_point since) const {
    for (const auto& one : shop_nodes) {
      for (const auto& other : shop_nodes) {
        if (one != other && (!is_running(one) || !sees(one, other, true, since))) {
          return false;
        }
      }
    }
    return true;
  }

  /// How long it takes from now until all are connected; nothing where that takes too long.
  std::optional<milliseconds> time_to_all_up(milliseconds patience) {
    const auto begun = clock::now();
    if (!wait_until([&] { return all_up(begun); }, patience)) {
      return std::nullopt;
    }
    return std::chrono::duration_cast<milliseconds>(clock::now() - begun);
  }

  // -- customers -------------------------------------------------------------------------
  /// So many orders a second come in from now on, at all nodes; 0: none.
  void order_rate(unsigned a_second) {
    rate_ = a_second;
    next_order_ = clock::now();
  }

  const std::set<std::string>& accepted() const { return accepted_; }
  const std::map<std::string, std::string>& ended() const { return ended_; }
  /// Why an order was not taken, the last time.
  std::string why_refused(const std::string& order) const {
    const auto found = refused_.find(order);
    return found == refused_.end() ? std::string{} : found->second;
  }

  std::size_t open_orders() const { return accepted_.size() - ended_.size(); }
  std::size_t unplaced() const {
    std::size_t count = 0;
    for (const auto& [node, orders] : unplaced_) {
      count += orders.size();
    }
    return count;
  }

  /// Waits until everything that was ordered has been accepted and has ended.
  bool settle(milliseconds patience) {
    order_rate(0);
    return wait_until([&] { return unplaced() == 0 && open_orders() == 0; }, patience);
  }

  // -- the judge -------------------------------------------------------------------------
  /// For each kind of effect and order the keys that it was done under.
  std::map<std::string, std::set<std::string>> effects() const {
    std::map<std::string, std::set<std::string>> found;
    std::ifstream lines{ledger()};
    for (std::string kind, order, key; lines >> kind >> order >> key;) {
      found[kind + " " + order].insert(key);
    }
    return found;
  }

  /// What is wrong with how the accepted orders ended and what was done for them; empty if nothing.
  std::vector<std::string> wrongs() const {
    const auto done = effects();
    std::vector<std::string> found;
    const auto check_keys = [&](const std::string& order, const std::string& kind, std::size_t keys) {
      const auto effect = done.find(kind + " " + order);
      const auto count = effect == done.end() ? 0 : effect->second.size();
      if (count != keys) {
        found.push_back(order + ": " + kind + " under " + std::to_string(count) + " keys, not " +
                        std::to_string(keys));
      }
    };
    for (const auto& order : accepted_) {
      const auto end = ended_.find(order);
      const std::string status = end == ended_.end() ? "open" : end->second;
      // Payment declines the dear ones, and the warehouse those of which it has none.
      const auto dear = order.starts_with("dear");
      const auto none = order.starts_with("none");
      if (status != (dear || none ? "compensated" : "completed")) {
        found.push_back(order + " is " + status);
        continue;
      }
      check_keys(order, "charge", dear ? 0 : 1);
      check_keys(order, "refund", none ? 1 : 0);
      check_keys(order, "label", dear || none ? 0 : 1);
    }
    return found;
  }

private:
  struct life {
    std::unique_ptr<process> program;
    bool ready = false;
    bool stopped = false;
    bool asked = false;
    clock::time_point asked_at;
    std::map<std::string, view> peers;
    std::uintmax_t said_from = 0;
  };

  static std::string program() { return continuo::tests::places::programs() + "/shop_node"; }
  std::filesystem::path ledger() const { return folder() / "ledger"; }
  std::filesystem::path errors_of(const std::string& name) const { return folder() / (name + ".stderr"); }

  static milliseconds left_until(clock::time_point deadline) {
    return std::chrono::duration_cast<milliseconds>(deadline - clock::now());
  }

  void ask(life& node) {
    const auto now = clock::now();
    if (node.ready && !node.stopped && !node.asked && now - node.asked_at > milliseconds{20}) {
      node.asked = true;
      node.asked_at = now;
      node.program->say("peers");
    }
  }

  void place_due(const std::string& name) {
    const auto now = clock::now();
    const auto is_of_shop = std::find(shop_nodes.begin(), shop_nodes.end(), name) != shop_nodes.end();
    if (rate_ == 0 || now < next_order_ || !is_of_shop || !is_ready(name) || lives_.at(name).stopped) {
      return;
    }
    // After a time in which no node could be asked there is no flood.
    next_order_ = std::max(next_order_ + milliseconds{1'000 / rate_}, now - milliseconds{200});
    const auto number = orders_++;
    const auto kind = number % 10 == 8 ? "none-" : number % 10 == 9 ? "dear-" : "o-";
    const auto order = kind + std::to_string(number);
    unplaced_[name].insert(order);
    place(name, order);
  }

  void place(const std::string& name, const std::string& order) {
    lives_.at(name).program->say("place " + order + (order.starts_with("dear") ? " 1000000" : " 100"));
  }

  void watch(const std::string& order) {
    if (is_ready("ordering") && !ended_.contains(order)) {
      lives_.at("ordering").program->say("watch " + order);
    }
  }

  void hear(const std::string& name, const std::string& line) {
    std::istringstream words{line};
    std::string what;
    std::string about;
    std::string status;
    words >> what >> about >> status;
    auto& node = lives_.at(name);
    if (what == "ready") {
      node.ready = true;
      for (const auto& order : unplaced_[name]) {
        place(name, order);
      }
      if (name == "ordering") {
        for (const auto& order : accepted_) {
          watch(order);
        }
      }
    } else if (what == "accepted") {
      unplaced_[name].erase(about);
      if (accepted_.insert(about).second) {
        watch(about);
      }
    } else if (what == "refused") {
      refused_[about] = status;
      if (status != "unavailable") {
        place(name, about);
      }
    } else if (what == "ended") {
      if (status != "unavailable") {
        ended_[about] = status;
      }
    } else if (what == "peer") {
      std::uint64_t connections = 0;
      words >> connections;
      node.peers[about] = {status == "up", connections, node.asked_at};
    } else if (what == "end") {
      node.asked = false;
    }
  }

  temporary_directory directory_;
  std::map<std::string, reserved_port> ports_ = [] {
    std::map<std::string, reserved_port> made;
    for (const auto& name : shop_nodes) {
      made.try_emplace(name);
    }
    return made;
  }();
  std::map<std::string, life> lives_;
  unsigned rate_ = 0;
  clock::time_point next_order_;
  std::size_t orders_ = 0;
  std::map<std::string, std::set<std::string>> unplaced_; // by the node at which they are placed
  std::set<std::string> accepted_;
  std::map<std::string, std::string> refused_;
  std::map<std::string, std::string> ended_;
};

} // namespace continuo::tests
