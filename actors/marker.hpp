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
  bool proven = false; ///< that thread ended the process: by a fatal signal, or by `exit`

  friend bool operator==(const suspect&, const suspect&) = default;
};

/// A small mapped file in which each thread notes what it is about to run, and clears the note afterwards. It
/// is not synced: the page cache outlives the process, and a machine that loses power has not been brought
/// down by a handler. Any thread; a note takes some tens of nanoseconds.
///
/// Where a thread with a note ends the process, the note says so: on SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS
/// and SIGABRT (which `std::terminate` and a failed `assert` come to), and in `exit` and `quick_exit`. The
/// first marker of a process installs handlers for these, for good, which hand on to those that were there
/// before. An end by `_exit` or SIGKILL, from outside or for want of memory, leaves the notes as they are.
class marker {
public:
  /// Maps `path`, which is created if missing. `found()` then holds what an unclean end left, and the file is
  /// clear.
  static result<std::unique_ptr<marker>> open(const std::string& path);

  ~marker();
  marker(const marker&) = delete;
  marker& operator=(const marker&) = delete;

  /// What ran when the process that had the file before ended uncleanly: that which ended it alone, where
  /// that is known; nothing where the process ended by an `exit` elsewhere.
  const std::vector<suspect>& found() const { return found_; }

  /// Clears all notes: the process ends in order, and none of them has ended it.
  void forgive();

  /// A note for as long as it lives. On the thread that made it.
  class note {
  public:
    note(marker* in, const instance_id& instance, const message_id& message);
    ~note();
    note(const note&) = delete;
    note& operator=(const note&) = delete;

  private:
    marker* in_;
    std::size_t slot_;
    void* before_ = nullptr; // the thread's note before this one
  };

  struct slot;

private:
  static constexpr std::size_t slots_max = 1'024;

  explicit marker(slot* slots) : slots_(slots) {}

  slot* slots_;
  std::vector<suspect> found_;
};

} // namespace continuo::actors
