#pragma once

#include "messages/frames.hpp"

#include <string>

namespace continuo::testing {

/// A frame in a few words; empty where it only shows life.
std::string text_of(const messages::frame& frame);

} // namespace continuo::testing
