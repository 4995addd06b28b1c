#pragma once

#include "engine/moment.hpp"

#include <continuo/definition.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

namespace continuo::engine {

/// Who may start next at a stateless service, on one node. It knows who waits and who runs, and the rules:
///
/// - **concurrency**: so many handlers at a time.
/// - **rate**: a bucket of tokens. Between any two moments that are T apart at most `burst + T * starts /
/// per`
///   handlers start. A new one begins with an empty bucket, so that this is true across a restart as well.
/// - **per key**: of those with the same key one at a time. A key is free again when its handler has
/// returned,
///   also one whose time was up; it is free between two attempts. Who is next of a free key its classes'
///   turns say, and in a class the order of arrival; that one stands in its class at its own place.
/// - **priority**: three classes in weighted turns (`turns_of`), for all together and once more among those
/// of
///   one key. Within a round the highest class that has a turn left and somebody who may start is served; a
///   round is over when there is no such class. So whoever is first in its class, and without a key, is
///   passed over at most `passed_over_max` times, and of those with one, too, none is passed over for ever.
/// - **breaker**: so many technical failures in a row open it; then nobody starts for `wait`, then one alone:
/// a
///   success closes it, a failure opens it for as long again. What began before it opened or closed says
///   nothing of now.
/// - **paused**: nobody starts.
///
/// In each class the order is that of arrival, but for those whose key has another one to run first. Nothing
/// of this is durable: a restart begins with an empty bucket and a closed breaker, and those who wait are
/// offered again. Memory: one entry for each who waits or runs; there are never more keys than entries. Pure,
/// and not thread-safe: it belongs to one service actor.
class turnstile {
public:
  static constexpr std::size_t classes = 3;
  static constexpr std::array<unsigned, classes> turns_of{9, 3, 1}; ///< of `priority`, in a round
  static constexpr unsigned passed_over_max = 24;

  /// One that waits.
  struct entry {
    message_id id;
    std::uint64_t arrival = 0;
    std::uint64_t key = 0; ///< a hash; 0: none
    priority of = priority::normal;
  };

  /// How a handler ended, for the breaker.
  enum class ending : std::uint8_t {
    answered, ///< it replied or declined
    failed,   ///< a technical failure
    unknown,  ///< that says nothing of what it calls
  };

  /// @param type outlives it
  turnstile(const detail::service_type& type, boot_time now);

  // -- those who wait ------------------------------------------------------------------
  /// Joins behind all others of its class.
  void join(const message_id& id, priority of, std::uint64_t key);

  /// Stands again where it stood before `pass_over`.
  void put_back(const entry& one);

  /// Who may start now; null: nobody. Valid until the next call. What has gone meanwhile is not known here.
  const entry* next(boot_time now);

  /// Takes who is `next` out of the line without a start. @pre `next` has just named it
  entry pass_over();

  /// Who is `next` starts. @pre `next` has just named it
  void begin(boot_time now);

  // -- those who run -----------------------------------------------------------------------
  /// It has used up its time, which counts as a failure. It runs on.
  void timed_out(const message_id& id, boot_time now);

  /// Its handler has returned. False where it does not run.
  bool end(const message_id& id, ending how, boot_time now);

  void pause(bool paused) { paused_ = paused; }

  // -- queries ------------------------------------------------------------------------------
  /// When time alone lets somebody start who may not now; nothing where it does not.
  std::optional<boot_time> look_again(boot_time now) const;

  std::size_t waiting(priority of) const { return waiting_[index_of(of)]; }
  std::size_t waiting() const { return waiting_[0] + waiting_[1] + waiting_[2]; }
  std::size_t running() const { return running_.size(); }
  bool runs(const message_id& id) const { return running_.contains(id); }
  bool is_open() const { return open_until_.has_value(); } ///< the breaker; also while one is tried
  std::uint64_t times_opened() const { return times_opened_; }

  static std::size_t index_of(priority of) { return static_cast<std::size_t>(of); }

private:
  using line = std::deque<entry>; // in order of arrival

  struct started {
    std::uint64_t key = 0;
    std::uint64_t period = 0; // of the breaker
    bool counted = false;     // as a failure
  };

  /// Whose turn it is among the classes.
  class rounds {
  public:
    /// Of the classes in which somebody may start; nothing where there are none.
    std::optional<std::size_t> next(const std::array<line, classes>& of);
    void took(std::size_t at) { --left_[at]; }

  private:
    std::array<unsigned, classes> left_ = turns_of;
  };

  struct key_state {
    bool taken = false;
    std::array<line, classes> lines;
    std::optional<std::size_t> shown; // the class whose first one stands in `ready_`
    rounds turns;
  };

  bool may_start(boot_time now) const;
  boot_time next_token() const;
  void stand(const entry& one);
  void show_next(std::uint64_t key);
  void hide_next(key_state& of);
  void count_failure(boot_time now);

  const detail::service_type* type_;
  /// Who may start as far as keys go: those without, and of each free key one.
  std::array<line, classes> ready_;
  std::unordered_map<std::uint64_t, key_state> keys_; // that somebody has who waits or runs
  std::array<std::size_t, classes> waiting_{};
  std::unordered_map<message_id, started> running_;
  std::uint64_t last_arrival_ = 0;
  rounds turns_;
  std::size_t named_ = classes;          // the class of who was named last
  std::chrono::nanoseconds interval_{0}; // between two tokens; 0: no rate
  boot_time full_at_;                    // when the bucket will be full
  bool paused_ = false;
  std::uint32_t failures_ = 0; // in a row
  std::optional<boot_time> open_until_;
  bool tries_ = false;       // one runs to see whether the breaker may close
  std::uint64_t period_ = 0; // counts openings and closings
  std::uint64_t times_opened_ = 0;
};

/// What is wrong with the rate, the breaker, the keys and the priorities of a service; empty if nothing is.
std::string objection_to_turns(const detail::service_type& type);

} // namespace continuo::engine
