#pragma once

#include <continuo/result.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

/// The one way in which the library calls code that is not its own: handlers, functions that read keys or
/// make undo commands, a client's callbacks, `serialize` members, what the configuration has. Such code may
/// throw anything, and may call back into the node.
namespace continuo {

/// What the exception that is being handled says.
/// @pre called from a catch block
std::string what_was_thrown();

/// Whether this thread runs code of the application that some node has called. Whoever waits for the end of
/// that code would wait for itself.
bool in_application();

namespace detail {

/// While it lives this thread is in code of the application.
class application_scope {
public:
  application_scope();
  ~application_scope();
  application_scope(const application_scope&) = delete;
  application_scope& operator=(const application_scope&) = delete;
};

template <class T>
struct as_result {
  using type = result<T>;
};
template <class T>
struct as_result<result<T>> {
  using type = result<T>;
};

} // namespace detail

/// Calls code of the application and gives what it gives, a `result` as it is. What it throws becomes an
/// error of `code`; `what` are the parts of the words that stand in front of it ("on(order_placed): ").
template <class Call, class... Parts>
auto call_application(errc code, Call&& call, const Parts&... what) ->
    typename detail::as_result<std::invoke_result_t<Call&>>::type {
  try {
    const detail::application_scope inside;
    if constexpr (std::is_void_v<std::invoke_result_t<Call&>>) {
      call();
      return {};
    } else {
      return call();
    }
  } catch (...) {
    std::string said;
    ((said += std::string_view{what}), ...);
    return fail(code, said += what_was_thrown());
  }
}

} // namespace continuo
