#include "nodes/http/token.hpp"

#include "journal/files.hpp"
#include "nodes/identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace continuo::nodes {

namespace {

constexpr std::size_t token_least = 16;
constexpr std::size_t token_file_most = 65'536;

} // namespace

result<std::string> read_token(const http_address& at) {
  if (at.token_file.empty()) {
    if (is_loopback(at.host)) {
      return std::string{};
    }
    return fail(
        errc::invalid_configuration,
        fmt::format("the HTTP address {} can be reached by others, who could do anything: choose a loopback "
                    "address, or give a token-file",
                    at.host));
  }
  const auto text = journal::read_small_file(at.token_file, token_file_most, journal::links::followed)
                        .value_or(std::string{});
  const auto token = text.substr(0, text.find('\n'));
  if (token.empty()) {
    return fail(errc::invalid_configuration,
                fmt::format("the token-file {} cannot be read, or is empty", at.token_file.string()));
  }
  using std::filesystem::perms;
  std::error_code unknown;
  const auto mode = std::filesystem::status(at.token_file, unknown).permissions();
  if (!unknown && (mode & (perms::others_all | perms::group_write)) != perms::none) {
    return fail(errc::invalid_configuration,
                fmt::format("the token-file {} is open to others than its owner and group: chmod 600 it",
                            at.token_file.string()));
  }
  const auto visible = [](char letter) { return letter > ' ' && letter < '\x7f'; };
  if (token.size() < token_least || !std::all_of(token.begin(), token.end(), visible)) {
    return fail(errc::invalid_configuration,
                fmt::format("the first line of {} is no token: write at least {} visible characters, as "
                            "`openssl rand -hex 32` prints them",
                            at.token_file.string(), token_least));
  }
  return token;
}

} // namespace continuo::nodes
