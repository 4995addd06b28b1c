#pragma once

#include "actors/span.hpp"
#include "nodes/http/endpoint.hpp"

#include <continuo/result.hpp>

#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace continuo::nodes {

/// Where spans go.
struct span_target {
  std::filesystem::path file; ///< lines are added; empty: no file
  std::string url;            ///< of an HTTP collector, `http://HOST:PORT/v1/traces`; empty: none
};

/// Writes spans as OTLP JSON (OpenTelemetry Protocol 1.0, ExportTraceServiceRequest): a line of a file, or a
/// POST to a collector, for some hundreds of them or for those of a second. On a thread of its own; whoever
/// tells a span never waits. Beyond `queue_max` waiting spans, and where the target cannot be written, spans
/// are dropped, which is logged once until it works again.
class span_writer {
public:
  static constexpr std::size_t queue_max = 10'000;

  /// `errc::invalid_configuration` where the file cannot be opened.
  static result<std::unique_ptr<span_writer>> start(const span_target& target, std::string node,
                                                    std::function<void(const std::string&)> complain);

  /// Writes what waits, for two seconds at most.
  ~span_writer();
  span_writer(const span_writer&) = delete;
  span_writer& operator=(const span_writer&) = delete;

  /// Any thread; never blocks for long.
  void take(actors::span&& one);

private:
  span_writer(std::string node, std::function<void(const std::string&)> complain);
  void run();
  void write(const std::vector<actors::span>& spans);
  void say(const std::string& trouble);

  std::string node_;
  std::function<void(const std::string&)> complain_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, std::fclose};
  std::unique_ptr<http::endpoint> collector_;
  std::string collector_path_;
  bool said_ = false; // of the thread

  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::vector<actors::span> waiting_;
  std::size_t dropped_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

} // namespace continuo::nodes
