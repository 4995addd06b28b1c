#pragma once

#include "engine/flow_entry.hpp"

#include <continuo/context.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

/// What people are told of a workflow's steps.
namespace continuo::detail {

std::string shown(std::string_view name);
std::string shown(const engine::begun_step& step);
std::string shown(std::chrono::nanoseconds time);

/// How two runs that should do the same part; empty: they do not.
std::string difference(const intents& first, const intents& second);
std::string difference(const std::vector<engine::begun_step>& first,
                       const std::vector<engine::begun_step>& second);

} // namespace continuo::detail
