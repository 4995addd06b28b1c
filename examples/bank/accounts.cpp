#include "accounts.hpp"

#include "messages.hpp"

namespace bank_transfers {

using continuo::decline;
using continuo::keyed_context;
using continuo::outcome;

continuo::keyed_service<account> accounts() {
  return continuo::keyed_service<account>{"accounts"}
      .handle(&open_account::account_id,
              [](account& state, const open_account& command, keyed_context&) -> outcome<account_opened> {
                if (state.open) {
                  return decline("the account exists");
                }
                state = {true, command.cents};
                return account_opened{state.cents};
              })
      .handle(&deposit::account_id,
              [](account& state, const deposit& command, keyed_context&) -> outcome<deposited> {
                if (!state.open) {
                  return decline("no such account");
                }
                state.cents += command.cents;
                return deposited{state.cents};
              })
      .handle(&withdraw::account_id,
              [](account& state, const withdraw& command, keyed_context&) -> outcome<withdrawn> {
                if (!state.open) {
                  return decline("no such account");
                }
                if (state.cents < command.cents) {
                  return decline("not enough money");
                }
                state.cents -= command.cents;
                return withdrawn{state.cents};
              })
      .handle(&read_balance::account_id,
              [](account& state, const read_balance&, keyed_context&) -> outcome<balance> {
                if (!state.open) {
                  return decline("no such account");
                }
                return balance{state.cents};
              });
}

} // namespace bank_transfers
