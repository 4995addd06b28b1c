#!/usr/bin/env python3
"""An airline, a hotel and a car rental, each as an HTTP service.

usage: providers.py flight|hotel|car --port PORT --ledger FILE [--decline TRIP] [--fail-first N] ...

Each line of a ledger is a booking (kind "book") or its cancellation (kind "cancel").
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import provider


class Bookings:
    def __init__(self, service, ledger, declined):
        self.service = service
        self.ledger = ledger
        self.declined = declined

    def book(self, command, key):
        booked = self.ledger.find(idempotency_key=key)  # a repeated call gets the first answer
        if booked is None:
            if command["trip"] in self.declined:
                raise provider.Declined(f"no {self.service} left")
            number = f"{self.service}-{self.ledger.count('book') + 1:04}"
            booked = self.write(key, command["trip"], "book", number)
        return {"trip": command["trip"], "booking": booked["booking"]}

    def cancel(self, command, key):
        """Where nothing is booked, or it is cancelled already, there is nothing to do."""
        booked = self.ledger.find(trip=command["trip"], kind="book")
        if booked and not self.ledger.find(trip=command["trip"], kind="cancel"):
            self.write(key, command["trip"], "cancel", booked["booking"])
        return {"trip": command["trip"]}

    def write(self, key, trip, kind, booking):
        return self.ledger.append(
            {"time": provider.now(), "kind": kind, "trip": trip, "idempotency_key": key, "booking": booking}
        )


def main():
    parser = provider.arguments("An airline, a hotel or a car rental.")
    parser.add_argument("service", choices=["flight", "hotel", "car"])
    parser.add_argument("--decline", action="append", default=[], metavar="TRIP", help="book nothing for this trip")
    chosen = parser.parse_args()
    bookings = Bookings(chosen.service, provider.Ledger(chosen.ledger), chosen.decline)
    provider.serve(
        chosen, {f"book_{chosen.service}": bookings.book, f"cancel_{chosen.service}": bookings.cancel}
    )


if __name__ == "__main__":
    main()
