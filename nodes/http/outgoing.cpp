#include "nodes/http/outgoing.hpp"

#include "config/http_url.hpp"
#include "engine/record.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace continuo::http {

namespace {

constexpr std::size_t shown_bytes_max = 200;

/// A key may hold anything, a header visible characters only.
std::string as_header(std::string_view text) {
  return config::percent_encoded(text,
                                 [](char letter) { return letter > ' ' && letter <= '~' && letter != '%'; });
}

/// How a body begins, on one line.
std::string beginning_of(const std::string& body) {
  auto shown = body.substr(0, shown_bytes_max);
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char letter) { return letter < ' ' || letter == 0x7f; }, ' ');
  return shown.empty() ? "an empty body" : shown + (body.size() > shown_bytes_max ? "..." : "");
}

/// The `reason` of a 422; null where there is none.
nlohmann::json reason_in(const std::string& body) {
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  const auto reason = parsed.is_object() ? parsed.find("reason") : parsed.end();
  return reason != parsed.end() && reason->is_string() ? *reason : nlohmann::json{};
}

} // namespace

std::string url_of(std::string_view url, std::string_view command_type) {
  return fmt::format("{}{}{}", url, url.ends_with('/') ? "" : "/", config::percent_encoded(command_type));
}

result<detail::handled> outcome_of(const std::string& url, const message_type& reply,
                                   const post_answer& answer) {
  if (answer.status / 100 == 2) {
    auto read = reply.from_json(answer.body);
    if (read) {
      return detail::handled{false, std::move(*read)};
    }
    return fail(errc::handler_failed,
                fmt::format("POST {}: {}, and the body is no {} ({}): {}", url, answer.status, reply.name,
                            read.error().message, beginning_of(answer.body)));
  }
  if (answer.status == 422) {
    if (const auto reason = reason_in(answer.body); !reason.is_null()) {
      return detail::handled{true, engine::bounded_reason(reason.get<std::string>())};
    }
    return fail(errc::handler_failed, fmt::format("POST {}: 422 without {{\"reason\": \"...\"}}: {}", url,
                                                  beginning_of(answer.body)));
  }
  return fail(errc::handler_failed,
              fmt::format("POST {}: {}: {}", url, answer.status, beginning_of(answer.body)));
}

void outgoing::serve(detail::command_handler& handler, std::chrono::milliseconds timeout) {
  const auto url = *config::read_http_url(handler.url);
  auto& at = endpoints_[{url.host, url.port}];
  if (!at) {
    at = std::make_shared<endpoint>(url.host, url.port);
  }
  handler.run = [at, timeout, target = url.target, text = handler.url, command = handler.command,
                 reply = handler.reply](std::string_view payload,
                                        command_context& context) -> result<detail::handled> {
    auto body = command->to_json(payload);
    if (!body) {
      return tl::unexpected(body.error());
    }
    post_request request{target, std::move(*body)};
    request.headers = {{"Idempotency-Key", as_header(context.idempotency_key())},
                       {"Continuo-Message-Type", as_header(command->name)},
                       {"Continuo-Attempt", std::to_string(context.attempt())},
                       {"Continuo-Instance", as_header(to_string(context.requester()))}};
    if (!context.trace_parent().empty()) {
      request.headers.emplace_back("traceparent", context.trace_parent());
    }
    const auto answer = at->post(request, timeout);
    if (!answer) {
      const auto& why = answer.error();
      const auto late =
          why.code == errc::timed_out ? fmt::format(" ({} ms)", timeout.count()) : std::string{};
      return fail(why.code == errc::unavailable ? errc::unavailable : errc::handler_failed,
                  fmt::format("POST {}: {}{}", text, why.message, late));
    }
    return outcome_of(text, *reply, *answer);
  };
}

void outgoing::stop() {
  for (const auto& [address, at] : endpoints_) {
    at->stop();
  }
}

} // namespace continuo::http
