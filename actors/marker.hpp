#pragma once

#include <continuo/ids.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace continuo::actors {

/// What a thread was running when the process ended.
struct suspect {
  instance_id instance;
  message_id message;

  friend bool operator==(const suspect&, const suspect&) = default;
};

/// A small mapped file in which each thread notes what it is about to run, and clears the note afterwards. It
/// is not synced: the page cache outlives the process, and a machine that loses power has not been brought
/// down by a handler. Any thread; a note takes some tens of nanoseconds.
class marker {
public:
  /// Maps `path`, which is created if missing. `found()` then holds what an unclean end left, and the file is
  /// clear.
  static result<std::unique_ptr<marker>> open(const std::string& path);

  ~marker();
  marker(const marker&) = delete;
  marker& operator=(const marker&) = delete;

  /// What ran when the process that had the file before ended uncleanly.
  const std::vector<suspect>& found() const { return found_; }

  /// A note for as long as it lives.
  class note {
  public:
    note(marker* in, const instance_id& instance, const message_id& message);
    ~note();
    note(const note&) = delete;
    note& operator=(const note&) = delete;

  private:
    marker* in_;
    std::size_t slot_;
  };

private:
  struct slot;
  static constexpr std::size_t slots_max = 128;

  explicit marker(slot* slots) : slots_(slots) {}

  slot* slots_;
  std::vector<suspect> found_;
};

} // namespace continuo::actors
