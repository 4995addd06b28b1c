#pragma once

#include "messages.hpp"

#include <continuo/workflow.hpp>

#include <string>

namespace orders_with_items {

/// Reserves all items side by side, takes the money, waits for an approval where it is much, has the order
/// packed by a child, and gives back the number of its label. The address may be changed until the label is
/// made.
continuo::workflow<std::string> fulfil(order_placed order, continuo::flow& flow);

/// Picks item after item, and puts all back where one is missing or the order is cancelled.
continuo::workflow<parcel> pack_parcel(pack wish, continuo::flow& flow);

/// Counts the orders of a day and mails the number.
continuo::workflow<> report(report_due due, continuo::flow& flow);

/// The three under their names, with what starts them and what they hear.
continuo::workflow_type<std::string, order_placed> order_type();
continuo::workflow_type<parcel, pack> packing_type();
continuo::workflow_type<void, report_due> report_type();

} // namespace orders_with_items
