// What a client may send, as one request to a node that runs the order workflow in memory: it is answered,
// once, never with a 500, and a refusal says what is wrong. Lines of the input: method and target, headers, a
// blank line, the body.

#include "nodes/http/api.hpp"
#include "nodes/runtime.hpp"
#include "tests/fuzz/claim.hpp"
#include "tests/nodes/shop.hpp"

#include <nlohmann/json.hpp>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

namespace {

using namespace continuo;

/// One for the whole run: to start a node takes longer than a thousand requests.
class subject {
public:
  subject() : runtime_(std::make_shared<detail::node_runtime>(node_config::in_memory())) {
    runtime_->host(tests::shop_payment().describe());
    runtime_->host(tests::shop_warehouse().describe());
    runtime_->host(saga<tests::fulfilment>::describe());
    claim(runtime_->start().has_value(), "the node starts");
    api_.emplace(runtime_, std::string{});
    handle_ = api_->answers();
  }

  http::response ask(http::request&& asked) {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<http::response> said;
    handle_(std::move(asked), [&](http::response answer) {
      const std::lock_guard lock{mutex};
      claim(!said, "a request is answered once");
      said = std::move(answer);
      changed.notify_all();
    });
    std::unique_lock lock{mutex};
    claim(changed.wait_for(lock, std::chrono::seconds{8}, [&] { return said.has_value(); }),
          "a request is answered");
    return std::move(*said);
  }

private:
  std::shared_ptr<detail::node_runtime> runtime_;
  std::optional<http::api> api_;
  http::handler handle_;
};

std::string_view take_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static subject& node = *new subject; // never ended: the fuzzer leaves by exit
  std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto first = take_line(text);
  const auto blank = first.find(' ');
  http::request asked;
  asked.method = std::string{first.substr(0, blank)};
  if (blank == std::string_view::npos || !http::read_target(first.substr(blank + 1), asked).empty()) {
    return 0;
  }
  while (!text.empty()) {
    const auto line = take_line(text);
    if (line.empty()) {
      break;
    }
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
      asked.headers[std::string{line.substr(0, colon)}] = std::string{line.substr(colon + 1)};
    }
  }
  asked.body = std::string{text};
  asked.query.erase("wait"); // it would wait
  const auto answer = node.ask(std::move(asked));
  claim(answer.status != 500, "never a 500");
  claim(answer.status >= 200 && answer.status < 600, "a status of HTTP");
  if (answer.status >= 400) {
    const auto body = nlohmann::json::parse(answer.body, nullptr, false);
    claim(body.is_object() && body.contains("error") && body["error"]["message"].is_string() &&
              !body["error"]["message"].get<std::string>().empty(),
          "a refusal says what is wrong");
  }
  return 0;
}
