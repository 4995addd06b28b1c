#include "tools/http_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

namespace continuo::tools {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;

constexpr std::uint64_t body_bytes_max = 64u << 20;

result<http_answer> ask(const http_address& at, wire::request<wire::string_body> asked,
                        std::chrono::milliseconds patience) {
  const auto trouble = [&](const beast::error_code& why) {
    return fail(errc::unavailable,
                fmt::format("{}:{} {}", at.host, at.port,
                            why == beast::error::timeout
                                ? fmt::format("does not answer within {} ms", patience.count())
                                : fmt::format("cannot be asked: {}", why.message())));
  };
  asio::io_context context{1};
  beast::error_code failed;
  const auto found = asio::ip::tcp::resolver{context}.resolve(at.host, std::to_string(at.port), failed);
  if (failed) {
    return trouble(failed);
  }
  beast::tcp_stream stream{context};
  stream.expires_after(patience); // for all of it together
  asked.set(wire::field::host, fmt::format("{}:{}", at.host, at.port));
  asked.set(wire::field::connection, "close");
  wire::response_parser<wire::string_body> answer;
  answer.body_limit(body_bytes_max);
  beast::flat_buffer buffer;
  const auto end = [&](beast::error_code why, std::size_t) { failed = why; };
  stream.async_connect(found, [&](beast::error_code why, const asio::ip::tcp::endpoint&) {
    if (why) {
      return end(why, 0);
    }
    wire::async_write(stream, asked, [&](beast::error_code lost, std::size_t) {
      if (lost) {
        return end(lost, 0);
      }
      wire::async_read(stream, buffer, answer, end);
    });
  });
  context.run();
  if (failed && failed != wire::error::end_of_stream) {
    return trouble(failed);
  }
  return http_answer{answer.get().result_int(), std::move(answer.get().body())};
}

} // namespace

result<http_answer> http_get(const http_address& at, const std::string& target,
                             std::chrono::milliseconds patience) {
  return ask(at, wire::request<wire::string_body>{wire::verb::get, target, 11}, patience);
}

result<http_answer> http_post(const http_address& at, const std::string& target, std::string body,
                              const std::string& token, std::chrono::milliseconds patience) {
  wire::request<wire::string_body> asked{wire::verb::post, target, 11};
  asked.set(wire::field::content_type, "application/json");
  if (!token.empty()) {
    asked.set(wire::field::authorization, "Bearer " + token);
  }
  asked.body() = std::move(body);
  asked.prepare_payload();
  return ask(at, std::move(asked), patience);
}

} // namespace continuo::tools
