#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace continuo::config {

/// What may stand behind a key.
enum class value_kind {
  text,        ///< a string that is not empty
  name,        ///< a string of letters, digits, `-` and `_`
  path,        ///< a string; relative to the folder of the file
  address,     ///< `"HOST:PORT"` that others use
  listener,    ///< `"HOST:PORT"` to listen at, which may stand for every address (`0.0.0.0`)
  url,         ///< `"http://HOST:PORT/PATH"`
  choice,      ///< a string (or, of CAF's keys, an atom) out of a few
  flag,        ///< `true` or `false`
  number,      ///< a whole number between `least` and `most`
  duration,    ///< a number with a unit between `least` and `most`, which are in milliseconds
  size,        ///< bytes, or a string with `KiB`, `MiB` or `GiB`, between `least` and `most` bytes
  texts,       ///< a list of strings
  names,       ///< a list of strings that are not empty, at least one, none twice
  environment, ///< a dictionary of strings
  refused,     ///< a key of CAF that is not the user's to set; `advice` says what is
};

/// One key that a cluster file may have.
struct known_key {
  std::string_view path; ///< a `*` stands for the name of a node, service or schedule
  value_kind kind;
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::int64_t step_ms = 1;   ///< durations are whole multiples of it
  std::string_view choices{}; ///< of a choice, with blanks between
  std::string_view advice{};  ///< of a refused key: what to do instead, as a clause
};

/// Every key there is, refused ones too.
std::span<const known_key> known_keys();

/// What stands behind the last point of `path`: `shards` of `nodes.payment.shards`.
std::string_view last_of(std::string_view path);

/// The pattern of `path` in the table: the name of the node, service or schedule becomes `*`.
std::string pattern_of(std::string_view path);

/// The key of that path, or null. `nodes.payment.shards` finds `nodes.*.shards`.
const known_key* find_key(std::string_view path);

/// Whether keys stand below `path`: it is `cluster`, `node`, `nodes`, `nodes.NAME`, `services`,
/// `services.NAME`, `schedules`, `schedules.NAME` or a section of CAF.
bool is_section(std::string_view path);

/// The known key (with the name in `path`) or, for sections, the section that is most like `path`, as
/// it is written (`nodes.NAME`); empty if none is like it.
std::string nearest_key(std::string_view path);
std::string nearest_section(std::string_view path);

} // namespace continuo::config
