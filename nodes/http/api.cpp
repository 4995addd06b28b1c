#include "nodes/http/api.hpp"

#include "messages/application.hpp"
#include "nodes/http/desk.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace continuo::http {

namespace {

/// Whether the path is one of the pattern's; what stands in its places.
std::optional<std::vector<std::string>> match(std::string_view pattern,
                                              const std::vector<std::string>& segments) {
  std::vector<std::string> names;
  std::size_t at = 0;
  while (!pattern.empty()) {
    pattern.remove_prefix(1); // the slash
    const auto word = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(word.size());
    if (at == segments.size()) {
      return std::nullopt;
    }
    const auto& segment = segments[at++];
    if (word == "{}") {
      if (segment.empty()) {
        return std::nullopt;
      }
      names.push_back(segment);
    } else if (word != segment) {
      return std::nullopt;
    }
  }
  return at == segments.size() ? std::optional{std::move(names)} : std::nullopt;
}

/// Compares without telling by the time it takes how much is right.
bool is_same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

/// Whether the request may come from a web page of somebody else's: it has an `Origin`, which browsers send
/// with what pages of other sites ask for, or it was sent to a name that may stand for any address. Without a
/// token a page that is looked at on this machine could do anything.
bool is_of_a_page(const request& asked) {
  if (asked.path == "/healthz") { // tells nothing
    return false;
  }
  const auto host = asked.headers.find("host");
  const auto name = host == asked.headers.end() ? std::string_view{} : std::string_view{host->second};
  const auto bare = name.substr(0, name.starts_with('[') ? std::string_view::npos : name.find(':'));
  const auto is_address =
      name.starts_with('[') || bare.find_first_not_of("0123456789.") == std::string_view::npos;
  return asked.headers.contains("origin") || !(is_address || bare == "localhost");
}

bool is_allowed(const request& asked, const std::string& token) {
  if (token.empty() || asked.path == "/healthz") {
    return true;
  }
  constexpr std::string_view scheme = "bearer "; // in any case: RFC 9110, 11.1
  const auto given = asked.headers.find("authorization");
  if (given == asked.headers.end() || given->second.size() < scheme.size()) {
    return false;
  }
  const auto is_same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == static_cast<unsigned char>(b);
  };
  return std::equal(scheme.begin(), scheme.end(), given->second.begin(),
                    [&](char wanted, char sent) { return is_same(sent, wanted); }) &&
         is_same_secret(std::string_view{given->second}.substr(scheme.size()), token);
}

void take(desk& at, call&& one) {
  std::string allowed;
  for (const auto& routes : {backup_routes(), cluster_routes(), event_routes(), instance_routes(),
                             letter_routes(), list_routes(), message_routes()}) {
    for (const auto& route : routes) {
      auto names = match(route.pattern, one.asked.segments);
      if (!names) {
        continue;
      }
      if (route.method == one.asked.method) {
        one.names = std::move(*names);
        route.run(at, std::move(one));
        return;
      }
      allowed += (allowed.empty() ? "" : ", ") + std::string{route.method};
    }
  }
  if (allowed.empty()) {
    one.done(error_response(404, "not_found", fmt::format("there is no call {}", one.asked.path)));
    return;
  }
  auto refusal = error_response(405, "method_not_allowed", fmt::format("this call takes {}", allowed));
  refusal.headers.emplace_back("Allow", allowed);
  one.done(std::move(refusal));
}

/// What a call throws must not end the node: the threads that run calls are the server's and the links'.
void take_safely(desk& at, call&& one) {
  const auto done = one.done;
  try {
    take(at, std::move(one));
  } catch (...) {
    done(error_response(400, "bad_request",
                        fmt::format("the request cannot be understood: {}", what_was_thrown())));
  }
}

} // namespace

api::api(std::weak_ptr<detail::node_runtime> node, std::string token,
         std::function<void(std::function<void()>)> jobs)
    : desk_(std::make_shared<desk>(std::move(node), std::move(jobs))), token_(std::move(token)) {}

api::~api() {
  desk_->stop();
}

result<void> api::start() {
  return desk_->start();
}

admission api::admits() const {
  return [token = token_](const request& asked) -> std::optional<response> {
    if (token.empty() && is_of_a_page(asked)) {
      return error_response(
          401, "unauthorized",
          "this node has no token, so it answers no web pages: leave Origin out, ask localhost or "
          "an IP address, or set token-file");
    }
    if (is_allowed(asked, token)) {
      return std::nullopt;
    }
    auto refusal = error_response(
        401, "unauthorized",
        "this node wants a token: send it as `Authorization: Bearer TOKEN`, as its token file has it");
    refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
    return refusal;
  };
}

handler api::answers() const {
  return [at = desk_](request&& asked, answer done) {
    take_safely(*at, {std::move(asked), {}, false, std::move(done)});
  };
}

handler api::answers_clients() const {
  return [weak = std::weak_ptr{desk_}](request&& asked, answer done) {
    if (const auto at = weak.lock()) {
      asked.in_bytes = true;
      take_safely(*at, {std::move(asked), {}, false, std::move(done)});
    } else {
      done(error_response(error{errc::unavailable, "the node has stopped"}));
    }
  };
}

std::function<void(std::string, std::function<void(std::string)>)> api::answers_peers() const {
  return [weak = std::weak_ptr{desk_}](const std::string& text, std::function<void(std::string)> done) {
    const auto at = weak.lock();
    auto asked = decode<request>(text);
    if (!at || !asked) {
      done(encode(error_response(at ? asked.error() : error{errc::unavailable, "the node has stopped"})));
      return;
    }
    take_safely(*at, {std::move(*asked), {}, true, [done = std::move(done)](const response& said) {
                        done(encode(said));
                      }});
  };
}

} // namespace continuo::http
