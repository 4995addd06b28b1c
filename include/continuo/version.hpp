#pragma once

#include <continuo/detail/language.hpp>

#include <string_view>

namespace continuo {

/// The version of the library that is linked, as `major.minor.patch`. Callable from any thread at any time.
std::string_view version() noexcept;

} // namespace continuo
