#define CAF_SUITE cluster
// ctest: timeout=300 labels=processes plain

#include "tests/tools/order_cluster.hpp"

#include <caf/test/dsl.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <thread>

using namespace continuo::tests;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using fixture = order_cluster;

/// Whoever adopted a detached process may be slow to reap it: a zombie does not run.
bool runs(pid_t pid) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/stat"};
  std::string line;
  std::getline(in, line);
  const auto name_end = line.rfind(')');
  return name_end != std::string::npos && line.substr(name_end + 2, 1) != "Z";
}

std::string read_file(const fs::path& path) {
  std::ostringstream read;
  read << std::ifstream{path}.rdbuf();
  return read.str();
}

bool ends_soon(pid_t pid) {
  const auto deadline = process::clock::now() + 10s;
  while (runs(pid) && process::clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
  }
  return !runs(pid);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(tools_tests, fixture)

CAF_TEST(a cluster from nothing to its end) {
  write(60);
  const auto without = up();
  CAF_CHECK_EQUAL(without.code, 2);
  CAF_CHECK(has(without, "continuo cluster init"));
  const auto made = cluster("init");
  CAF_CHECK(has(made, "made certificates of ordering, payment, warehouse"));
  CAF_CHECK(has(made, "made the token for HTTP in " + (folder / "http-token").string()));
  const auto kept = cluster("init");
  CAF_CHECK(has(kept, "kept those of ordering, payment, warehouse"));
  CAF_CHECK(has(kept, "kept the token for HTTP in "));

  const auto started = up();
  CAF_REQUIRE_EQUAL(started.code, 0);
  CAF_CHECK(has(started, "http://127.0.0.1:" + std::to_string(ports[3])));
  CAF_CHECK(wait_for_ends(60));
  CAF_CHECK_EQUAL(cluster("status").code, 0);
  const auto again = up();
  CAF_CHECK_EQUAL(again.code, 0);
  CAF_CHECK(has(again, "ordering runs already, as process " + std::to_string(pid_of("ordering"))));
  const auto whom_to_ask = "export CONTINUO_CONFIG=" + file.string() + "\n";
  CAF_CHECK(has(again, whom_to_ask));
  fs::create_symlink(file, folder / "continuo.conf");
  const auto found_without = run({"cluster", "up", "continuo.conf", "--detach"},
                                 [&] { return ::chdir(folder.c_str()) == 0 && join_outputs(); });
  CAF_CHECK_EQUAL(found_without.code, 0);
  CAF_CHECK_EQUAL(found_without.text.find(whom_to_ask), std::string::npos);

  CAF_CHECK_EQUAL(cluster("stop", "ordering").code, 0);
  const auto payment = pid_of("payment");
  CAF_CHECK_EQUAL(cluster("kill", "payment").code, 0);
  CAF_CHECK(!runs(payment));
  CAF_CHECK_EQUAL(cluster("kill", "payment").code, 1); // there is nothing to kill
  write(100);
  CAF_CHECK_EQUAL(cluster("start", "ordering").code, 0);
  auto now = status();
  for (int i = 0; i < 200 && now["services"][0]["waiting"] != 40; ++i) {
    std::this_thread::sleep_for(20ms);
    now = status();
  }
  CAF_CHECK_EQUAL(now["services"][0]["name"], "payment");
  CAF_CHECK_EQUAL(now["services"][0]["state"], "down");
  CAF_CHECK_EQUAL(now["services"][0]["waiting"], 40);
  CAF_CHECK(now["services"][0]["oldest_waiting_ms"].get<int>() > 0);
  CAF_CHECK_EQUAL(now["nodes"][1]["state"], "down");
  const auto shown = cluster("status");
  CAF_CHECK_EQUAL(shown.code, 1);
  CAF_CHECK(has(shown, "misses payment for"));

  CAF_CHECK_EQUAL(cluster("start", "payment").code, 0);
  CAF_CHECK(wait_for_ends(100));
  const auto good = token();
  std::ofstream{folder / "http-token"} << "a-token-that-no-node-knows\n";
  now = status();
  CAF_CHECK_EQUAL(now["nodes"][1]["state"], "unknown");
  CAF_CHECK(now["nodes"][1]["why"].get<std::string>().find("token") != std::string::npos);
  std::ofstream{folder / "http-token"} << good << "\n";
  CAF_CHECK_EQUAL(cluster("status").code, 0);
  const auto pids = {pid_of("ordering"), pid_of("payment"), pid_of("warehouse")};
  CAF_CHECK_EQUAL(cluster("down").code, 0);
  for (const auto pid : pids) {
    CAF_CHECK(!runs(pid));
  }
  CAF_CHECK(!fs::exists(folder / "data" / "payment.pid"));
  CAF_CHECK_EQUAL(cluster("down").code, 0);
}

CAF_TEST(init makes a token that its owner alone can read and leaves what is there) {
  const auto token_file = folder / "http-token";
  const auto open = [] { // whatever this user usually lets others do
    ::umask(0);
    return join_outputs();
  };
  CAF_CHECK_EQUAL(run({"cluster", "init", file.string()}, open).code, 0);
  CAF_CHECK(fs::status(token_file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  const auto first = token();
  CAF_CHECK_EQUAL(first.size(), 64u);
  CAF_CHECK_EQUAL(first.find_first_not_of("0123456789abcdef"), std::string::npos);
  CAF_CHECK_EQUAL(cluster("init").code, 0);
  CAF_CHECK_EQUAL(token(), first);
  fs::remove(token_file);
  CAF_CHECK_EQUAL(cluster("init").code, 0);
  CAF_CHECK_NOT_EQUAL(token(), first);

  std::ofstream{token_file} << "short\n";
  const auto refused = cluster("init");
  CAF_CHECK_EQUAL(refused.code, 2);
  CAF_CHECK(has(refused, "is no token"));
  fs::remove(token_file);
  fs::create_symlink(folder / "elsewhere", token_file);
  CAF_CHECK_EQUAL(cluster("init").code, 2);
  CAF_CHECK(!fs::exists(folder / "elsewhere"));

  fs::create_directories(folder / "keys");
  write(0, "token-file=\"keys/token\"\ntls=\"off\"\n");
  CAF_CHECK(has(cluster("init"), "made the token for HTTP in " + (folder / "keys/token").string()));
  CAF_CHECK(fs::exists(folder / "keys/token"));
}

CAF_TEST(in the foreground the nodes end with it however it ends) {
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  for (const auto signal : {SIGTERM, SIGINT, SIGKILL}) {
    process shown{continuo_program, {"cluster", "up", file.string()}, {}, join_outputs};
    CAF_REQUIRE(shown.wait_for_line("for `continuo publish`"));
    const auto pids = {pid_of("ordering"), pid_of("payment"), pid_of("warehouse")};
    for (const auto pid : pids) {
      CAF_CHECK(runs(pid));
    }
    shown.kill(signal);
    if (signal != SIGKILL) {
      CAF_CHECK_EQUAL(shown.wait().code.value_or(-1), 0);
    }
    for (const auto pid : pids) {
      CAF_CHECK(ends_soon(pid));
    }
  }
}

CAF_TEST(a node that is killed is told of and the others go on) {
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  process shown{continuo_program, {"cluster", "up", file.string()}, {}, join_outputs};
  CAF_REQUIRE(shown.wait_for_line("for `continuo publish`"));
  CAF_CHECK_EQUAL(cluster("kill", "payment").code, 0);
  CAF_CHECK(shown.wait_for_line("payment was ended by signal 9"));
  CAF_CHECK_EQUAL(cluster("start", "payment").code, 0);
  CAF_CHECK_EQUAL(cluster("status").code, 0);
  const auto detached = pid_of("payment");
  shown.kill(SIGTERM);
  CAF_CHECK_EQUAL(shown.wait().code.value_or(-1), 0);
  CAF_CHECK(ends_soon(detached)); // it stops all nodes of the file
}

CAF_TEST(run becomes the node and the other commands know it) {
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  process payment{continuo_program, {"cluster", "run", file.string(), "payment"}, {}, join_outputs};
  const auto deadline = process::clock::now() + 60s;
  while (pid_of("payment") != payment.pid() && process::clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
  }
  const auto others = up();
  CAF_REQUIRE_EQUAL(others.code, 0);
  CAF_CHECK(has(others, "payment runs already, as process " + std::to_string(payment.pid())));
  const auto second = cluster("run", "payment");
  CAF_CHECK_EQUAL(second.code, 6);
  CAF_CHECK(has(second, "runs already"));
  CAF_CHECK_EQUAL(cluster("status").code, 0);
  CAF_CHECK_EQUAL(cluster("stop", "payment").code, 0);
  CAF_CHECK_EQUAL(payment.wait().code.value_or(-1), 0);
  CAF_CHECK_EQUAL(cluster("down").code, 0);
}

CAF_TEST(the program gets its own arguments behind those of its node) {
  const auto program = folder / "shows-its-arguments";
  std::ofstream{program} << "#!/bin/sh\nprintf '<%s>' \"$@\"; echo\n";
  fs::permissions(program, fs::perms::owner_all);
  std::ofstream{file} << "[cluster]\nname=\"shop\"\ntls=\"off\"\nprogram=\"" << program.string()
                      << "\"\narguments=[\"--\", \"x\"]\n[nodes.payment]\naddress=\"127.0.0.1:" << ports[1]
                      << "\"\nhosts=[]\n";
  CAF_CHECK(has(cluster("run", "payment"), "<--config><" + file.string() + "><--node><payment><--><x>"));
}

CAF_TEST(root starts no node on the data of another user and leaves no file there) {
  if (::geteuid() != 0) {
    return;
  }
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  const auto data = folder / "data" / "payment";
  fs::create_directories(data);
  std::ofstream{data / "FORMAT"} << "continuo data directory, format 1\n";
  CAF_REQUIRE_EQUAL(::chown(data.c_str(), 65'534, 65'534), 0);
  for (const auto* command : {"start", "run"}) {
    const auto refused = cluster(command, "payment");
    CAF_CHECK_EQUAL(refused.code, 2);
    CAF_CHECK(has(refused, "belongs to user 65534"));
  }
  CAF_CHECK(!fs::exists(folder / "data" / "payment.pid"));
  CAF_CHECK(!fs::exists(folder / "data" / "payment.log"));
}

CAF_TEST(what cannot start says why and takes the others back) {
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  const reserved_port in_the_way;
  CAF_REQUIRE_EQUAL(::listen(in_the_way.file(), 1), 0);
  auto taken = ports;
  ports[1] = in_the_way.number();
  write(0);
  const auto failed = up();
  CAF_CHECK_EQUAL(failed.code, 7);
  CAF_CHECK(has(failed, "payment ended with exit code 7 before it was ready"));
  CAF_CHECK(has(failed, "payment: 127.0.0.1:" + std::to_string(ports[1]) + " is in use by another program"));
  CAF_CHECK(has(failed, "payment.log"));
  for (const auto* name : {"ordering", "payment", "warehouse"}) {
    CAF_CHECK_EQUAL(pid_of(name) > 0 && runs(pid_of(name)), false);
  }
  ports = taken;
  write(0, "data=\"/dev/null/x\"\n");
  CAF_CHECK_EQUAL(up().code, 2);
}

CAF_TEST(why a node cannot listen is said once and by its own words) {
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  const reserved_port in_the_way;
  CAF_REQUIRE_EQUAL(::listen(in_the_way.file(), 1), 0);
  const auto taken = "127.0.0.1:" + std::to_string(in_the_way.number());
  const auto free = "127.0.0.1:" + std::to_string(ports[1]);
  const auto told = [&](const std::string& instead, const std::string& of) {
    write(0);
    auto text = read_file(file);
    text.replace(text.find(of), of.size(), instead);
    std::ofstream{file} << text;
    return cluster("run", "payment");
  };
  const auto once = [](const run_outcome& from, const std::string& text) {
    return has(from, text) && from.text.find(text) == from.text.rfind(text) &&
           from.text.find("system_error") == std::string::npos;
  };
  const auto peers = told(taken, free);
  CAF_CHECK_EQUAL(peers.code, 7);
  CAF_CHECK(once(peers, taken + " is in use by another program"));
  const auto http = told(taken, "127.0.0.1:" + std::to_string(ports[4]));
  CAF_CHECK_EQUAL(http.code, 7);
  CAF_CHECK(once(http, taken + " is in use by another program"));
  const auto unknown = told("payment.invalid:4711", free);
  CAF_CHECK_EQUAL(unknown.code, 1); // a supervisor tries again
  CAF_CHECK(once(unknown, "payment.invalid cannot be resolved"));
  const auto not_here = told("192.0.2.1:4711", free);
  CAF_CHECK_EQUAL(not_here.code, 1);
  CAF_CHECK(once(not_here, "no address of this machine"));
}

CAF_TEST(no process is signalled but the one that was started) {
  fs::create_directories(folder / "data");
  // Our own process, as it would stand there if its id had been a node's before.
  std::ofstream{folder / "data" / "payment.pid"} << ::getpid() << " 12345 another-boot\n";
  const auto stopped = cluster("kill", "payment");
  CAF_CHECK_EQUAL(stopped.code, 1);
  CAF_CHECK(has(stopped, "does not run"));
  for (const auto* text : {"", "x", "-1 1 x", "1 1 x", "99999999999999999999 1 x"}) {
    std::ofstream{folder / "data" / "payment.pid"} << text;
    CAF_CHECK_EQUAL(cluster("kill", "payment").code, 1);
  }
  fs::remove(folder / "data" / "payment.pid");
  fs::create_directories(folder / "data" / "payment.pid"); // root may read all files
  for (const auto* command : {"kill", "stop"}) {
    const auto unreadable = cluster(command, "payment");
    CAF_CHECK_EQUAL(unreadable.code, 1);
    CAF_CHECK(has(unreadable, "payment.pid is a directory"));
  }
}

CAF_TEST(a node whose pid file is gone is not called stopped) {
  write(1);
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  CAF_REQUIRE_EQUAL(up().code, 0);
  const auto pid = pid_of("payment");
  const auto file_of_pid = folder / "data" / "payment.pid";
  fs::rename(file_of_pid, folder / "kept");
  const auto named = "held by process " + std::to_string(pid);
  for (const auto* command : {"stop", "kill"}) {
    const auto ended = cluster(command, "payment");
    CAF_CHECK_EQUAL(ended.code, 1);
    CAF_CHECK(has(ended, named));
  }
  CAF_CHECK(has(cluster("status"), "process " + std::to_string(pid) + ", which no pid file names"));
  const auto down = cluster("down");
  CAF_CHECK_EQUAL(down.code, 1);
  CAF_CHECK(has(down, named));
  CAF_CHECK(runs(pid));
  fs::rename(folder / "kept", file_of_pid);
  CAF_CHECK_EQUAL(cluster("down").code, 0);
  CAF_CHECK(!runs(pid));
}

CAF_TEST(whoever starts and stops a node at the same time it is one that can be stopped) {
  write(1);
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  CAF_REQUIRE_EQUAL(up().code, 0);
  for (int round = 0; round < 8; ++round) {
    std::vector<std::thread> at_once;
    for (const auto* command : {"stop", "start", "start", "stop", "start"}) {
      at_once.emplace_back([&, command] {
        std::vector<std::string> words{"cluster", command, file.string(), "payment"};
        if (std::string_view{command} == "start") {
          words.insert(words.end(), {"--timeout", "3"});
        }
        run(words);
      });
    }
    for (auto& one : at_once) {
      one.join();
    }
    const auto ended = cluster("down");
    CAF_CHECK_EQUAL(ended.code, 0);
    CAF_CHECK(ended.text.find("held by process") == std::string::npos);
    CAF_REQUIRE_EQUAL(up().code, 0); // nobody else has its address and its data
  }
  CAF_CHECK_EQUAL(cluster("down").code, 0);
}

CAF_TEST(a lost store stops its node until the loss is accepted) {
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  const auto data = folder / "data" / "payment";
  const auto copy = folder / "copy";
  write(30);
  CAF_REQUIRE_EQUAL(up().code, 0);
  CAF_REQUIRE(wait_for_ends(30));
  CAF_REQUIRE_EQUAL(cluster("stop", "payment").code, 0);
  fs::copy(data, copy, fs::copy_options::recursive);
  CAF_REQUIRE_EQUAL(cluster("start", "payment").code, 0);
  CAF_REQUIRE_EQUAL(cluster("stop", "ordering").code, 0);
  int orders = 60;
  write(orders);
  CAF_REQUIRE_EQUAL(cluster("start", "ordering").code, 0);
  CAF_REQUIRE(wait_for_ends(60));
  CAF_CHECK_EQUAL(run({"journal", "restore", "--accept-loss", data.string()}).code, 6); // it runs

  for (const auto* loss : {"an old copy", "nothing"}) {
    CAF_MESSAGE("restored: " << loss);
    CAF_REQUIRE_EQUAL(cluster("stop", "payment").code, 0);
    fs::remove_all(data);
    if (std::string{loss} == "an old copy") {
      fs::copy(copy, data, fs::copy_options::recursive);
    }
    for (int i = 0; i < 2; ++i) { // it stays so until a person says otherwise
      const auto refused = cluster("start", "payment");
      CAF_CHECK_EQUAL(refused.code, 5);
    }
    CAF_CHECK_EQUAL(run({"journal", "restore", "--accept-loss", data.string()}).code, 0);
    CAF_REQUIRE_EQUAL(cluster("start", "payment").code, 0);
    CAF_REQUIRE_EQUAL(cluster("stop", "ordering").code, 0);
    orders += 30;
    write(orders);
    CAF_REQUIRE_EQUAL(cluster("start", "ordering").code, 0);
    CAF_CHECK(wait_for_ends(static_cast<std::uint64_t>(orders)));
  }
  CAF_CHECK_EQUAL(cluster("down").code, 0);
}

CAF_TEST(mistakes on the command line are told with code 2) {
  const std::vector<std::vector<std::string>> wrong{
      {},
      {"cluster"},
      {"cluster", "up"},
      {"cluster", "fly", file.string()},
      {"cluster", "kill", file.string()},
      {"cluster", "kill", file.string(), "nobody"},
      {"cluster", "start", file.string(), "nobody"},
      {"cluster", "run", file.string()},
      {"cluster", "run", file.string(), "nobody"},
      {"cluster", "up", (folder / "none.conf").string()},
      {"cluster", "up", file.string(), "--timeout", "soon"},
      {"journal"},
      {"journal", "verify"},
      {"journal", "dump"},
      {"journal", "backup", folder.string()},
      {"journal", "restore", folder.string()},
      {"journal", "restore", "--accept-loss", folder.string()},
      {"journal", "restore", "--accept-loss", (folder / "none").string()},
  };
  for (const auto& arguments : wrong) {
    const auto told = run(arguments);
    CAF_CHECK_EQUAL(told.code, 2);
    CAF_CHECK(!told.text.empty());
  }
  CAF_CHECK_EQUAL(run({"--version"}).code, 0);
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"--help"}, {"cluster", "--help"}, {"cluster", "up", "--help"}, {"journal", "--help"}}) {
    CAF_CHECK_EQUAL(run(words).code, 0);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
