#!/usr/bin/env python3
"""The bank and the label printer of the order example as HTTP services, with the same ledgers as those in C++.

usage: providers.py payment|warehouse --port PORT --ledger FILE [--decline-over CENTS] [--fail-first N] ...
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import provider

STOCK = {"book": 10**9, "chair": 10**9, "kettle": 10**9, "lamp": 10**9, "typewriter": 5}


def entry(key, order, kind, reference, item, amount):
    return {
        "time": provider.now(),
        "kind": kind,
        "order": order,
        "idempotency_key": key,
        "reference": reference,
        "item": item,
        "amount": amount,
    }


class Bank:
    def __init__(self, ledger, limit_cents):
        self.ledger = ledger
        self.limit_cents = limit_cents

    def make_payment(self, command, key):
        charged = self.ledger.find(idempotency_key=key)  # a repeated call gets the first answer
        if charged is None:
            if command["cents"] < 0:
                raise provider.Declined("amount below 0")
            if command["cents"] > self.limit_cents:
                raise provider.Declined("amount over the limit")
            number = f"pay-{self.ledger.count('charge') + 1:06}"
            charged = self.ledger.append(entry(key, command["order_id"], "charge", number, "", command["cents"]))
        return {"order_id": command["order_id"], "payment_id": charged["reference"]}

    def refund_payment(self, command, key):
        order = command["order_id"]
        charged = self.ledger.find(order=order, kind="charge")
        if charged and not self.ledger.find(order=order, kind="refund"):
            self.ledger.append(entry(key, order, "refund", charged["reference"], "", charged["amount"]))
        return {"order_id": order}


class LabelPrinter:
    def __init__(self, ledger):
        self.ledger = ledger
        self.left = dict(STOCK)
        for line in ledger.entries:
            self.left[line["item"]] += line["amount"] * (-1 if line["kind"] == "label" else 1)

    def create_shipping_label(self, command, key):
        printed = self.ledger.find(idempotency_key=key)
        if printed is None:
            item, quantity = command["item"], command["quantity"]
            if quantity < 1 or self.left.get(item, 0) < quantity:
                raise provider.Declined("out of stock")
            number = f"parcel-{self.ledger.count('label') + 1:06}"
            printed = self.ledger.append(entry(key, command["order_id"], "label", number, item, quantity))
            self.left[item] -= quantity
        return {"order_id": command["order_id"], "tracking": printed["reference"]}

    def void_shipping_label(self, command, key):
        order = command["order_id"]
        label = self.ledger.find(order=order, kind="label")
        if label and not self.ledger.find(order=order, kind="void"):
            self.ledger.append(entry(key, order, "void", label["reference"], label["item"], label["amount"]))
            self.left[label["item"]] += label["amount"]
        return {"order_id": order}


def main():
    parser = provider.arguments("The bank or the label printer of the order example.")
    parser.add_argument("service", choices=["payment", "warehouse"])
    parser.add_argument("--decline-over", type=int, default=100_000, metavar="CENTS", help="larger payments are declined")
    chosen = parser.parse_args()
    ledger = provider.Ledger(chosen.ledger)
    if chosen.service == "payment":
        bank = Bank(ledger, chosen.decline_over)
        provider.serve(chosen, {"make_payment": bank.make_payment, "refund_payment": bank.refund_payment})
    else:
        printer = LabelPrinter(ledger)
        provider.serve(
            chosen,
            {
                "create_shipping_label": printer.create_shipping_label,
                "void_shipping_label": printer.void_shipping_label,
            },
        )


if __name__ == "__main__":
    main()
