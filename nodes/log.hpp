#pragma once

#include <continuo/context.hpp>

#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace continuo::nodes {

/// The application's logger as the node sees it; without one, a logger of the node's own to standard error,
/// of level `warn`.
std::shared_ptr<detail::log_sink> make_log(std::shared_ptr<spdlog::logger> given, const std::string& node);

} // namespace continuo::nodes
