#pragma once

#include <continuo/fields.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// What orders, their services and their customers say to each other.
namespace orders_with_items {

struct item {
  std::string sku;
  std::int64_t pieces = 1;
  CONTINUO_FIELDS(item, sku, pieces)
};

// -- events -------------------------------------------------------------------
struct order_placed {
  std::string id;
  std::vector<item> items;
  std::int64_t cents = 0;
  std::string address;
  CONTINUO_FIELDS(order_placed, id, items, cents, address)
};

struct order_approved {
  std::string id;
  CONTINUO_FIELDS(order_approved, id)
};

/// Published by a schedule, every night.
struct report_due {
  std::string day;
  CONTINUO_FIELDS(report_due, day)
};

// -- commands, and their replies ------------------------------------------------
struct done {
  CONTINUO_FIELDS(done)
};

struct reserve {
  using reply = done;
  std::string order;
  item what;
  CONTINUO_FIELDS(reserve, order, what)
};

/// Succeeds where nothing was reserved.
struct release {
  using reply = done;
  std::string order;
  std::string sku;
  CONTINUO_FIELDS(release, order, sku)
};

struct make_payment {
  using reply = done;
  std::string order;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(make_payment, order, cents)
};

/// Succeeds where nothing was paid.
struct refund_payment {
  using reply = done;
  std::string order;
  CONTINUO_FIELDS(refund_payment, order)
};

struct parcel {
  std::int64_t grams = 0;
  CONTINUO_FIELDS(parcel, grams)
};

/// Starts a child, which packs item after item.
struct pack {
  using reply = parcel;
  std::string order;
  std::vector<item> items;
  CONTINUO_FIELDS(pack, order, items)
};

struct pick {
  using reply = parcel; // of one item
  std::string order;
  item what;
  CONTINUO_FIELDS(pick, order, what)
};

/// Succeeds where nothing was picked.
struct put_back {
  using reply = done;
  std::string order;
  std::string sku; ///< empty: all of the order
  CONTINUO_FIELDS(put_back, order, sku)
};

struct label {
  std::string tracking;
  CONTINUO_FIELDS(label, tracking)
};

struct create_label {
  using reply = label;
  std::string order;
  std::int64_t grams = 0;
  std::string address;
  CONTINUO_FIELDS(create_label, order, grams, address)
};

struct address_changed {
  std::string before;
  CONTINUO_FIELDS(address_changed, before)
};

/// An update of an order that is under way.
struct change_address {
  using reply = address_changed;
  std::string order;
  std::string address;
  CONTINUO_FIELDS(change_address, order, address)
};

struct order_count {
  std::int64_t orders = 0;
  CONTINUO_FIELDS(order_count, orders)
};

struct count_orders {
  using reply = order_count;
  std::string day;
  CONTINUO_FIELDS(count_orders, day)
};

struct send_mail {
  using reply = done;
  std::string to;
  std::string text;
  CONTINUO_FIELDS(send_mail, to, text)
};

} // namespace orders_with_items
