#pragma once

#include "messages/frames.hpp"

#include <continuo/result.hpp>

namespace continuo::messages {

/// Whether what another node says keeps the bounds that hold for everybody: lengths of names and keys, which
/// are printable (`key_bytes_max`, `name_bytes_max`), and numbers of entries. `errc::malformed` says which
/// does not.
result<void> check_bounds(const frame& said);

} // namespace continuo::messages
