#include "tools/http_client.hpp"

#include "journal/files.hpp"
#include "nodes/http/addresses.hpp"
#include "nodes/http/channel.hpp"
#include "nodes/http/server.hpp"
#include "tools/connection_users.hpp"

#include <continuo/detail/times.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

namespace continuo::tools {

namespace {

constexpr std::size_t token_bytes_max = 4'096;

/// What the node asks for, the first line of its file; empty where it asks for none.
result<std::string> read_token(const node_address& at) {
  const auto& file = at.token_file;
  std::error_code unknown; // what cannot be looked at cannot be read: that is said
  if (file.empty() || (at.token_may_be_missing &&
                       symlink_status(file, unknown).type() == std::filesystem::file_type::not_found)) {
    return std::string{};
  }
  const auto wrong = [&](const std::string& what) {
    return fail(errc::invalid_configuration, fmt::format("the token file {} {}", file.string(), what));
  };
  auto read = journal::read_small_file(file, token_bytes_max, journal::links::followed);
  if (!read) {
    return wrong(read.error().code == errc::not_found ? "cannot be read"
                                                      : "cannot be read: " + read.error().message);
  }
  auto text = std::move(*read);
  text.erase(std::min(text.find('\n'), text.size()));
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  if (text.empty() || text.size() > token_bytes_max ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; })) {
    return wrong("does not begin with a line of one token of visible characters");
  }
  return text;
}

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;

constexpr std::size_t header_bytes_max = 16u << 10;
constexpr std::uint64_t body_bytes_max = 64u << 20;

/// What must be read whole, such as a chunk's header or the trailers, has not much more room than a header.
constexpr std::size_t unread_bytes_max = header_bytes_max + 65'536;

/// Answers that only say that the true one comes later (RFC 9110, 15.2), before one gives up on it.
constexpr int interim_answers_max = 16;

using parser = wire::response_parser<wire::string_body>;

/// What a connection is checked with.
result<http::tls_context> context_for(const config::http_trust& trust) {
  auto made = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  auto* raw = made->native_handle();
  ERR_clear_error();
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 ||
      (trust.authority.empty() ? SSL_CTX_set_default_verify_paths(raw)
                               : SSL_CTX_load_verify_locations(raw, trust.authority.c_str(), nullptr)) != 1) {
    const auto* reason = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return fail(errc::invalid_configuration,
                fmt::format("the authority {} cannot be read: {}",
                            trust.authority.empty() ? std::string{"of the system"} : trust.authority.string(),
                            reason == nullptr ? "no reason is known" : reason));
  }
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  return made;
}

