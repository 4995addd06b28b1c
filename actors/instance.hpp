#pragma once

#include "actors/core.hpp"

#include <caf/event_based_actor.hpp>

#include <deque>
#include <memory>
#include <optional>

namespace continuo::actors {

/// How an instance comes into memory.
struct instance_start {
  instance_id self;
  caf::actor shard;
  std::uint64_t stay = 0; ///< as in `may_leave`
};

/// The actor of one instance: a thin shell around its machine. It translates messages into calls of the
/// machine and carries out what the machine decides. It is created by its shard when a message comes for it,
/// reads its record, and leaves when the shard wants the memory back; the record stays.
template <class Machine>
class instance_actor : public caf::event_based_actor {
public:
  using environment = std::conditional_t<std::is_same_v<Machine, engine::saga_machine>,
                                         engine::saga_environment, engine::keyed_environment>;

  instance_actor(caf::actor_config& config, std::shared_ptr<core> shared, const environment* definition,
                 instance_start start);

  caf::behavior make_behavior() override;
  void on_exit() override;
  const char* name() const override { return "continuo.instance"; }

private:
  static constexpr bool is_saga = std::is_same_v<Machine, engine::saga_machine>;

  // -- handlers ---------------------------------------------------------------------
  void on_envelope(messages::envelope& message);
  void on_receipt(const messages::receipt& receipt);
  void on_call(const messages::call_for& call);
  void on_operate(operate& request);
  void on_move(const move_command& request);
  void on_show(show& request);
  void on_report_end();
  void on_expire(const expire& request);
  void on_trim(const trim& request);
  void on_try_again();
  void on_tick();
  void on_please_leave();

  // -- parts ----------------------------------------------------------------------------
  bool load();
  void handle(const messages::envelope& message);
  void handle_waiting();
  void forget_waiting(const messages::receipt& receipt, std::vector<journal::release>& extra);
  void carry_out(engine::transition&& decided, std::uint64_t revision,
                 std::vector<journal::release> extra = {});
  void keep_house(engine::transition&& decided, std::uint64_t revision, const caf::actor& asks);
  void release_answer(std::function<void()> answer);
  void want_tick();
  void leave_if_asked();
  template <class Call>
  engine::transition run_handler(const messages::envelope& cause, Call call);
  bool is_orphaned() const;
  saga_result end_of() const;

  std::shared_ptr<core> core_;
  const environment* definition_;
  instance_start start_;
  std::unique_ptr<Machine> machine_;
  time_point handling_since_{};         // the message that is handled, or was last
  std::optional<instance_status> told_; // the status that those who watch were told last
  /// A keyed instance whose replies are not acknowledged puts off commands here, but only so many: the rest
  /// stay with their senders.
  std::deque<messages::envelope> waiting_;
  static constexpr std::size_t waiting_max = 64;
  service_counters* counts_ = nullptr; // of a keyed service
  bool orphaned_ = false;              // counted as one
  std::uint64_t handled_ = 0;          // messages from the shard
  bool counted_ = false; // as in flight; that is a property of its record, and outlives the actor
  bool tick_armed_ = false;
  bool leaving_ = false;
};

using saga_actor = instance_actor<engine::saga_machine>;
using keyed_actor = instance_actor<engine::keyed_machine>;

} // namespace continuo::actors
