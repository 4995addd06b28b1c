#include "tools/cluster_commands.hpp"

#include "config/http_url.hpp"
#include "journal/files.hpp"
#include "nodes/certificates.hpp"
#include "nodes/http/token.hpp"
#include "tools/cluster_state.hpp"
#include "tools/node_client.hpp"
#include "tools/node_process.hpp"
#include "tools/output.hpp"
#include "tools/report.hpp"
#include "tools/table.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <poll.h>
#include <sstream>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace continuo::tools {

namespace {

using steady = std::chrono::steady_clock;

constexpr int exit_not_done = 1;
constexpr std::chrono::seconds time_to_stop{10};
constexpr std::chrono::milliseconds look_every{100};

// -- the file ------------------------------------------------------------------------------------

std::vector<std::string> names_of(const config::cluster_file& file) {
  std::vector<std::string> names;
  for (const auto& node : file.nodes) {
    names.push_back(node.seen_by_peers.name);
  }
  return names;
}

result<const config::node_entry*> find_node(const config::cluster_file& file, const std::string& name) {
  if (const auto* found = file.find(name)) {
    return found;
  }
  return fail(errc::invalid_configuration,
              fmt::format("{}: there is no node \"{}\"; the nodes are {}", file.file.string(), name,
                          fmt::join(names_of(file), ", ")));
}

/// Said here, where the way out can be named, before a node says it.
result<void> check_certificates(const config::cluster_file& file, const config::node_entry& node) {
  if (!file.shows_certificate(node)) {
    return {};
  }
  const auto files = file.certificates_of(node.seen_by_peers.name);
  std::error_code hidden; // the files say themselves whose they are
  if (!std::filesystem::exists(files.certificate, hidden) && !hidden) {
    return fail(errc::invalid_configuration,
                fmt::format("the node {} has no certificate: make it with `continuo cluster init {}`",
                            node.seen_by_peers.name, file.file.string()));
  }
  return nodes::check_certificates(files, node.seen_by_peers.name);
}

// -- starting --------------------------------------------------------------------------------------

/// How a process ended, for people.
std::string ending_of(int status) {
  return WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                             : fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

int code_of(int status) {
  return WIFSIGNALED(status) ? exit_not_done : WEXITSTATUS(status);
}

/// Signals that are to end this program, and the ends of its children: as something to poll.
class signal_source {
public:
  signal_source() {
    sigset_t all;
    sigemptyset(&all);
    for (const auto one : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
      sigaddset(&all, one);
    }
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    number_ = ::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~signal_source() { ::close(number_); }
  signal_source(const signal_source&) = delete;
  signal_source& operator=(const signal_source&) = delete;

  int get() const { return number_; }

  /// Whether one came that is to end the program.
  bool take() const {
    bool ends = false;
    signalfd_siginfo got{};
    while (::read(number_, &got, sizeof(got)) == static_cast<ssize_t>(sizeof(got))) {
      ends = ends || got.ssi_signo != SIGCHLD;
    }
    return ends;
  }

private:
  int number_ = -1;
};

/// The nodes that this program has started, and what they say.
class children {
public:
  explicit children(const config::cluster_file& file) : file_(file) {
    for (const auto& name : names_of(file)) {
      width_ = std::max(width_, name.size());
    }
  }

  result<void> start(const config::node_entry& node, bool detached) {
    std::optional<node_output> output;
    if (!detached) {
      const auto number = static_cast<std::size_t>(&node - file_.nodes.data());
      output.emplace(node.seen_by_peers.name, number, width_);
    }
    auto started = start_node(file_, node, {detached, output ? output->write_end() : -1});
    if (!started) {
      return tl::unexpected(started.error());
    }
    if (output) {
      output->given();
      outputs_.push_back(std::move(*output));
    }
    running_.emplace(node.seen_by_peers.name, *started);
    return {};
  }

  /// Passes on what the nodes say until something else happens or the time is over.
  void watch(const signal_source& signals, std::chrono::milliseconds time) {
    std::vector<pollfd> ends{{signals.get(), POLLIN, 0}};
    for (const auto& output : outputs_) {
      ends.push_back({output.read_end(), POLLIN, 0}); // poll passes over -1
    }
    ::poll(ends.data(), ends.size(), static_cast<int>(time.count()));
    for (auto& output : outputs_) {
      output.pass_on();
    }
  }

  /// Looks which of them have ended; calls `ended` with name and status of each.
  void reap(const std::function<void(const std::string&, int)>& ended) {
    for (auto i = running_.begin(); i != running_.end();) {
      int status = 0;
      if (::waitpid(i->second.pid, &status, WNOHANG) != i->second.pid) {
        ++i;
        continue;
      }
      for (auto& output : outputs_) {
        output.pass_on();
      }
      const auto name = i->first;
      i = running_.erase(i);
      ended(name, status);
    }
  }

  bool has(const std::string& name) const { return running_.contains(name); }
  bool empty() const { return running_.empty(); }

private:
  const config::cluster_file& file_;
  std::size_t width_ = 0;
  std::map<std::string, process_mark> running_;
  std::vector<node_output> outputs_;
};

/// The last line of a log, which says why the node that wrote it has ended; empty where there is none.
std::string last_line_of(const std::filesystem::path& file) {
  constexpr off_t looked_at = 8'192; // logs may be large
  const auto log = journal::open_file(file, journal::file_use::read);
  std::string end(static_cast<std::size_t>(looked_at), '\0');
  const auto size = log ? ::lseek(log->get(), 0, SEEK_END) : 0;
  const auto got =
      log ? ::pread(log->get(), end.data(), end.size(), std::max(off_t{0}, size - looked_at)) : 0;
  end.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  std::istringstream in{end};
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) {
      last = std::move(line);
    }
  }
  return printable(last);
}

/// A line that says what is waited for, where that takes longer than a second.
class waiting_line {
public:
  void show(const std::string& what) {
    const auto now = steady::now();
    if (now - begun_ < std::chrono::seconds{1} || now < next_) {
      return;
    }
    next_ = now + std::chrono::seconds{1};
    fmt::print("waiting for {} ({})\n", printable(what),
               age_text(std::chrono::duration_cast<std::chrono::milliseconds>(now - begun_)));
    std::fflush(stdout);
  }

private:
  steady::time_point begun_ = steady::now();
  steady::time_point next_{};
};

std::string what_is_missing(const std::vector<node_state>& nodes) {
  std::string made;
  for (const auto& node : nodes) {
    if (!node.ready) {
      made += fmt::format("{}{}: {}", made.empty() ? "" : "; ", node.entry->seen_by_peers.name, node.why);
    }
  }
  return made;
}

/// Waits until the nodes are ready. An error where one ends, or does not become ready in time.
result<void> wait_until_ready(children& started, const signal_source& signals, std::vector<node_state>& nodes,
                              const cluster_options& chosen) {
  const auto deadline = steady::now() + chosen.patience;
  waiting_line line;
  for (;;) {
    std::optional<error> wrong;
    started.reap([&](const std::string& name, int status) {
      const auto& entry = *std::find_if(nodes.begin(), nodes.end(), [&](const node_state& node) {
        return node.entry->seen_by_peers.name == name;
      });
      std::string hint;
      if (chosen.detach) { // else it has said so here
        const auto last = last_line_of(log_file_of(*entry.entry));
        hint = fmt::format("{}{}; all that it said stands in {}", last.empty() ? "" : ": ", last,
                           log_file_of(*entry.entry).string());
      }
      wrong = error{code_of(status) == 2   ? errc::invalid_configuration
                    : code_of(status) == 3 ? errc::corrupt
                    : code_of(status) == 4 ? errc::storage_failed
                    : code_of(status) == 5 ? errc::identity
                    : code_of(status) == 6 ? errc::in_use
                    : code_of(status) == 7 ? errc::address_in_use
                                           : errc::unavailable,
                    fmt::format("{} {} before it was ready{}", name, ending_of(status), hint)};
    });
    if (wrong) {
      return tl::unexpected(*wrong);
    }
    bool all = true;
    for (auto& node : nodes) {
      if (!node.ready) {
        look_at(node);
        if (node.ready && !node.process) {
          node.ready = false;
          node.why = "something answers at its address, and no pid file names the process that was started";
        }
        all = all && node.ready;
      }
    }
    if (all) {
      return {};
    }
    if (signals.take()) {
      return fail(errc::unavailable, "interrupted");
    }
    if (steady::now() > deadline) {
      return fail(errc::unavailable,
                  fmt::format("not ready after {} s: {}", chosen.patience.count(), what_is_missing(nodes)));
    }
    line.show(what_is_missing(nodes));
    started.watch(signals, look_every);
  }
}

// -- stopping ------------------------------------------------------------------------------------------

/// Sends the signal to those nodes that run, and waits for their end. Gives the names of those that still
/// run.
std::vector<std::string> end_nodes(const std::vector<const config::node_entry*>& nodes, int signal,
                                   const std::function<void(std::chrono::milliseconds)>& meanwhile) {
  std::map<std::string, process_mark> left;
  std::map<std::string, const config::node_entry*> entries;
  for (const auto* node : nodes) {
    if (const auto runs = find_process(*node)) {
      send_signal(*runs, signal);
      left.emplace(node->seen_by_peers.name, *runs);
      entries.emplace(node->seen_by_peers.name, node);
    }
  }
  const auto deadline = steady::now() + time_to_stop;
  waiting_line line;
  while (!left.empty() && steady::now() < deadline) {
    for (auto i = left.begin(); i != left.end();) {
      if (mark_of(i->second.pid) == i->second) {
        ++i;
        continue;
      }
      forget_process(*entries.at(i->first), i->second);
      i = left.erase(i);
    }
    if (!left.empty()) {
      line.show(fmt::format("{} to end", left.begin()->first));
      meanwhile(std::chrono::milliseconds{20});
    }
  }
  std::vector<std::string> names;
  for (const auto& [name, process] : left) {
    names.push_back(name);
  }
  return names;
}

void just_wait(std::chrono::milliseconds time) {
  std::this_thread::sleep_for(time);
}

/// Before a signal goes to any of them.
result<void> check_pid_files(const config::cluster_file& file) {
  for (const auto& node : file.nodes) {
    if (auto believed = check_pid_file(node); !believed) {
      return believed;
    }
  }
  return {};
}

std::vector<const config::node_entry*> all_nodes(const config::cluster_file& file) {
  std::vector<const config::node_entry*> all;
  for (const auto& node : file.nodes) {
    all.push_back(&node);
  }
  return all;
}

std::string held_text(const config::node_entry& node, pid_t holder) {
  return fmt::format("no pid file names the process of {}, and its data directory is held by process {}: end "
                     "that by hand if it is the node",
                     node.seen_by_peers.name, holder);
}

int still_runs(const config::cluster_file& file, const std::vector<std::string>& names) {
  return refuse(fmt::format("{} did not end within {} s: `continuo cluster kill {} {}` ends it at once",
                            fmt::join(names, ", "), time_to_stop.count(), file.file.string(), names.front()));
}

void print_table(const std::vector<node_state>& nodes) {
  table made{{"NODE", "PROCESS>", "PEERS AT", "HTTP AT", "HOSTS"}};
  for (const auto& node : nodes) {
    const auto& seen = node.entry->seen_by_peers;
    const auto process = find_process(*node.entry);
    made.add({seen.name, process ? std::to_string(process->pid) : "",
              fmt::format("{}:{}", seen.host, seen.port), seen.http ? url_of(address_of(*node.entry)) : "",
              fmt::format("{}", fmt::join(seen.hosts, ", "))});
  }
  fmt::print("{}", made.text());
  std::fflush(stdout);
}

/// For a shell, which takes some letters for more than they are.
std::string shell_word(const std::string& text) {
  std::string made{"'"};
  for (const char letter : text) {
    made += letter == '\'' ? std::string{"'\\''"} : std::string{letter};
  }
  made += '\'';
  const auto plain = [](char letter) { return config::is_unreserved(letter) || letter == '/'; };
  return std::all_of(text.begin(), text.end(), plain) ? text : made;
}

/// The commands that ask a node find it by themselves only where the file is the default one.
void print_whom_to_ask(const config::cluster_file& file) {
  std::error_code is_not_there;
  const auto answers = [](const config::node_entry& node) { return node.seen_by_peers.http.has_value(); };
  if (!std::filesystem::equivalent(file.file, default_configuration, is_not_there) &&
      std::any_of(file.nodes.begin(), file.nodes.end(), answers)) {
    fmt::print("for `continuo publish` and what else asks a node: export CONTINUO_CONFIG={}\n",
               shell_word(file.file.string()));
    std::fflush(stdout);
  }
}

/// Shows what the nodes say until a signal comes or none of them runs any more; then stops all of the file.
int follow(const config::cluster_file& file, children& started, const signal_source& signals) {
  int code = 0;
  const auto ended = [&](bool asked) {
    return [&code, asked](const std::string& name, int status) {
      if (!asked || status != 0) {
        fmt::print("{} {}\n", name, ending_of(status));
      }
      code = code != 0 || (!asked && WIFSIGNALED(status)) ? code : code_of(status);
    };
  };
  bool stops = false;
  while (!started.empty() && !stops) {
    started.watch(signals, std::chrono::seconds{1});
    stops = signals.take();
    started.reap(ended(false));
  }
  if (!stops) {
    fmt::print("none of the nodes runs any more\n");
    return code;
  }
  fmt::print("stopping\n");
  const auto left = end_nodes(all_nodes(file), SIGTERM, [&](std::chrono::milliseconds time) {
    started.watch(signals, time);
    started.reap(ended(true));
  });
  started.reap(ended(true));
  return left.empty() ? code : still_runs(file, left);
}

/// What clients of HTTP are to show.
result<void> init_token(const config::cluster_file& file) {
  if (std::none_of(file.nodes.begin(), file.nodes.end(),
                   [](const config::node_entry& node) { return node.seen_by_peers.http.has_value(); })) {
    return {};
  }
  return nodes::make_token(file.token_file).map([&](bool is_new) {
    fmt::print("{} the token for HTTP in {}\n", is_new ? "made" : "kept", file.token_file.string());
  });
}

std::string day_of(std::chrono::system_clock::time_point at) {
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(at));
}

