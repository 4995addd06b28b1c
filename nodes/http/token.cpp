#include "nodes/http/token.hpp"

#include "journal/files.hpp"
#include "nodes/http/server.hpp"
#include "nodes/identity.hpp"
#include "nodes/probe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/random.h>
#include <system_error>
#include <unistd.h>

namespace continuo::nodes {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t token_least = 16;
constexpr std::size_t token_file_most = 65'536;
constexpr std::size_t random_bytes = 32;

tl::unexpected<error> wrong(const fs::path& file, std::string_view what) {
  return fail(errc::invalid_configuration, fmt::format("the token-file {} {}", file.string(), what));
}

/// What stands in the file, which others must not read or write.
result<std::string> read_file(const fs::path& file) {
  const auto text = journal::read_small_file(file, token_file_most, journal::links::followed);
  if (!text && text.error().code == errc::not_found) {
    return wrong(file,
                 "is missing: `continuo cluster init` makes that of a cluster file, `openssl rand -hex 32` "
                 "any");
  }
  if (!text) {
    return wrong(file, "cannot be read: " + text.error().message);
  }
  const auto token = text->substr(0, text->find('\n'));
  if (token.empty()) {
    return wrong(file, "is empty");
  }
  std::error_code unknown;
  const auto mode = fs::status(file, unknown).permissions();
  if (!unknown && (mode & (fs::perms::others_all | fs::perms::group_write)) != fs::perms::none) {
    return wrong(file, "is open to others than its owner and group: chmod 600 it");
  }
  const auto visible = [](char letter) { return letter > ' ' && letter < '\x7f'; };
  if (token.size() < token_least || !std::all_of(token.begin(), token.end(), visible)) {
    return fail(errc::invalid_configuration,
                fmt::format("the first line of {} is no token: write at least {} visible characters, as "
                            "`openssl rand -hex 32` prints them",
                            file.string(), token_least));
  }
  return token;
}

/// A link is there, whatever it leads to.
bool is_there(const fs::path& file) {
  std::error_code unknown; // what cannot be looked at is there: whoever opens it says why it cannot be used
  return fs::symlink_status(file, unknown).type() != fs::file_type::not_found;
}

} // namespace

result<std::string> read_token(const http_address& at) {
  const auto open = is_loopback(at.host) ? listener_of(at).host : at.host;
  const auto is_private = is_loopback(open);
  const fs::path file = at.token_file;
  if (file.empty() && !is_private) {
    return fail(
        errc::invalid_configuration,
        fmt::format("the HTTP address {} can be reached by others, who could do anything: choose a loopback "
                    "address, or give a token-file",
                    open));
  }
  if (file.empty()) {
    return std::string{};
  }
  if (at.token_may_be_missing && !is_there(file)) {
    return is_private
               ? result<std::string>{std::string{}}
               : fail(errc::invalid_configuration,
                      fmt::format("the HTTP address {} can be reached by others, who could do anything, and "
                                  "there is no token in {}: `continuo cluster init` makes one",
                                  open, file.string()));
  }
  return read_file(file);
}

std::vector<std::string> cautions(const http_address& at, const std::string& token) {
  const auto listens = listener_of(at);
  const auto where = http::address_text(listens.host, listens.port);
  std::vector<std::string> found;
  if (token.empty()) {
    found.push_back(
        fmt::format("HTTP at {} asks for no token, so every user of this machine may use it: {}", where,
                    at.token_file.empty()
                        ? std::string{"name a file with one in http_address::token_file"}
                        : fmt::format("`continuo cluster init` makes one in {}, and the next start uses it",
                                      at.token_file.string())));
  }
  if (!at.tls && !is_loopback(listens.host)) {
    found.push_back(fmt::format(
        "HTTP at {} is plain text, so tokens and data can be read on the way: set http-tls=\"on\" "
        "in the cluster file or http_address::tls, or let nobody but a proxy with TLS reach it",
        where));
  }
  return found;
}

result<bool> make_token(const fs::path& file) {
  std::array<unsigned char, random_bytes> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return wrong(file, fmt::format("cannot be made: {}", std::strerror(errno)));
  }
  if (is_there(file)) {
    return read_file(file).map([](const std::string&) { return false; });
  }
  const auto made = journal::open_file(file, journal::file_use::create);
  if (!made) {
    return wrong(file, "cannot be made: " + made.error().message);
  }
  auto written = journal::write_all(made->get(), fmt::format("{:02x}\n", fmt::join(random, "")), file);
  if (written && ::fsync(made->get()) != 0) {
    written = tl::unexpected(journal::system_failure("sync", file, errno));
  }
  if (!written) {
    ::unlink(file.c_str()); // a part of a token would be kept for one
    return wrong(file, "cannot be written: " + written.error().message);
  }
  return true;
}

} // namespace continuo::nodes
