#pragma once

#include <continuo/fields.hpp>

#include <cstdint>
#include <string>

namespace bank_transfers {

// -- accounts: each command says whose account it is about, and its reply what is in it then ------------

struct account_opened {
  std::int64_t balance_cents = 0;
  CONTINUO_FIELDS(account_opened, balance_cents)
};

/// Declined where the account exists.
struct open_account {
  using reply = account_opened;
  std::string account_id{};
  std::int64_t cents = 0;
  CONTINUO_FIELDS(open_account, account_id, cents)
};

struct deposited {
  std::int64_t balance_cents = 0;
  CONTINUO_FIELDS(deposited, balance_cents)
};

/// Declined where there is no such account.
struct deposit {
  using reply = deposited;
  std::string account_id{};
  std::int64_t cents = 0;
  CONTINUO_FIELDS(deposit, account_id, cents)
};

struct withdrawn {
  std::int64_t balance_cents = 0;
  CONTINUO_FIELDS(withdrawn, balance_cents)
};

/// Declined where there is no such account, or not enough in it.
struct withdraw {
  using reply = withdrawn;
  std::string account_id{};
  std::int64_t cents = 0;
  CONTINUO_FIELDS(withdraw, account_id, cents)
};

struct balance {
  std::int64_t cents = 0;
  CONTINUO_FIELDS(balance, cents)
};

/// Declined where there is no such account.
struct read_balance {
  using reply = balance;
  std::string account_id{};
  CONTINUO_FIELDS(read_balance, account_id)
};

// -- transfers ----------------------------------------------------------------------------------

/// Somebody wants money moved; starts a transfer.
struct transfer_requested {
  std::string transfer_id{};
  std::string from{};
  std::string to{};
  std::int64_t cents = 0;
  CONTINUO_FIELDS(transfer_requested, transfer_id, from, to, cents)
};

} // namespace bank_transfers
