#pragma once

#include "tests/support/business.hpp"

/// The businesses that are made of ingredients.
namespace continuo::tests {

/// A saga that asks five services, each of another kind, and that people meddle with.
std::shared_ptr<business> errands(const ingredients& with);

/// Timers: far ones that are set anew and taken back, near ones whose handlers send to other sagas.
std::shared_ptr<business> calendars(const ingredients& with);

/// A bakery whose nodes run different programs, and whose oven moves.
std::shared_ptr<business> bakery();

/// Banquets: a workflow that has dishes cooked side by side, gives some up, waits for an approval and sends a
/// bill.
std::shared_ptr<business> banquets();

/// Trips: a workflow with two children, one a class of handlers, and updates while it is under way.
std::shared_ptr<business> trips();

/// Clients' commands to a service with effects, and what people do with the letters of those that failed.
std::shared_ptr<business> stamps();

/// More purchases than a service may begin, which fails now and then, and which people stop.
std::shared_ptr<business> tills();

/// Keys of a keyed service that end, and begin anew.
std::shared_ptr<business> guests();

/// More starts than the node that they are meant for may have in flight.
std::shared_ptr<business> claims(std::size_t in_flight);

/// A scenario of its own: schedules in the night in which summer time ends.
void run_bells(cluster& here);

/// A scenario of its own: a reply that waits for a connection behind heavy messages, and then for its
/// receiver.
void run_freight(cluster& here);

} // namespace continuo::tests
