#pragma once

#include "messages.hpp"

#include <continuo/saga.hpp>

#include <string>

namespace travel {

/// How each booking is undone, whether its answer is known or not: a cancellation of nothing does nothing.
template <class Saga>
void declare_bookings(continuo::saga_definition<Saga>& saga) {
  saga.template calls<book_flight>().undone_by(
      [](const book_flight& sent, const flight_booked*) { return cancel_flight{sent.trip}; });
  saga.template calls<book_hotel>().undone_by(
      [](const book_hotel& sent, const hotel_booked*) { return cancel_hotel{sent.trip}; });
  saga.template calls<book_car>().undone_by(
      [](const book_car& sent, const car_booked*) { return cancel_car{sent.trip}; });
}

/// Books flight, hotel and car in this order. Where one is declined, those before it are cancelled, the last
/// one first, and the trip ends as compensated.
class trip : public continuo::saga<trip> {
public:
  static void define(continuo::saga_definition<trip>& saga) {
    saga.starts_on<trip_requested>(&trip_requested::trip);
    declare_bookings(saga);
  }

  void on(const trip_requested& event, continuo::saga_context& context) {
    context.send(book_flight{event.trip});
  }

  void on(const flight_booked& flight, continuo::saga_context& context) {
    bookings_ = flight.booking;
    context.send(book_hotel{flight.trip});
  }

  void on(const hotel_booked& hotel, continuo::saga_context& context) {
    bookings_ += ", " + hotel.booking;
    context.send(book_car{hotel.trip});
  }

  void on(const car_booked& car, continuo::saga_context& context) {
    context.complete(bookings_ + ", " + car.booking);
  }

private:
  std::string bookings_;

public:
  CONTINUO_FIELDS(trip, bookings_)
};

/// The same, but hotel and car are booked side by side. What is undone is undone in the reverse order of the
/// answers, when both are known.
class quick_trip : public continuo::saga<quick_trip> {
public:
  static void define(continuo::saga_definition<quick_trip>& saga) {
    saga.starts_on<quick_trip_requested>(&quick_trip_requested::trip);
    declare_bookings(saga);
  }

  void on(const quick_trip_requested& event, continuo::saga_context& context) {
    context.send(book_flight{event.trip});
  }

  void on(const flight_booked& flight, continuo::saga_context& context) {
    flight_ = flight.booking;
    context.send(book_hotel{flight.trip});
    context.send(book_car{flight.trip});
  }

  void on(const hotel_booked& hotel, continuo::saga_context& context) {
    hotel_ = hotel.booking;
    complete_with_both(context);
  }

  void on(const car_booked& car, continuo::saga_context& context) {
    car_ = car.booking;
    complete_with_both(context);
  }

private:
  void complete_with_both(continuo::saga_context& context) {
    if (!hotel_.empty() && !car_.empty()) {
      context.complete(flight_ + ", " + hotel_ + ", " + car_);
    }
  }

  std::string flight_;
  std::string hotel_;
  std::string car_;

public:
  CONTINUO_FIELDS(quick_trip, flight_, hotel_, car_)
};

} // namespace travel
