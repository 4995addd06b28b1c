#define CAF_SUITE cluster
// ctest: timeout=240 labels=processes

#include "tests/nodes/shop_cluster.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct fixture {
  shop_cluster shop;

  void start_all() {
    shop.start_all();
    CAF_REQUIRE(shop.wait_for_ready());
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(cluster_tests, fixture)

CAF_TEST(orders wait for a killed service and complete when it is back) {
  start_all();
  auto& ordering = shop["ordering"];
  ordering.say("place o-0 100");
  ordering.say("watch o-0");
  CAF_REQUIRE(shop.wait_for_line("ordering", "ended o-0 completed"));
  shop.kill("payment");
  for (int i = 1; i <= 100; ++i) {
    ordering.say("place o-" + std::to_string(i) + " 100");
  }
  for (int i = 1; i <= 100; ++i) {
    CAF_REQUIRE(shop.wait_for_line("ordering", "accepted o-"));
  }
  ordering.say("show o-50");
  CAF_CHECK(shop.wait_for_line("ordering", "shown o-50 running, reply make_payment payment@payment"));
  shop.start("payment");
  for (int i = 1; i <= 100; ++i) {
    ordering.say("watch o-" + std::to_string(i));
  }
  std::size_t completed = 0;
  const auto deadline = process::clock::now() + 60s;
  while (completed < 100) {
    const auto line = ordering.hear(deadline);
    CAF_REQUIRE(line.has_value());
    completed += line->starts_with("ended ") && line->ends_with(" completed") ? 1 : 0;
  }
  const auto done = shop.effects();
  for (int i = 0; i <= 100; ++i) {
    const auto charge = done.find("charge o-" + std::to_string(i));
    CAF_REQUIRE(charge != done.end());
    CAF_CHECK_EQUAL(charge->second.size(), 1u);
  }
  for (const auto& name : shop_nodes) {
    shop[name].kill(SIGTERM);
    CAF_CHECK_EQUAL(shop.end(name, 6s), 0);
  }
}

CAF_TEST(a cluster of one node) {
  const auto file = shop.folder() / "alone.conf";
  std::ofstream{file}
      << "[cluster]\nname=\"shop\"\n[node]\nlog-level=\"info\"\n[nodes.ordering]\naddress=\"127.0.0.1:"
      << shop.port("ordering") << "\"\nhosts=[\"selling\", \"account\", \"payment\", \"warehouse\"]\n";
  auto& ordering = shop.start("ordering", "ordering", file);
  CAF_REQUIRE(shop.wait_until([&] { return shop.is_ready("ordering"); }, 30s));
  ordering.say("place o-0 100");
  ordering.say("watch o-0");
  CAF_CHECK(shop.wait_for_line("ordering", "ended o-0 completed"));
  ordering.kill(SIGTERM);
  CAF_CHECK_EQUAL(shop.end("ordering", 6s), 0);
}

CAF_TEST(threads of a node are known by their names) {
  start_all();
  shop["ordering"].say("place o-0 100");
  shop["ordering"].say("watch o-0");
  CAF_REQUIRE(shop.wait_for_line("ordering", "ended o-0 completed"));
  std::set<std::string> names;
  for (const auto& task :
       std::filesystem::directory_iterator{"/proc/" + std::to_string(shop["payment"].pid()) + "/task"}) {
    std::ifstream in{task.path() / "comm"}; // of a dialer it may be gone
    std::string name;
    std::getline(in, name);
    names.insert(name);
  }
  for (const auto* name : {"caf.worker", "caf.network", "caf.clock", "journal", "sweeper", "handlers"}) {
    CAF_CHECK(names.contains(name));
  }
  CAF_CHECK(!names.contains("caf.multiplexer"));
}

CAF_TEST(a node whose data directory was wiped ends with 5) {
  start_all();
  auto& ordering = shop["ordering"];
  ordering.say("place o-0 100");
  ordering.say("watch o-0");
  CAF_REQUIRE(shop.wait_for_line("ordering", "ended o-0 completed"));
  shop.kill("payment");
  std::filesystem::remove_all(shop.data("payment"));
  shop.start("payment");
  CAF_CHECK_EQUAL(shop.end("payment", 20s), 5);
  // Whether it finds out itself, from the hello of the one that dials, or is told by the one that it dials:
  // both say what to do.
  CAF_CHECK(shop.said("payment").find("continuo journal restore --accept-loss") != std::string::npos);
}

CAF_TEST(a node whose data is an old copy ends with 5 and the copy of the end goes on) {
  start_all();
  const auto place = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      const auto order = "o-" + std::to_string(i);
      shop["ordering"].say("place " + order + " 100");
      shop["ordering"].say("watch " + order);
      CAF_REQUIRE(shop.wait_for_line("ordering", "ended " + order + " completed"));
    }
  };
  for (const auto& name : shop_nodes) { // the one that dials, the one that does both, the one that is dialed
    place(0, 5);
    shop[name].kill(SIGTERM);
    CAF_REQUIRE_EQUAL(shop.end(name, 6s), 0);
    const auto copy = shop.folder() / "copy";
    const auto newest = shop.folder() / "newest";
    std::filesystem::copy(shop.data(name), copy, std::filesystem::copy_options::recursive);
    shop.start(name);
    CAF_REQUIRE(shop.wait_for_ready());
    CAF_REQUIRE(shop.time_to_all_up(10s).has_value());
    place(5, 10);
    shop[name].kill(SIGTERM);
    CAF_REQUIRE_EQUAL(shop.end(name, 6s), 0);
    std::filesystem::rename(shop.data(name), newest);
    std::filesystem::rename(copy, shop.data(name));
    shop.start(name);
    CAF_CHECK_EQUAL(shop.end(name, 20s), 5);
    CAF_CHECK(shop.said(name).find("Restore the newest copy") != std::string::npos);
    std::filesystem::remove_all(shop.data(name));
    std::filesystem::rename(newest, shop.data(name));
    shop.start(name);
    CAF_REQUIRE(shop.wait_for_ready());
    CAF_CHECK(shop.time_to_all_up(10s).has_value());
  }
}

CAF_TEST(what cannot be run ends with its code and says why) {
  shop.start("nobody", "nobody", shop.file("ordering"));
  CAF_CHECK_EQUAL(shop.end("nobody", 10s), 2);
  CAF_CHECK(shop.said("nobody").find("ordering, payment") != std::string::npos);
  // The other's key.
  const auto folder = shop.folder() / "certificates";
  std::filesystem::copy_file(folder / "payment.key", folder / "warehouse.key",
                             std::filesystem::copy_options::overwrite_existing);
  shop.start("warehouse");
  CAF_CHECK_EQUAL(shop.end("warehouse", 10s), 2);
  CAF_CHECK(shop.said("warehouse").find("does not belong to") != std::string::npos);
  // The port of a node that runs.
  CAF_REQUIRE(shop.start("ordering").wait_for_line("ready"));
  auto text = shop.file_text();
  text.insert(text.find("[node]"), "data=\"elsewhere\"\n");
  const auto elsewhere = shop.folder() / "elsewhere.conf";
  std::ofstream{elsewhere} << text;
  shop.start("second", "ordering", elsewhere);
  CAF_CHECK_EQUAL(shop.end("second", 10s), 7);
}

CAF_TEST_FIXTURE_SCOPE_END()
