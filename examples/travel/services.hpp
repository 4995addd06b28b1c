#pragma once

#include "messages.hpp"

#include <continuo/service.hpp>

#include <string>

namespace travel {

/// Who books and cancels, as HTTP endpoints.
struct providers {
  std::string flight = "http://127.0.0.1:9101";
  std::string hotel = "http://127.0.0.1:9102";
  std::string car = "http://127.0.0.1:9103";
};

/// A service whose handlers are two endpoints below `url`.
template <class Book, class Cancel>
continuo::service bookings(const std::string& name, const std::string& url) {
  using namespace std::chrono_literals;
  continuo::service offered{name};
  offered.calls_http<Book>(url + "/book_" + name);
  offered.calls_http<Cancel>(url + "/cancel_" + name);
  // A provider may be down for days: its commands wait, and are tried every minute.
  return offered.idempotent().retry(
      {.attempts = 1'000'000, .first = 100ms, .factor = 2, .cap = 1min, .jitter = 0.1, .timeout = 10s});
}

inline continuo::service flights(const providers& at) {
  return bookings<book_flight, cancel_flight>("flight", at.flight);
}

inline continuo::service hotels(const providers& at) {
  return bookings<book_hotel, cancel_hotel>("hotel", at.hotel);
}

inline continuo::service cars(const providers& at) {
  return bookings<book_car, cancel_car>("car", at.car);
}

} // namespace travel
