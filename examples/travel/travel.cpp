#include "services.hpp"
#include "trip.hpp"

#include <continuo/node.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <string>
#include <vector>

namespace {

using namespace travel;

/// Prints the error and gives the exit code.
int refuse(const continuo::error& why) {
  fmt::print(stderr, "travel: {}\n", why.message);
  const auto code = continuo::exit_code(why.code);
  return code != 0 ? code : 1;
}

/// Requests the trips, all of them before the first has ended, and prints how each ends.
template <class Saga, class Request>
int book(const continuo::client& client, const std::vector<std::string>& trips) {
  std::vector<std::future<continuo::result<continuo::saga_result>>> ends;
  for (const auto& name : trips) {
    ends.push_back(client.publish(Request{name}).template result_of<Saga>());
  }
  for (std::size_t i = 0; i < trips.size(); ++i) {
    const auto end = ends[i].get();
    if (!end) {
      return refuse(end.error());
    }
    fmt::print("{} {}: {}{}\n", trips[i], to_string(end->status), end->text(), end->reason);
  }
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App program{"Books trips: a flight, a hotel and a car, at three HTTP services (providers.py)."};
  std::string data;
  providers at;
  bool quick = false;
  std::vector<std::string> trips;
  program.add_option("--data", data, "Folder of the journal: what was begun goes on")
      ->type_name("DIR")
      ->required();
  program.add_option("--flight", at.flight, "Where flights are booked")
      ->type_name("URL")
      ->capture_default_str();
  program.add_option("--hotel", at.hotel, "Where hotels are booked")->type_name("URL")->capture_default_str();
  program.add_option("--car", at.car, "Where cars are booked")->type_name("URL")->capture_default_str();
  program.add_flag("--quick", quick, "Book hotel and car side by side");
  program.add_option("trips", trips, "Names of the trips; one that is known is only waited for")
      ->type_name("TRIP")
      ->required();
  CLI11_PARSE(program, argc, argv);

  continuo::node node{continuo::node_config::embedded(data)};
  node.host(flights(at));
  node.host(hotels(at));
  node.host(cars(at));
  node.host<trip>();
  node.host<quick_trip>();
  if (auto started = node.start(); !started) {
    return refuse(started.error());
  }
  return quick ? book<quick_trip, quick_trip_requested>(node.client(), trips)
               : book<trip, trip_requested>(node.client(), trips);
}
