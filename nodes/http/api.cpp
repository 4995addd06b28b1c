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

std::string_view header_of(const request& asked, const char* name) {
  const auto found = asked.headers.find(name);
  return found == asked.headers.end() ? std::string_view{} : std::string_view{found->second};
}

/// Whether the name stands for this machine, or one address, wherever it is asked for.
bool is_plain_address(std::string_view host) {
  if (host.starts_with('[')) {
    return true;
  }
  const auto bare = host.substr(0, host.find(':'));
  return bare == "localhost" || bare.find_first_not_of("0123456789.") == std::string_view::npos;
}

/// Why a request is not answered that a browser may have sent for somebody else's page; empty where it is.
/// Browsers say by `Sec-Fetch-Site` for whom they ask: `none` is the person before them, `same-origin` a page
/// of this address (W3C, Fetch Metadata Request Headers). Older ones do not say it. Without a token, where
/// any page that is looked at on this machine could do anything, a request is refused as well that has an
/// `Origin`, which they do send, or that was sent to a name that may stand for any address.
std::string_view why_of_a_page(const request& asked, bool has_token) {
  if (asked.path == "/healthz") { // tells nothing
    return {};
  }
  const auto site = asked.headers.find("sec-fetch-site");
  if (site != asked.headers.end() && site->second != "same-origin" && site->second != "none") {
    return "a web page of another site asks for this (Sec-Fetch-Site), and gets no answer: ask from a "
           "program";
  }
  if (!has_token && (asked.headers.contains("origin") || !is_plain_address(header_of(asked, "host")))) {
    return "this node has no token, so it answers no web pages: leave Origin out, ask localhost or an IP "
           "address, or set token-file";
  }
  return {};
}

bool is_allowed(const request& asked, const std::string& token) {
  if (token.empty() || asked.path == "/healthz") {
    return true;
  }
  constexpr std::string_view scheme = "bearer "; // in any case: RFC 9110, 11.1
  const auto given = header_of(asked, "authorization");
  if (given.size() < scheme.size()) {
    return false;
  }
  const auto is_same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == static_cast<unsigned char>(b);
  };
  return std::equal(scheme.begin(), scheme.end(), given.begin(),
                    [&](char wanted, char sent) { return is_same(sent, wanted); }) &&
         is_same_secret(given.substr(scheme.size()), token);
}

void take(desk& at, call&& one) {
  std::string allowed;
  for (const auto& routes :
       {backup_routes(), cluster_routes(), event_routes(), instance_routes(), letter_routes(), list_routes(),
        message_routes(), schedule_routes(), service_routes()}) {
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
    if (const auto why = why_of_a_page(asked, !token.empty()); !why.empty()) {
      return error_response(403, "forbidden", why);
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
    auto asked = messages::decode_from_peer<request>(text);
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
