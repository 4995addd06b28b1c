#include "ledger.hpp"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace order_fulfilment {

namespace {

using continuo::errc;
using continuo::fail;
using continuo::result;

std::string now_as_text() {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), (now - seconds).count());
}

std::string to_line(const ledger_entry& entry) {
  const nlohmann::ordered_json line{
      {"time", now_as_text()},        {"kind", entry.kind},
      {"order", entry.order},         {"idempotency_key", entry.idempotency_key},
      {"reference", entry.reference}, {"item", entry.item},
      {"amount", entry.amount}};
  return line.dump() + '\n';
}

std::optional<ledger_entry> parse_line(std::string_view text) {
  const auto line = nlohmann::json::parse(text, nullptr, false);
  if (!line.is_object()) {
    return std::nullopt;
  }
  try {
    return ledger_entry{line.at("idempotency_key"), line.at("order"), line.at("kind"),
                        line.at("reference"),       line.at("item"),  line.at("amount")};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

/// The whole lines of a ledger, and how many bytes of the file they are.
struct contents {
  std::vector<ledger_entry> entries;
  std::uintmax_t bytes = 0;
};

result<contents> read_lines(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (!in.is_open() || in.bad()) {
    return fail(errc::storage_failed, file.string() + ": cannot be read");
  }
  contents found;
  std::string_view rest = text;
  for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    auto entry = parse_line(rest.substr(0, end));
    if (!entry) {
      return fail(errc::corrupt,
                  fmt::format("{}:{}: not an entry of a ledger", file.string(), found.entries.size() + 1));
    }
    found.entries.push_back(std::move(*entry));
    found.bytes += end + 1;
    rest.remove_prefix(end + 1);
  }
  return found;
}

std::string why(const std::filesystem::path& file, const char* what) {
  return fmt::format("{}: cannot be {}: {}", file.string(), what, std::generic_category().message(errno));
}

} // namespace

// -- construction ------------------------------------------------------------------------

result<std::shared_ptr<ledger>> ledger::open(const std::filesystem::path& file) {
  using std::filesystem::perms;
  std::error_code ignored; // if the folder cannot be made, opening the file says why
  if (std::filesystem::create_directories(file.parent_path(),
                                          ignored)) { // for its owner to write, whatever the umask
    std::filesystem::permissions(file.parent_path(), perms::group_write | perms::others_write,
                                 std::filesystem::perm_options::remove, ignored);
  }
  const int descriptor =
      ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
  if (descriptor < 0) {
    return fail(errc::storage_failed, why(file, "opened"));
  }
  std::shared_ptr<ledger> opened{new ledger{descriptor}};
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    return fail(errc::in_use,
                file.string() + " is open in another process; stop that one, or choose another folder");
  }
  auto found = read_lines(file);
  if (!found) {
    return tl::unexpected(found.error());
  }
  if (::ftruncate(descriptor, static_cast<off_t>(found->bytes)) != 0) {
    return fail(errc::storage_failed, why(file, "cut to its last whole line"));
  }
  for (auto& entry : found->entries) {
    opened->remember(std::move(entry));
  }
  return opened;
}

result<std::vector<ledger_entry>> ledger::read(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) {
    return std::vector<ledger_entry>{};
  }
  return read_lines(file).map([](contents found) { return std::move(found.entries); });
}

ledger::~ledger() {
  ::close(descriptor_);
}

// -- updates --------------------------------------------------------------------------------

ledger_entry ledger::append(ledger_entry entry) {
  const auto line = to_line(entry);
  const std::lock_guard lock{mutex_};
  if (const auto first = by_key_.find(entry.idempotency_key); first != by_key_.end()) {
    return entries_[first->second];
  }
  const auto before = ::lseek(descriptor_, 0, SEEK_END);
  const auto written = ::write(descriptor_, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) {
    const auto code = written < 0 ? errno : ENOSPC;
    // Half a line would spoil the next one. If even this fails, the next start finds the line and cuts it
    // off, or says so.
    [[maybe_unused]] const auto cut = ::ftruncate(descriptor_, before);
    throw std::system_error{code, std::generic_category(), "the ledger cannot be written"};
  }
  remember(entry);
  return entry;
}

void ledger::remember(ledger_entry entry) {
  by_key_.try_emplace(entry.idempotency_key, entries_.size());
  by_order_and_kind_[{entry.order, entry.kind}] = entries_.size();
  ++counts_[entry.kind];
  entries_.push_back(std::move(entry));
}

// -- queries ---------------------------------------------------------------------------------

std::optional<ledger_entry> ledger::find(std::string_view idempotency_key) const {
  const std::lock_guard lock{mutex_};
  const auto found = by_key_.find(std::string{idempotency_key});
  return found == by_key_.end() ? std::nullopt : std::optional{entries_[found->second]};
}

std::optional<ledger_entry> ledger::last(std::string_view order, std::string_view kind) const {
  const std::lock_guard lock{mutex_};
  const auto found = by_order_and_kind_.find({std::string{order}, std::string{kind}});
  return found == by_order_and_kind_.end() ? std::nullopt : std::optional{entries_[found->second]};
}

std::size_t ledger::count(std::string_view kind) const {
  const std::lock_guard lock{mutex_};
  const auto found = counts_.find(kind);
  return found == counts_.end() ? 0 : found->second;
}

std::vector<ledger_entry> ledger::entries() const {
  const std::lock_guard lock{mutex_};
  return entries_;
}

} // namespace order_fulfilment