void print_certificates(const config::cluster_file& file, const nodes::certificates_made& done) {
  const auto of = [&](std::string_view what) {
    std::vector<std::string> names;
    for (const auto& node : done.nodes) {
      if (node.done == what) {
        names.push_back(node.name);
      }
    }
    return names;
  };
  if (const auto made = of("made"); !made.empty()) {
    fmt::print("made certificates of {} in {}\n", fmt::join(made, ", "), file.certificates.string());
  }
  if (const auto kept = of("kept"); !kept.empty()) {
    fmt::print("kept those of {}\n", fmt::join(kept, ", "));
  }
  for (const auto& node : done.nodes) {
    if (node.done == "renewed") {
      fmt::print("renewed that of {}: {}\n", node.name, node.why);
    }
  }
  std::vector<std::string> ends;
  for (const auto& node : done.nodes) {
    ends.push_back(fmt::format("{} {}", node.name, day_of(node.until)));
  }
  fmt::print("good until: {}; the authority {}{}\n", fmt::join(ends, ", "), day_of(done.authority_until),
             done.trusted == 1 ? std::string{} : fmt::format(", one of {} in ca.pem", done.trusted));
  fmt::print("ca.key signs more of them: keep it safe, no node needs it\n");
}

} // namespace

// -- the commands -----------------------------------------------------------------------------------------

