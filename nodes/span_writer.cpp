#include "nodes/span_writer.hpp"

#include "config/http_url.hpp"
#include "engine/trace.hpp"
#include "journal/files.hpp"
#include "nodes/threads.hpp"

#include <continuo/version.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace continuo::nodes {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t spans_at_once = 500;
constexpr std::chrono::milliseconds longest_wait{1'000};
constexpr std::chrono::milliseconds collector_patience{2'000};

json attribute(const std::string& key, const std::string& value) {
  return {{"key", key}, {"value", {{"stringValue", value}}}};
}

std::string nanoseconds(time_point at) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count());
}

json span_json(const actors::span& one) {
  json made{{"traceId", engine::trace_id_in(one.parent)}, {"spanId", engine::span_text(one.id)}};
  if (!one.begins) {
    made["parentSpanId"] = engine::span_id_in(one.parent);
  }
  made["name"] = one.name;
  made["kind"] = 1; // internal
  made["startTimeUnixNano"] = nanoseconds(one.began);
  made["endTimeUnixNano"] = nanoseconds(one.ended);
  made["attributes"] = json::array();
  for (const auto& [key, value] : one.attributes) {
    made["attributes"].push_back(attribute(key, value));
  }
  made["status"] = one.failed ? json{{"code", 2}} : json::object();
  return made;
}

} // namespace

result<std::unique_ptr<span_writer>> span_writer::start(const span_target& target, std::string node,
                                                        std::function<void(const std::string&)> complain) {
  std::unique_ptr<span_writer> made{new span_writer{std::move(node), std::move(complain)}};
  if (!target.file.empty()) {
    auto placed = journal::make_directory(target.file.parent_path(), 0755);
    auto file = placed ? journal::open_file(target.file, journal::file_use::append)
                       : result<journal::descriptor>{tl::unexpected(placed.error())};
    if (!file) {
      return fail(errc::invalid_configuration,
                  fmt::format("the trace-file cannot be opened for writing: {}", file.error().message));
    }
    made->file_.reset(::fdopen(file->get(), "a"));
    if (!made->file_) {
      return fail(errc::overloaded, "no memory for the trace-file");
    }
    file->release();
  }
  if (!target.url.empty()) {
    const auto url = config::read_http_url(target.url);
    if (!url) {
      return tl::unexpected(url.error());
    }
    made->collector_ = std::make_unique<http::endpoint>(url->host, url->port);
    made->collector_path_ = url->target;
  }
  auto thread = start_thread("spans", [writer = made.get()] { writer->run(); });
  if (!thread) {
    return tl::unexpected(std::move(thread.error()));
  }
  made->thread_ = std::move(*thread);
  return made;
}

span_writer::span_writer(std::string node, std::function<void(const std::string&)> complain)
    : node_(std::move(node)), complain_(std::move(complain)) {}

span_writer::~span_writer() {
  {
    const std::lock_guard lock{mutex_};
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void span_writer::take(actors::span&& one) {
  const std::lock_guard lock{mutex_};
  if (waiting_.size() >= queue_max) {
    ++dropped_;
    return;
  }
  waiting_.push_back(std::move(one));
  if (waiting_.size() == spans_at_once) {
    changed_.notify_all();
  }
}

void span_writer::run() {
  for (bool more = true; more;) {
    std::vector<actors::span> spans;
    std::size_t dropped = 0;
    {
      std::unique_lock lock{mutex_};
      changed_.wait_for(lock, longest_wait, [this] { return ending_ || waiting_.size() >= spans_at_once; });
      spans.swap(waiting_);
      dropped = std::exchange(dropped_, 0);
      more = !ending_;
    }
    if (dropped > 0) {
      say(fmt::format("{} spans are lost: more came than could be written", dropped));
    }
    if (!spans.empty()) {
      write(spans);
    }
  }
}

void span_writer::write(const std::vector<actors::span>& spans) {
  auto all = json::array();
  for (const auto& one : spans) {
    all.push_back(span_json(one));
  }
  const json resource{{"attributes", json::array({attribute("service.name", node_)})}};
  const json scope{{"name", "continuo"}, {"version", std::string{version()}}};
  const json request{
      {"resourceSpans",
       json::array(
           {json{{"resource", resource},
                 {"scopeSpans", json::array({json{{"scope", scope}, {"spans", std::move(all)}}})}}})}};
  const auto text = request.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string trouble;
  if (file_) {
    const auto line = text + '\n';
    if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() ||
        std::fflush(file_.get()) != 0) {
      std::clearerr(file_.get());
      trouble = "the trace-file cannot be written";
    }
  }
  if (collector_) {
    const auto answer = collector_->post({collector_path_, text}, collector_patience);
    if (!answer || answer->status / 100 != 2) {
      trouble =
          fmt::format("the collector of traces {}", answer ? fmt::format("answers {}", answer->status)
                                                           : "cannot be reached: " + answer.error().message);
    }
  }
  if (trouble.empty()) {
    said_ = false;
  } else {
    say(fmt::format("{} spans are lost: {}", spans.size(), trouble));
  }
}

void span_writer::say(const std::string& trouble) {
  if (!std::exchange(said_, true)) {
    complain_(trouble);
  }
}

} // namespace continuo::nodes
