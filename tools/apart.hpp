#pragma once

#include <functional>
#include <string>

namespace continuo::tools {

/// Runs a command in a process of its own, so that what it reads cannot end the program without a word: the
/// storage engine ends the process where files are damaged in a way that their checksums do not show. The
/// command's exit code; 3 and a sentence about `what` where its process was ended by a fault. It ends with
/// this one, and gets its signals. Returns in both processes, so that both end in order: nothing may be done
/// behind it but to return. @pre no other thread runs
int run_apart(const std::string& what, const std::function<int()>& command);

} // namespace continuo::tools
