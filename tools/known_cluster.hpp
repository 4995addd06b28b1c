#pragma once

#include "config/cluster_file.hpp"
#include "tools/http_client.hpp"

#include <continuo/result.hpp>

#include <filesystem>
#include <optional>
#include <string_view>

/// What the tools know of a cluster whose nodes they ask.
namespace continuo::tools {

/// The cluster file, in the current directory, that is read where nothing names another.
inline constexpr const char* default_configuration = "continuo.conf";

/// Reads the cluster file of that name; the default one where it is empty, and nothing if that is not there.
result<std::optional<config::cluster_file>> read_known_cluster(const std::filesystem::path& file);

/// A node that is named by its URL. Only if its address stands in the cluster file does it get the file's
/// token, and is it asked as the file says: whoever named it may be anybody. `errc::invalid_configuration`
/// for a text that is no URL, or another scheme than that of the file.
result<node_address> find_address(const std::optional<config::cluster_file>& known, std::string_view url);

} // namespace continuo::tools
