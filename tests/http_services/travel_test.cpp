#define CAF_SUITE travel
// ctest: timeout=120 labels=processes

#include "examples/travel/services.hpp"
#include "examples/travel/trip.hpp"
#include "tests/http_services/provider_process.hpp"
#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo::tests;
using namespace std::chrono_literals;

namespace {

struct fixture {
  temporary_directory directory;
  provider_process flight{"travel", "flight", directory.path() / "flight.jsonl"};
  provider_process hotel{"travel", "hotel", directory.path() / "hotel.jsonl"};
  provider_process car{"travel", "car", directory.path() / "car.jsonl"};
  continuo::node node{continuo::node_config::in_memory()};

  void start_node() {
    const travel::providers at{flight.url(), hotel.url(), car.url()};
    node.host(travel::flights(at));
    node.host(travel::hotels(at));
    node.host(travel::cars(at));
    node.host<travel::trip>();
    node.host<travel::quick_trip>();
    CAF_REQUIRE(node.start().has_value());
  }

  std::string book(const std::string& name) const {
    return line_of(wait_for(node.client().publish(travel::trip_requested{name}).result_of<travel::trip>()));
  }

  std::string book_quickly(const std::string& name) const {
    return line_of(
        wait_for(node.client().publish(travel::quick_trip_requested{name}).result_of<travel::quick_trip>()));
  }

  /// What a ledger holds: `book rome, cancel rome`.
  static std::string deeds(const provider_process& provider) {
    std::string all;
    for (const auto& entry : provider.entries()) {
      all += (all.empty() ? "" : ", ") + entry.at("kind").get<std::string>() + ' ' +
             entry.at("trip").get<std::string>();
    }
    return all;
  }

  /// When the last thing in a ledger happened; RFC 3339 in UTC, so texts compare as times.
  static std::string last_time(const provider_process& provider) {
    const auto entries = provider.entries();
    return entries.empty() ? "never" : entries.back().at("time").get<std::string>();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(travel_tests, fixture)

CAF_TEST(a trip is a flight and a hotel and a car) {
  flight.start();
  hotel.start();
  car.start();
  start_node();
  CAF_CHECK_EQUAL(book("rome"), "completed: flight-0001, hotel-0001, car-0001");
  CAF_CHECK_EQUAL(book_quickly("oslo"), "completed: flight-0002, hotel-0002, car-0002");
  for (const auto* one : {&flight, &hotel, &car}) {
    CAF_CHECK_EQUAL(deeds(*one), "book rome, book oslo");
  }
}

CAF_TEST(where no car is left the hotel is cancelled and then the flight) {
  flight.start();
  hotel.start({"--delay", "0.02"}); // so that the times of the ledgers differ
  car.start({"--decline", "mars"});
  start_node();
  CAF_CHECK_EQUAL(book("mars"), "compensated: book_car failed: no car left");
  CAF_CHECK_EQUAL(deeds(flight), "book mars, cancel mars");
  CAF_CHECK_EQUAL(deeds(hotel), "book mars, cancel mars");
  CAF_CHECK_EQUAL(deeds(car), "");
  CAF_CHECK_LESS_OR_EQUAL(last_time(hotel), last_time(flight));
}

CAF_TEST(side by side it is the same although the hotel answers last) {
  flight.start();
  hotel.start({"--delay", "0.2"});
  car.start({"--decline", "mars"});
  start_node();
  CAF_CHECK_EQUAL(book_quickly("mars"), "compensated: book_car failed: no car left");
  CAF_CHECK_EQUAL(deeds(flight), "book mars, cancel mars");
  CAF_CHECK_EQUAL(deeds(hotel), "book mars, cancel mars");
  CAF_CHECK_EQUAL(deeds(car), "");
  CAF_CHECK_LESS_OR_EQUAL(last_time(hotel), last_time(flight));
}

CAF_TEST(a provider that is down is waited for) {
  flight.start();
  hotel.start();
  start_node();
  auto end = node.client().publish(travel::trip_requested{"rome"}).result_of<travel::trip>();
  for (const auto deadline = process::clock::now() + 20s;
       deeds(hotel) != "book rome" && process::clock::now() < deadline;) {
    CAF_CHECK(end.wait_for(5ms) == std::future_status::timeout);
  }
  CAF_CHECK(end.wait_for(500ms) == std::future_status::timeout); // several attempts
  CAF_CHECK_EQUAL(deeds(car), "");
  car.start({"--fail-first", "1"});
  CAF_CHECK_EQUAL(line_of(wait_for(std::move(end))), "completed: flight-0001, hotel-0001, car-0001");
  CAF_CHECK_EQUAL(deeds(car), "book rome");
}

CAF_TEST_FIXTURE_SCOPE_END()