int cluster_init(const cluster_options& chosen) {
  const auto file = config::read_cluster_file(chosen.file);
  if (!file) {
    return refuse(file.error());
  }
  if (auto done = init_token(*file); !done) {
    return refuse(done.error());
  }
  if (std::none_of(file->nodes.begin(), file->nodes.end(),
                   [&](const config::node_entry& node) { return file->shows_certificate(node); })) {
    fmt::print("tls is \"off\" in {}: there are no certificates to make\n", file->file.string());
    return 0;
  }
  const auto which = chosen.new_authority      ? nodes::authorities::add
                     : chosen.newest_authority ? nodes::authorities::newest_only
                                               : nodes::authorities::as_they_are;
  const auto done = nodes::make_certificates(file->certificates, names_of(*file), which);
  if (!done) {
    return refuse(done.error());
  }
  print_certificates(*file, *done);
  if (chosen.new_authority && done->trusted > 1) {
    fmt::print(
        "the new authority signs nothing yet: give every machine this ca.pem, wait 10 s, then run init "
        "without --new-authority\n");
  }
  return 0;
}

int cluster_revoke(const cluster_options& chosen) {
  const auto file = config::read_cluster_file(chosen.file);
  if (!file) {
    return refuse(file.error());
  }
  if (const auto node = find_node(*file, chosen.node); !node) {
    return refuse(node.error());
  }
  const auto done = nodes::revoke_certificates(file->certificates, chosen.node);
  if (!done) {
    return refuse(done.error());
  }
  if (done->revoked > 0) {
    fmt::print(
        "revoked {} certificate(s) of {} in {}: give every machine this file; nodes read it within 10 s\n",
        done->revoked, chosen.node, (file->certificates / "revoked.pem").string());
  }
  fmt::print("`continuo cluster init {}` makes a new one, with a new key\n", file->file.string());
  if (done->left > 0) {
    fmt::print(
        "{} of another authority, whose key is not here, stay good until, after that, `continuo cluster "
        "init {} --newest-authority` ends the trust in it\n",
        done->left, file->file.string());
  }
  return 0;
}

