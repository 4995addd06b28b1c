#pragma once

#include <string>
#include <string_view>

namespace continuo {

/// Text as a log or a terminal may show it. What ends a line, steers a terminal (C0, C1, DEL) or turns the
/// direction of text around (the marks of Unicode's UAX #9) is written as `\n` or `\xNN`, and so is what is
/// no UTF-8; all else stays as it is.
std::string printable(std::string_view text);

/// The same of text that has lines of its own: what ends them stays, and tabs. A text from elsewhere goes
/// through `printable` before it becomes part of one, so that it does not make lines.
std::string printable_lines(std::string_view text);

/// Whether `printable` leaves it as it is.
bool is_printable(std::string_view text);

} // namespace continuo
