#pragma once

#include <continuo/detail/language.hpp>

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace continuo {

/// What can go wrong in ways that a caller is expected to handle. Each code says whether the same call may
/// succeed later (`is_retryable`), the HTTP status it becomes (`http_status`) and, where it ends a node
/// program, the exit code (`exit_code`).
enum class errc : std::uint8_t {
  /// Bytes or text not of the shape that their type demands, or too many; the message names the place.
  malformed = 1,
  /// A message type, service, saga or field that nobody registered.
  unknown_type,
  /// Bytes written by a newer class version, record format or program than this one.
  newer_version,
  /// A definition, a registration or an argument that contradicts itself or another one.
  invalid_definition,
  /// A configuration that cannot be run: names file, line, key and what would be right.
  invalid_configuration,
  /// No instance, command or dead letter of that name.
  not_found,
  /// The present status forbids it, or another value stands there already.
  conflict,
  /// A bound was reached (in flight, disk reserve): try again later.
  overloaded,
  /// The time given ran out; what was asked for may still happen.
  timed_out,
  /// The node is not started, stopping or stopped.
  unavailable,
  /// Stored bytes fail their checksum or their structure; the message names file and place.
  corrupt,
  /// A write, sync or read failed: what was being written may or may not be there after a restart.
  storage_failed,
  /// The disk or quota is full; as `storage_failed`.
  storage_full,
  /// The peers know more of this store than it holds, or another node holds this name.
  identity,
  /// Another process holds the data directory.
  in_use,
  /// A network address is taken.
  address_in_use,
  /// A handler of the application failed (threw, timed out).
  handler_failed,
};

/// The code's name as it stands in logs and JSON (`"malformed"`).
std::string_view to_string(errc code);

/// Whether the same call may succeed later without a change by the caller.
bool is_retryable(errc code);

/// The HTTP status that the code becomes at the edge: one of 400, 404, 409, 429, 503 or, for trouble of the
/// node itself, 503.
int http_status(errc code);

/// The exit code of a node program that ends for this reason (0 where none is assigned): 2 configuration or
/// definitions, 3 corrupt data, 4 disk, 5 identity, 6 directory in use, 7 address in use.
int exit_code(errc code);

/// An expected failure: a code to decide by and one sentence for people that says where and what to do.
struct error {
  errc code = errc::malformed;
  std::string message;

  friend bool operator==(const error&, const error&) = default;
};

/// A value or the reason why there is none.
template <class T>
using result = tl::expected<T, error>;

/// Makes the failed side of any `result`.
[[nodiscard]] inline tl::unexpected<error> fail(errc code, std::string message) {
  return tl::unexpected<error>(error{code, std::move(message)});
}

} // namespace continuo
