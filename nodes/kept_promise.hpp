#pragma once

#include <continuo/result.hpp>

#include <future>
#include <utility>

namespace continuo::detail {

/// What the holder of a promise is told whose node has ended.
inline error ended_before_answer() {
  return {errc::unavailable,
          "the node ended before it could answer: what was asked for may have happened or not; ask "
          "again after its next start"};
}

/// A promise that is always kept: if the node ends without an answer, its holder is told so.
template <class T>
class kept_promise {
public:
  kept_promise() = default;
  kept_promise(const kept_promise&) = delete;
  kept_promise& operator=(const kept_promise&) = delete;

  ~kept_promise() {
    if (!kept_) {
      promise_.set_value(tl::unexpected(ended_before_answer()));
    }
  }

  std::future<result<T>> future() { return promise_.get_future(); }

  /// @pre called once
  void keep(result<T> value) {
    kept_ = true;
    promise_.set_value(std::move(value));
  }

private:
  std::promise<result<T>> promise_;
  bool kept_ = false;
};

} // namespace continuo::detail
