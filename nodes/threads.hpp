#pragma once

#include <continuo/result.hpp>

#include <cstddef>
#include <functional>
#include <thread>

namespace continuo::nodes {

/// Starts a thread of that name. `errc::overloaded` where the system has none for this process (a limit on
/// its processes, or of the container that it runs in); nothing was started then.
result<std::thread> start_thread(const char* name, std::function<void()> work);

/// Whether so many threads more can be had at the same time: they are started, and end. For code of others
/// that ends the process where it gets none.
result<void> look_for_threads(std::size_t count);

} // namespace continuo::nodes
