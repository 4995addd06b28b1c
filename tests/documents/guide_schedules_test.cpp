#define CAF_SUITE guide_schedules

#include <continuo/node.hpp>

#include <caf/test/dsl.hpp>

#include <string>

// The chapter "Schedules" of docs/guide.md.
namespace guide_schedules {

struct report_due {
  std::string id;
  CONTINUO_FIELDS(report_due, id)
};

class daily_report : public continuo::saga<daily_report> {
public:
  static void define(continuo::saga_definition<daily_report>& saga) {
    saga.starts_on<report_due>(&report_due::id);
  }
  void on(const report_due&, continuo::saga_context& context) { context.complete("written"); }
  CONTINUO_FIELDS(daily_report)
};

} // namespace guide_schedules

using namespace guide_schedules;

CAF_TEST(a schedule is hosted like a saga) {
  continuo::node node{continuo::node_config::in_memory()};
  // doc: a schedule
  node.host<daily_report>();
  node.host(continuo::schedule{.name = "nightly-report",
                               .when = "30 2 * * mon-fri",
                               .zone = "Europe/Berlin",
                               .event = "report_due",
                               .body = R"({"id": "report-{due}"})"});
  // doc: end
  const auto started = node.start();
  CAF_REQUIRE(started.has_value());
  node.stop();
}
