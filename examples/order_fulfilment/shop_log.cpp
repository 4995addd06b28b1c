#include "shop_log.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace order_fulfilment {

namespace {

using continuo::errc;
using continuo::fail;
using continuo::result;

constexpr std::array<std::string_view, 4> known_words{"begun", "shipped", "refused", "failed"};

struct contents {
  shop_log::words words;
  std::size_t bytes = 0; ///< of whole lines
};

result<contents> read_lines(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (!in.is_open() || in.bad()) {
    return fail(errc::storage_failed, file.string() + ": cannot be read");
  }
  contents found;
  for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', found.bytes)) {
    const auto line = std::string_view{text}.substr(found.bytes, end - found.bytes);
    const auto space = line.find(' ');
    const auto word = line.substr(0, space);
    if (space == std::string_view::npos ||
        std::find(known_words.begin(), known_words.end(), word) == known_words.end()) {
      return fail(errc::corrupt, fmt::format("{}: `{}` is not a line of a shop's log", file.string(), line));
    }
    found.words[std::string{line.substr(space + 1)}] = word;
    found.bytes = end + 1;
  }
  return found;
}

} // namespace

result<std::unique_ptr<shop_log>> shop_log::open(const std::filesystem::path& file) {
  const int descriptor =
      ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
  if (descriptor < 0) {
    return fail(errc::storage_failed, fmt::format("{} cannot be opened: {}", file.string(),
                                                  std::generic_category().message(errno)));
  }
  std::unique_ptr<shop_log> opened{new shop_log{descriptor}};
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return fail(errc::in_use, file.string() + " is open in another process");
  }
  auto found = read_lines(file);
  if (!found) {
    return tl::unexpected(found.error());
  }
  if (::ftruncate(descriptor, static_cast<off_t>(found->bytes)) != 0) {
    return fail(errc::storage_failed, file.string() + " cannot be cut to its last whole line");
  }
  opened->earlier_ = std::move(found->words);
  return opened;
}

result<shop_log::words> shop_log::read(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) {
    return words{};
  }
  return read_lines(file).map([](contents found) { return std::move(found.words); });
}

shop_log::~shop_log() {
  ::close(descriptor_);
}

void shop_log::append(std::string_view word, const std::string& order) {
  const auto line = fmt::format("{} {}\n", word, order);
  const auto written = ::write(descriptor_, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) {
    throw std::system_error{written < 0 ? errno : ENOSPC, std::generic_category(),
                            "the log cannot be written"};
  }
}

} // namespace order_fulfilment