int cluster_up(const cluster_options& chosen) {
  const auto file = config::read_cluster_file(chosen.file);
  if (!file) {
    return refuse(file.error());
  }
  for (const auto& node : file->nodes) {
    if (auto usable = check_certificates(*file, node); !usable) {
      return refuse(usable.error());
    }
  }
  if (auto believed = check_pid_files(*file); !believed) {
    return refuse(believed.error());
  }
  const signal_source signals;
  children started{*file};
  std::vector<node_state> nodes;
  std::vector<const config::node_entry*> ours;
  const auto give_up = [&](const error& why) {
    end_nodes(ours, SIGTERM, [&](std::chrono::milliseconds time) {
      started.watch(signals, time);
      started.reap([](const std::string&, int) {});
    });
    return refuse(why);
  };
  for (const auto& node : file->nodes) {
    auto& state = nodes.emplace_back();
    state.entry = &node;
    state.token_file = chosen.token_file;
    if (const auto runs = find_process(node)) {
      fmt::print("{} runs already, as process {}\n", node.seen_by_peers.name, runs->pid);
      continue;
    }
    if (auto done = started.start(node, chosen.detach); !done) {
      return give_up(done.error());
    }
    ours.push_back(&node);
  }
  if (auto ready = wait_until_ready(started, signals, nodes, chosen); !ready) {
    return give_up(ready.error());
  }
  print_table(nodes);
  print_whom_to_ask(*file);
  return chosen.detach ? 0 : follow(*file, started, signals);
}

