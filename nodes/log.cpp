#include "nodes/log.hpp"

#include "messages/application.hpp"
#include "messages/printable.hpp"
#include "nodes/scheduler.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdio>

namespace continuo::nodes {

namespace {

spdlog::level::level_enum to_spdlog(log_level level) {
  switch (level) {
  case log_level::trace:
    return spdlog::level::trace;
  case log_level::debug:
    return spdlog::level::debug;
  case log_level::info:
    return spdlog::level::info;
  case log_level::warn:
    return spdlog::level::warn;
  case log_level::error:
    break;
  }
  return spdlog::level::err;
}

class spdlog_sink : public detail::log_sink {
public:
  explicit spdlog_sink(std::shared_ptr<spdlog::logger> to) : to_(std::move(to)) {}

  bool enabled(log_level level) const override { return to_->should_log(to_spdlog(level)); }

  // spdlog catches what is a std::exception, and hands it to an error handler that may be the application's.
  // Keys, reasons and what applications log may hold anything.
  void write(log_level level, std::string_view line) override {
    const auto text = printable(line);
    let_others_work(); // the application's sinks may block
    const auto written = call_application(
        errc::handler_failed, [&] { to_->log(to_spdlog(level), text); }, "the logger failed: ");
    if (!written) {
      std::fputs(
          fmt::format("{}; what it was to write: {}\n", printable(written.error().message), text).c_str(),
          stderr);
    }
  }

private:
  std::shared_ptr<spdlog::logger> to_;
};

} // namespace

std::shared_ptr<detail::log_sink> make_log(std::shared_ptr<spdlog::logger> given, const std::string& node) {
  if (!given) {
    // Not registered with spdlog: a library keeps no global state.
    given = std::make_shared<spdlog::logger>(node, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    given->set_level(spdlog::level::warn);
  }
  return std::make_shared<spdlog_sink>(std::move(given));
}

} // namespace continuo::nodes
