#pragma once

#include <continuo/fields.hpp>
#include <continuo/service.hpp>

#include <cstdint>

namespace bank_transfers {

/// The durable state of one account.
struct account {
  bool open = false;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(account, open, cents)
};

/// The accounts, a durable state for each `account_id`; the commands of one account are handled one at a
/// time.
continuo::keyed_service<account> accounts();

} // namespace bank_transfers