int cluster_down(const cluster_options& chosen) {
  const auto file = config::read_cluster_file(chosen.file);
  if (!file) {
    return refuse(file.error());
  }
  if (auto believed = check_pid_files(*file); !believed) {
    return refuse(believed.error());
  }
  const auto left = end_nodes(all_nodes(*file), SIGTERM, just_wait);
  if (!left.empty()) {
    return still_runs(*file, left);
  }
  std::string held;
  for (const auto& one : file->nodes) {
    if (const auto holder = holder_without_pid_file(one)) {
      held += (held.empty() ? "" : "; ") + held_text(one, *holder);
    }
  }
  if (!held.empty()) {
    return refuse(held);
  }
  fmt::print("all nodes of {} are stopped\n", file->cluster.name);
  return 0;
}

int cluster_status(const cluster_options& chosen) {
  const auto file = config::read_cluster_file(chosen.file);
  if (!file) {
    return refuse(file.error());
  }
  const auto state = look_at_all(*file, chosen.token_file);
  if (chosen.json) {
    fmt::print("{}\n", json_of(state, file->cluster.name).dump(2));
  } else {
    fmt::print("{}", text_of(state, file->cluster.name));
  }
  return std::all_of(state.nodes.begin(), state.nodes.end(),
                     [](const node_state& node) { return node.ready; })
             ? 0
             : exit_not_done;
}

