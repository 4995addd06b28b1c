#pragma once

#include <continuo/ids.hpp>

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::actors {

/// What runs of the application on the node's workers: handlers of sagas, keyed instances and pure services,
/// and callbacks of clients, which have no type and the client's function as key. They decide and return, and
/// one that blocks keeps a worker from all else, and its instance from being shown; so somebody looks for
/// such ones and says it. Any thread.
class running_handlers {
public:
  /// @param before called before each of them begins, on its thread; null: nothing
  explicit running_handlers(void (*before)() = nullptr) : before_each_(before) {}

  /// One handler, for as long as it lives. What it names must live as long.
  class entry {
  public:
    entry(running_handlers& in, const instance_id& of, std::string_view message_type);
    ~entry();
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;

  private:
    friend class running_handlers;

    running_handlers* in_;
    const instance_id* of_;
    std::string_view message_type_;
    unsigned seen_ = 0; // so many looks have found it
    entry* before_ = nullptr;
    entry* next_ = nullptr;
  };

  struct slow {
    instance_id of;
    std::string message_type;
    unsigned looks = 0; ///< that have passed since the one that found it first
  };

  /// Those that must be told of: that run since the look before the last one, and again after each 60 looks.
  std::vector<slow> look();

private:
  void (*before_each_)();
  std::mutex mutex_;
  entry* first_ = nullptr;
};

} // namespace continuo::actors