/// Has the certificate's name looked at in the handshake. False where OpenSSL refuses.
bool demand_name(SSL* of, const std::string& name) {
  auto* demands = SSL_get0_param(of);
  if (X509_VERIFY_PARAM_set1_ip_asc(demands, name.c_str()) == 1) {
    return true;
  }
  ERR_clear_error(); // it is no IP address
  X509_VERIFY_PARAM_set_hostflags(demands, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(demands, name.data(), name.size()) == 1 &&
         SSL_set_tlsext_host_name(of, name.c_str()) == 1;
}

/// One connection, for one call.
class exchange {
public:
  exchange(const node_address& at, std::chrono::milliseconds patience) : at_(at), patience_(patience) {}

  /// Connects, sends, and reads the header of the answer.
  result<void> run(const http_request& asked) {
    const auto deadline =
        detail::later(std::chrono::steady_clock::now(), patience_); // for all of it together
    const auto token = read_token(at_);
    if (!token) {
      return tl::unexpected(token.error());
    }
    if (auto secured = secure(); !secured) {
      return secured;
    }
    const std::atomic<bool> never{false};
    const auto found = http::addresses_of(at_.host, at_.port, deadline, never);
    if (!found) {
      return fail(errc::unavailable,
                  fmt::format("{} cannot be asked: {}", text_of(at_), found.error().message));
    }
    const auto sent = to_wire(asked, *token);
    stream_.below().expires_at(deadline);
    auto failed = await([&](auto done) { stream_.below().async_connect(*found, std::move(done)); });
    if (failed) {
      return trouble(failed);
    }
    if (auto honest = check_peer(*token); !honest) {
      return honest;
    }
    if (at_.trust) {
      failed =
          await([&](auto done) { stream_.async_handshake(asio::ssl::stream_base::client, std::move(done)); });
      if (failed) {
        return no_handshake(failed);
      }
    }
    failed = await([&](auto done) { wire::async_write(stream_, sent, std::move(done)); });
    // A server that refuses a body may answer and close before it has read all of it.
    if (failed && failed != asio::error::broken_pipe && failed != asio::error::connection_reset) {
      return trouble(failed);
    }
    for (int interim = 0; interim <= interim_answers_max; ++interim) {
      answer_.emplace();
      answer_->header_limit(header_bytes_max);
      answer_->body_limit(body_bytes_max);
      failed =
          await([&](auto done) { wire::async_read_header(stream_, buffer_, *answer_, std::move(done)); });
      if (failed) {
        return trouble(failed);
      }
      if (status() / 100 != 1) {
        return {};
      }
    }
    return fail(errc::unavailable, fmt::format("{} has sent more than {} interim answers and no other",
                                               text_of(at_), interim_answers_max));
  }

  /// Goes on with the body: `take` gets what has come. Ends with the answer or the connection, and where
  /// nothing comes for longer than a node is ever silent.
  /// @pre `run` has read the header
  result<void> read_on(const std::function<void(std::string_view)>& take) {
    constexpr std::chrono::seconds silence{25}; // a node says something every 10 s
    answer_->body_limit(boost::none);
    while (!answer_->is_done()) {
      stream_.below().expires_after(silence);
      const auto failed =
          await([&](auto done) { wire::async_read_some(stream_, buffer_, *answer_, std::move(done)); });
      auto& body = answer_->get().body();
      take(body);
      body.clear();
      if (failed) {
        return trouble(failed);
      }
    }
    return fail(errc::unavailable, fmt::format("{} has ended the answer", text_of(at_)));
  }

  /// Reads the rest of an answer whose header is read, in what is left of the time.
  result<void> read_rest() {
    if (answer_->is_done()) {
      return {};
    }
    const auto failed =
        await([&](auto done) { wire::async_read(stream_, buffer_, *answer_, std::move(done)); });
    if (failed) {
      return trouble(failed);
    }
    return {};
  }

  unsigned status() const { return answer_->get().result_int(); }

  http_answer take() {
    auto& got = answer_->get();
    const auto later = got[wire::field::retry_after];
    return {got.result_int(), std::move(got.body()), std::string(later.data(), later.size())};
  }

private:
  result<void> secure() {
    if (!at_.trust) {
      return {};
    }
    auto with = context_for(*at_.trust);
    if (!with) {
      return tl::unexpected(with.error());
    }
    stream_.secure(std::move(*with));
    if (!demand_name(stream_.tls(), at_.trust->name)) {
      ERR_clear_error();
      return fail(errc::invalid_configuration,
                  fmt::format("\"{}\" is no name that a certificate can be for", at_.trust->name));
    }
    return {};
  }

  /// A token that was found in the cluster file goes to nobody who could not read it there: somebody else may
  /// listen at the address of a node that is down.
  result<void> check_peer(const std::string& token) const {
    if (token.empty() || at_.trust || at_.token_is_chosen) {
      return {};
    }
    const auto& socket = stream_.below().socket();
    beast::error_code gone; // then there is nobody to be told anything
    const auto here = socket.local_endpoint(gone);
    const auto there = gone ? here : socket.remote_endpoint(gone);
    const auto why = gone ? std::nullopt : objection_to_peer(at_.token_file, here, there);
    if (!why) {
      return {};
    }
    return fail(errc::conflict,
                fmt::format("{} is not asked: {}: is it the node? Turn http-tls on, or name the token with "
                            "--token-file where whoever answers may have it",
                            text_of(at_), *why));
  }

  tl::unexpected<error> no_handshake(const beast::error_code& why) {
    const auto verified = SSL_get_verify_result(stream_.tls());
    if (verified != X509_V_OK) {
      const auto& authority = at_.trust->authority;
      return fail(errc::conflict,
                  fmt::format("{} is not asked: its certificate is not one of {} from {}: {}", text_of(at_),
                              at_.trust->name,
                              authority.empty() ? std::string{"an authority that the system knows"}
                                                : authority.string(),
                              X509_verify_cert_error_string(verified)));
    }
    if (why.category() == asio::error::get_ssl_category() ||
        why.category() == asio::ssl::error::get_stream_category() || why == asio::error::eof ||
        why == asio::error::connection_reset) {
      return fail(errc::conflict,
                  fmt::format("{} does not speak TLS as it should: {}", text_of(at_), why.message()));
    }
    return trouble(why);
  }

  /// Starts an operation and waits for its end.
  template <class Start>
  beast::error_code await(Start start) {
    beast::error_code ended;
    start([&ended](const beast::error_code& why, const auto&...) { ended = why; });
    context_.restart();
    context_.run();
    return ended;
  }

  wire::request<wire::string_body> to_wire(const http_request& asked, const std::string& token) const {
    wire::request<wire::string_body> made{wire::string_to_verb(asked.method), asked.target, 11};
    made.set(wire::field::host, text_of(at_));
    made.set(wire::field::connection, "close");
    if (!token.empty()) {
      made.set(wire::field::authorization, "Bearer " + token);
    }
    for (const auto& [name, value] : asked.headers) {
      made.set(name, value);
    }
    if (!asked.body.empty()) {
      made.set(wire::field::content_type, "application/json");
      made.body() = asked.body;
    }
    if (!asked.body.empty() || asked.method == "POST") {
      made.prepare_payload();
    }
    return made;
  }

  tl::unexpected<error> trouble(const beast::error_code& why) const {
    return fail(errc::unavailable,
                fmt::format("{} {}", text_of(at_),
                            why == beast::error::timeout
                                ? fmt::format("does not answer within {} ms", patience_.count())
                            : why == wire::error::end_of_stream || why == asio::error::eof ||
                                    why == asio::ssl::error::stream_truncated
                                ? std::string{"has closed the connection without an answer"}
                                : fmt::format("cannot be asked: {}", why.message())));
  }

  node_address at_;
  std::chrono::milliseconds patience_;
  asio::io_context context_{1};
  http::channel<beast::tcp_stream> stream_{context_};
  std::optional<parser> answer_;
  beast::flat_buffer buffer_{unread_bytes_max};
};

} // namespace

