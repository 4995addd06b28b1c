#pragma once

#include <continuo/client.hpp>
#include <continuo/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace bank_transfers {

/// What became of a number of transfers.
struct transfer_counts {
  std::size_t completed = 0;
  std::size_t undone = 0;
};

/// What a bank does all day, on a node that hosts `accounts()` and `transfer`. All functions block until what
/// they did is durable; their errors are the node's.
///
/// The accounts are numbered from 1 to `count`; this is the name of one.
std::string account_name(std::size_t number);

/// Opens those accounts that do not exist yet, with `cents` in each.
continuo::result<void> open_accounts(const continuo::client& client, std::size_t count, std::int64_t cents);

/// The money in all accounts.
continuo::result<std::int64_t> total(const continuo::client& client, std::size_t count);

/// Waits for the transfers that an earlier run began.
continuo::result<void> settle(const continuo::client& client);

/// Makes `transfers` transfers of random amounts between random accounts, many at a time, and waits for their
/// ends. Some ask for more than there is, one in ten goes to an account that does not exist. `batch` names
/// them: ids of an earlier batch start nothing.
continuo::result<transfer_counts> move_money(const continuo::client& client, std::size_t count,
                                             std::size_t transfers, std::uint64_t seed,
                                             const std::string& batch);

} // namespace bank_transfers