namespace {

int end_one(const cluster_options& chosen, int signal, const char* what) {
  const auto file = config::read_cluster_file(chosen.file);
  if (!file) {
    return refuse(file.error());
  }
  const auto node = find_node(*file, chosen.node);
  if (!node) {
    return refuse(node.error());
  }
  const auto runs = find_process(**node);
  if (!runs) {
    if (const auto believed = check_pid_file(**node); !believed) {
      return refuse(believed.error().message);
    }
    if (const auto holder = holder_without_pid_file(**node)) {
      return refuse(held_text(**node, *holder));
    }
    return refuse(fmt::format("{} does not run (or was not started by `continuo cluster`)", chosen.node));
  }
  const auto left = end_nodes({*node}, signal, just_wait);
  if (!left.empty()) {
    return still_runs(*file, left);
  }
  fmt::print("{} {}\n", chosen.node, what);
  return 0;
}

} // namespace

int cluster_kill(const cluster_options& chosen) {
  return end_one(chosen, SIGKILL, "is killed");
}

int cluster_stop(const cluster_options& chosen) {
  return end_one(chosen, SIGTERM, "is stopped");
}

int cluster_start(const cluster_options& chosen) {
  const auto file = config::read_cluster_file(chosen.file);
  if (!file) {
    return refuse(file.error());
  }
  const auto node = find_node(*file, chosen.node);
  if (!node) {
    return refuse(node.error());
  }
  if (auto usable = check_certificates(*file, **node); !usable) {
    return refuse(usable.error());
  }
  const signal_source signals;
  children started{*file};
  if (auto done = started.start(**node, true); !done) {
    return refuse(done.error());
  }
  auto detached = chosen;
  detached.detach = true;
  std::vector<node_state> nodes(1);
  nodes.front().entry = *node;
  nodes.front().token_file = chosen.token_file;
  if (auto ready = wait_until_ready(started, signals, nodes, detached); !ready) {
    return refuse(ready.error());
  }
  fmt::print("{} is ready, as process {}\n", chosen.node, find_process(**node).value_or(process_mark{}).pid);
  return 0;
}

int cluster_nodes(const cluster_options& chosen) {
  const auto file = config::read_cluster_file(chosen.file);
  if (!file) {
    return refuse(file.error());
  }
  fmt::print("{}\n", fmt::join(names_of(*file), " "));
  return 0;
}

int cluster_run(const cluster_options& chosen) {
  const auto file = config::read_cluster_file(chosen.file);
  if (!file) {
    return refuse(file.error());
  }
  const auto node = find_node(*file, chosen.node);
  if (!node) {
    return refuse(node.error());
  }
  if (auto usable = check_certificates(*file, **node); !usable) {
    return refuse(usable.error());
  }
  return refuse(become_node(*file, **node));
}

} // namespace continuo::tools