node_address address_of(const config::node_entry& node) {
  const auto& http = *node.seen_by_peers.http;
  return {http.host, http.port, http.token_file, http.token_may_be_missing, false, node.trust};
}

result<http_answer> http_call(const node_address& at, const http_request& asked,
                              std::chrono::milliseconds patience) {
  exchange call{at, patience};
  auto done = call.run(asked);
  if (done) {
    done = call.read_rest();
  }
  if (!done) {
    return tl::unexpected(done.error());
  }
  return call.take();
}

result<http_answer> http_get(const node_address& at, const std::string& target,
                             std::chrono::milliseconds patience) {
  http_request asked;
  asked.target = target;
  return http_call(at, asked, patience);
}

result<http_answer> http_stream(const node_address& at, const http_request& asked,
                                std::chrono::milliseconds patience,
                                const std::function<void(std::string_view)>& take) {
  exchange call{at, patience};
  auto done = call.run(asked);
  if (done) {
    done = call.status() == 200 ? call.read_on(take) : call.read_rest();
  }
  if (!done) {
    return tl::unexpected(done.error());
  }
  return call.take();
}

result<node_address> read_node_address(std::string_view text) {
  const auto wrong = [&](std::string_view what) {
    return fail(errc::invalid_configuration,
                fmt::format("the node's address \"{}\" {}; write http://HOST:PORT, as http://127.0.0.1:8101",
                            text, what));
  };
  auto rest = text;
  const auto is_secure = rest.starts_with("https://");
  if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) {
    if (!is_secure && rest.substr(0, scheme) != "http") {
      return wrong("has another scheme than http or https");
    }
    rest.remove_prefix(scheme + 3);
  }
  if (rest.ends_with('/')) {
    rest.remove_suffix(1);
  }
  if (rest.find_first_of("/?#@ ") != std::string_view::npos) {
    return wrong("has more than host and port");
  }
  const auto colon = rest.rfind(':');
  const auto bracket = rest.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) {
    return wrong("has no port");
  }
  auto host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong("has an IPv6 address without brackets");
  }
  if (host.empty()) {
    return wrong("has no host");
  }
  const auto digits = rest.substr(colon + 1);
  node_address made{std::string{host}, 0};
  if (is_secure) {
    made.trust = config::http_trust{{}, made.host};
  }
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), made.port);
  if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size() || made.port == 0) {
    return wrong("has a port that is none of 1 to 65535");
  }
  return made;
}

std::string text_of(const node_address& at) {
  return http::address_text(at.host, at.port);
}

std::string url_of(const node_address& at) {
  return (at.trust ? "https://" : "http://") + text_of(at);
}

} // namespace continuo::tools
