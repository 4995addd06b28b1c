#pragma once

#include "messages/frames.hpp"

#include <continuo/result.hpp>

#include <cstddef>
#include <string_view>

namespace continuo::messages {

/// The longest name of a message's type.
constexpr std::size_t type_bytes_max = 1'024;

/// The longest question of one node to another.
constexpr std::size_t question_bytes_max = 16u << 20;

/// Whether what another node says keeps the bounds that hold for everybody: lengths of names and keys, which
/// are printable (`key_bytes_max`, `name_bytes_max`), and numbers of entries. `errc::malformed` says which
/// does not.
result<void> check_bounds(const frame& said);

/// What another node says, within these bounds: what is read of it takes little more memory than the bytes.
/// `errc::malformed`, or `errc::newer_version`, as `decode`.
result<frame> read_frame(std::string_view bytes);

} // namespace continuo::messages
