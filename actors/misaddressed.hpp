#pragma once

#include "actors/core.hpp"

#include <continuo/result.hpp>

#include <string_view>

namespace continuo::actors {

/// Why nobody would hear a message of this type if it were published: it is a command, a reply, a state or
/// something else that no saga and no service subscribes to.
/// @pre `!shared.routes.knows_event(type)`
error not_an_event(const core& shared, std::string_view type);

/// Why no service can be sent a message of this type.
/// @pre `!shared.routes.knows_command(type)`
error not_a_command(const core& shared, std::string_view type);

} // namespace continuo::actors
