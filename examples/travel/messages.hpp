#pragma once

#include <continuo/fields.hpp>

#include <string>

/// What is said when a trip is booked.
namespace travel {

/// A customer wants a flight, a hotel and a car; starts `trip`, which books them one after another.
struct trip_requested {
  std::string trip{};
  CONTINUO_FIELDS(trip_requested, trip)
};

/// The same for somebody in a hurry; starts `quick_trip`.
struct quick_trip_requested {
  std::string trip{};
  CONTINUO_FIELDS(quick_trip_requested, trip)
};

struct flight_booked {
  std::string trip{};
  std::string booking{};
  CONTINUO_FIELDS(flight_booked, trip, booking)
};

struct book_flight {
  using reply = flight_booked;
  std::string trip{};
  CONTINUO_FIELDS(book_flight, trip)
};

struct flight_cancelled {
  std::string trip{};
  CONTINUO_FIELDS(flight_cancelled, trip)
};

/// Succeeds where nothing was booked, as the two below do.
struct cancel_flight {
  using reply = flight_cancelled;
  std::string trip{};
  CONTINUO_FIELDS(cancel_flight, trip)
};

struct hotel_booked {
  std::string trip{};
  std::string booking{};
  CONTINUO_FIELDS(hotel_booked, trip, booking)
};

struct book_hotel {
  using reply = hotel_booked;
  std::string trip{};
  CONTINUO_FIELDS(book_hotel, trip)
};

struct hotel_cancelled {
  std::string trip{};
  CONTINUO_FIELDS(hotel_cancelled, trip)
};

struct cancel_hotel {
  using reply = hotel_cancelled;
  std::string trip{};
  CONTINUO_FIELDS(cancel_hotel, trip)
};

struct car_booked {
  std::string trip{};
  std::string booking{};
  CONTINUO_FIELDS(car_booked, trip, booking)
};

struct book_car {
  using reply = car_booked;
  std::string trip{};
  CONTINUO_FIELDS(book_car, trip)
};

struct car_cancelled {
  std::string trip{};
  CONTINUO_FIELDS(car_cancelled, trip)
};

struct cancel_car {
  using reply = car_cancelled;
  std::string trip{};
  CONTINUO_FIELDS(cancel_car, trip)
};

} // namespace travel
