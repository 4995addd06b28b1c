#pragma once

#include "messages.hpp"

#include <continuo/saga.hpp>

namespace bank_transfers {

/// Moves money from one account to another. If the second half fails, the first is undone: the money is never
/// in both accounts, and never in none for good.
class transfer : public continuo::saga<transfer> {
public:
  static void define(continuo::saga_definition<transfer>& saga) {
    saga.starts_on<transfer_requested>(&transfer_requested::transfer_id);
    // Both undo only what is known to have happened: putting back what was never taken would make money. An
    // unknown outcome leaves the transfer stuck, for a person to look at.
    saga.calls<withdraw>().undone_by([](const withdraw& sent, const withdrawn&) {
      return deposit{sent.account_id, sent.cents};
    });
    saga.calls<deposit>().undone_by([](const deposit& sent, const deposited&) {
      return withdraw{sent.account_id, sent.cents};
    });
  }

  void on(const transfer_requested& event, continuo::saga_context& context) {
    request_ = event;
    context.send(withdraw{event.from, event.cents});
  }

  void on(const withdrawn&, continuo::saga_context& context) {
    context.send(deposit{request_.to, request_.cents});
  }

  void on(const deposited&, continuo::saga_context& context) { context.complete(); }

private:
  transfer_requested request_;

public:
  CONTINUO_FIELDS(transfer, request_)
};

} // namespace bank_transfers
