#pragma once

#include <continuo/ids.hpp>
#include <continuo/result.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace continuo::actors {

/// What waits since this program does not know it: messages of a type, or of a newer version of one, that
/// another program sent. They stay with their senders until this node starts with a program that knows them.
/// In memory only. Any thread.
class unknown_board {
public:
  /// Notes that `receiver` (a service or saga) does not know the message `id`. Whether it is the first one of
  /// this type for this receiver, which is to be logged. Beyond the `types_max` first ones it is only
  /// counted: a peer may make up as many as it likes.
  bool note(const std::string& receiver, const std::string& type, const message_id& id, const error& why);

  /// Why that message waits; nothing where it does not, or is beyond the first ones: `types_max` of types,
  /// `names_max` of messages.
  std::optional<std::string> reason_of(const message_id& id) const;

  /// How many messages that receiver did not know, those that came again included.
  std::uint64_t count_of(const std::string& receiver) const;

  static constexpr std::size_t types_max = 1'000;

private:
  static constexpr std::size_t names_max = 10'000;

  mutable std::mutex mutex_;                                           // guards what follows
  std::map<std::pair<std::string, std::string>, std::string> reasons_; // by receiver and type
  std::unordered_map<message_id, const std::string*> of_;              // into `reasons_`
  std::map<std::string, std::uint64_t> counts_;
};

} // namespace continuo::actors
