#pragma once

#include "engine/expiry.hpp"
#include "engine/mailbox.hpp"
#include "engine/routing.hpp"

#include <span>
#include <string>
#include <string_view>

// The state machine of an event or a command that a node accepted from a client.
//
//   edge        from         message                                  to
//   publish     absent       a client's event                         open; absent where nobody hears it
//   send        absent       a client's command                       open
//   answered    open         the command's reply or failure           ended, kept for those who ask
//   delivered   open         receipt                                  open; absent with the last one
//   move        open         its node is down, another one is up,     open; sent to the other one
//                            or its service was renamed
//   stays       any          the same, nothing to move                the same
//   duplicate   any          an answer that was handled before        the same
//   absent      absent       anything else                            absent
//   flush       open         receipts since the last write            open
//   expire      ended        kept long enough                         absent
namespace continuo::engine {

/// The built-in types of these records. Their keys are message ids.
constexpr std::string_view publish_type = "continuo.publish";
constexpr std::string_view send_type = "continuo.send";

std::span<const char* const> acceptance_edges();

/// What the machine needs to know of its node. Outlives the machine; only read.
struct acceptance_environment {
  const routing_table* routes = nullptr;
  std::uint64_t store = 0;
};

/// A client's event or command until its receivers have it. It knows no handlers. Same rules as
/// `saga_machine`.
class acceptance {
public:
  /// `stored` is what the store holds under `self`.
  acceptance(const acceptance_environment& environment, instance_id self, std::optional<record> stored);
  acceptance(const acceptance&) = delete;
  acceptance& operator=(const acceptance&) = delete;

  /// What a client wants to have accepted. `trace` is what its messages carry.
  struct wish {
    bool is_command = false;
    std::string type;
    std::string payload;
    std::string trace;
    std::vector<destination> where; ///< of a command: one
    std::string idempotency_key{};  ///< for handlers with effects outside; empty: the message's id
  };

  // -- messages ------------------------------------------------------------------
  /// Takes it, unless the verdict says why no record could hold it. @pre there is no record
  transition accept(wish&& wanted, const moment& now, std::uint64_t revision);

  /// Takes over what a dead letter of this node had to send: under its id, of which this is the record.
  /// @pre there is no record
  transition take_over(stored_message&& sent, const moment& now, std::uint64_t revision);

  transition receive(const envelope& answer, const moment& now, std::uint64_t revision);
  transition receive(const messages::receipt& receipt);
  transition called(const messages::call_for& call) const;

  /// In memory for the first time since the node started: what is unacknowledged here is sent again. A
  /// command for a service that nothing hosts any more goes to the one that handles it now, under the same
  /// id.
  transition recover(const moment& now, std::uint64_t revision);

  /// Writes what receipts changed, if anything.
  transition flush(const moment& now, std::uint64_t revision);
  transition move(const message_id& id, std::string_view from, bool handed_out, const moment& now,
                  std::uint64_t revision);
  transition expire(time_point before);

  // -- queries -------------------------------------------------------------------
  bool exists() const { return exists_; }
  bool in_flight() const { return exists_ && is_in_flight(record_, *environment_->routes); }

  /// Whether nothing of it can happen but by messages: memory need not hold it, its record does.
  bool may_passivate() const { return !mail_.is_dirty() && !mail_.holds_back(); }

  /// Whether nothing of it is under way on this node, so that memory need not hold it.
  bool is_over() const { return !in_flight(); }

  const record& current() const { return record_; }
  std::string encoded() const { return encode(record_); }

private:
  void write(transition& out, const moment& now, std::uint64_t revision);
  void erase(transition& out);

  const acceptance_environment* environment_;
  record record_;
  bool exists_ = false;
  expiry_times indexed_; // of what was written last
  mailbox mail_{record_, *environment_->routes};
};

} // namespace continuo::engine
