#include "nodes/http/request_reader.hpp"

#include "nodes/http/parsing.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <fmt/format.h>

#include <cassert>
#include <cctype>
#include <string>

namespace continuo::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;

/// What a connection keeps for its next request.
constexpr std::size_t kept_bytes = 16'384;

std::string lower(std::string_view text) {
  std::string made{text};
  for (auto& letter : made) {
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return made;
}

std::string_view view_of(beast::string_view text) {
  return {text.data(), text.size()};
}

} // namespace

request_reader::request_reader(const server_limits& limits)
    : header_bytes_max_(limits.header_bytes), body_bytes_max_(limits.body_bytes),
      rest_(limits.header_bytes + limits.rest_bytes) {
  begin();
}

std::size_t request_reader::room() const {
  return rest_.max_size() - rest_.size();
}

void request_reader::add(std::string_view bytes) {
  assert(bytes.size() <= room());
  rest_.commit(asio::buffer_copy(rest_.prepare(bytes.size()), asio::buffer(bytes)));
}

std::size_t request_reader::held() const {
  return rest_.size() + (parser_->is_header_done() ? parser_->get().body().size() : 0);
}

void request_reader::begin() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(header_bytes_max_));
  parser_->body_limit(body_bytes_max_);
  header_found_ = false;
  header_bytes_ = 0;
  asked_ = {};
  if (rest_.size() == 0 && rest_.capacity() > kept_bytes) {
    rest_.shrink_to_fit();
  }
}

bool request_reader::has_begun() const {
  return rest_.size() > 0 || parser_->got_some();
}

request_reader::found request_reader::go_on() {
  beast::error_code failed;
  if (header_found_) {
    // A large one has room for all that is taken at once: what it does not use costs nothing, but growing it
    // by halves would leave as much again behind.
    auto& body = parser_->get().body();
    if (body.size() > kept_bytes && body.capacity() < body_bytes_max_) {
      body.reserve(body_bytes_max_);
    }
  }
  const auto before = rest_.size();
  put(*parser_, rest_, failed);
  if (!header_found_) {
    header_bytes_ += before - rest_.size();
  }
  // Beast counts the first line or does not, depending on the pieces.
  if (!failed && header_bytes_ > header_bytes_max_) {
    failed = wire::error::header_limit;
  }
  if (failed) {
    refuse(failed);
  } else if (!header_found_ && parser_->is_header_done()) {
    header_found_ = true;
    read_header();
    if (!refusal_) {
      return found::header;
    }
  } else if (parser_->is_done()) {
    return found::request;
  } else if (room() == 0) {
    refuse(431, "too_large", "the header of a chunk, or a trailer, is too large: leave them out");
  }
  return refusal_ ? found::nothing_good : found::nothing;
}

/// The fields now: those of a trailer, which come behind the body, are put to them.
void request_reader::read_header() {
  const auto& message = parser_->get();
  keep_alive_ = message.keep_alive();
  version_ = message.version();
  is_head_ = message.method() == wire::verb::head;
  asked_.method = std::string{message.method_string()};
  const auto hosts = message.count(wire::field::host);
  if (hosts > 1 || (hosts == 0 && version_ >= 11)) {
    refuse(400, "bad_request", "a request has one Host header");
    return;
  }
  // What is not understood would be read as the next request: RFC 9112, 6.1.
  if (message.count(wire::field::transfer_encoding) > 0 &&
      !beast::iequals(message[wire::field::transfer_encoding], "chunked")) {
    refuse(400, "bad_request", "the only Transfer-Encoding that is understood is chunked");
    return;
  }
  if (const auto wrong = read_target(view_of(message.target()), asked_); !wrong.empty()) {
    refuse(400, "bad_request", wrong);
    return;
  }
  for (const auto& field : message) {
    const auto value = view_of(field.value());
    const auto [header, is_new] = asked_.headers.try_emplace(lower(view_of(field.name_string())), value);
    if (!is_new) { // RFC 9110, 5.3
      header->second.append(", ").append(value);
    }
  }
}

request request_reader::take() {
  auto taken = std::move(asked_);
  taken.body = std::move(parser_->get().body());
  return taken;
}

void request_reader::drop() {
  parser_.emplace();
  rest_.clear();
  rest_.shrink_to_fit();
  asked_ = {};
}

bool request_reader::waits_for_word() const {
  return version_ >= 11 && !parser_->is_done() &&
         beast::iequals(parser_->get()[wire::field::expect], "100-continue");
}

void request_reader::refuse(beast::error_code why) {
  if (why == wire::error::body_limit) {
    refuse(413, "too_large", fmt::format("the body is larger than {} bytes: send less", body_bytes_max_));
  } else if (why == wire::error::header_limit) {
    refuse(431, "too_large", fmt::format("the header is larger than {} bytes: send less", header_bytes_max_));
  } else {
    refuse(400, "bad_request", fmt::format("this is no HTTP/1.1 request: {}", why.message()));
  }
}

void request_reader::refuse(unsigned status, std::string_view code, std::string_view message) {
  keep_alive_ = false;
  refusal_ = error_response(status, code, message);
}

} // namespace continuo::http
