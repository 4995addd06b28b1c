#pragma once

#include <filesystem>
#include <string>

/// `continuo journal ...`: work on the data directory of a node that does not run.
namespace continuo::tools {

/// The way out of an amnesia stop: accepts that what the store in `data` does not hold is lost. It gets a new
/// id, which the peers take in place of the old one. Returns the exit code of the program.
int accept_loss(const std::filesystem::path& data);

} // namespace continuo::tools
