#include "config/http_url.hpp"

#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace continuo::config {

result<http_url> read_http_url(std::string_view text) {
  constexpr std::string_view scheme = "http://";
  const auto refuse = [&](std::string_view reason) {
    std::string shown{text.substr(0, 80)};
    shown += shown.size() < text.size() ? "..." : "";
    return fail(errc::invalid_configuration,
                fmt::format("\"{}\" {}; write \"http://HOST:PORT/PATH\", as \"http://127.0.0.1:9001\"", shown,
                            reason));
  };
  if (text.starts_with("https://")) {
    return refuse("is https, which is not supported: let a proxy beside the node speak TLS");
  }
  if (!text.starts_with(scheme)) {
    return refuse("does not begin with http://");
  }
  const auto visible = [](char letter) { return letter > ' ' && letter <= '~'; };
  if (!std::all_of(text.begin(), text.end(), visible) || text.find_first_of("\"<>\\^`{|}") != text.npos) {
    return refuse("has characters that a URL writes as %XX");
  }
  if (text.find('#') != text.npos) {
    return refuse("has a fragment (#), which no server gets to see");
  }
  const auto rest = text.substr(scheme.size());
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  auto authority = std::string{rest.substr(0, end)};
  if (authority.find('@') != authority.npos) {
    return refuse("has a user name, which is not sent");
  }
  // A port only behind the brackets of IPv6.
  const auto colon = authority.rfind(':');
  if (colon == authority.npos || authority.ends_with(']')) {
    authority += ":80";
  }
  const auto found = read_endpoint(authority);
  if (!found) {
    const auto& why = found.error().message; // `"HOST:PORT" names no host; write ...`
    const auto begin = why.find("\" ") + 2;
    return refuse(why.substr(begin, why.find("; write") - begin));
  }
  if (found->any) {
    return refuse("stands for every address, which nobody can connect to");
  }
  http_url url{found->host, found->port};
  if (end < rest.size()) {
    url.target = rest[end] == '?' ? fmt::format("/{}", rest.substr(end)) : std::string{rest.substr(end)};
  }
  return url;
}

bool is_unreserved(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || std::string_view{"-._~"}.find(letter) != std::string_view::npos;
}

std::string percent_encoded(std::string_view text, bool (*plain)(char letter)) {
  std::string safe;
  for (const char letter : text) {
    if (plain(letter)) {
      safe += letter;
    } else {
      safe += fmt::format("%{:02X}", static_cast<unsigned char>(letter));
    }
  }
  return safe;
}

} // namespace continuo::config
