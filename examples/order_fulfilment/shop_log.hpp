#pragma once

#include <continuo/result.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace order_fulfilment {

/// The log of a shop that works without Continuo: a line `begun ORDER` when it takes up an order, and a line
/// `shipped ORDER`, `refused ORDER` or `failed ORDER` when it tells the customer how that ended. It is what a
/// restarted shop knows: which orders it need not begin, not how far the others were. The file is one
/// process's alone while it is open. One write(2) a line, no fsync, as the ledgers. May be called from any
/// thread.
class shop_log {
public:
  /// The last word on each order.
  using words = std::map<std::string, std::string, std::less<>>;

  // -- construction ------------------------------------------------------------------
  /// Opens the file, creating it where missing. A last line without an end is cut off. Errors: `corrupt`,
  /// `in_use`, `storage_failed`.
  static continuo::result<std::unique_ptr<shop_log>> open(const std::filesystem::path& file);

  /// Reads a file as it is. One that does not exist holds nothing. Errors: `corrupt`, `storage_failed`.
  static continuo::result<words> read(const std::filesystem::path& file);

  ~shop_log();
  shop_log(const shop_log&) = delete;
  shop_log& operator=(const shop_log&) = delete;

  // -- updates -------------------------------------------------------------------------
  /// Throws `std::system_error` if it cannot be written.
  void append(std::string_view word, const std::string& order);

  // -- queries -------------------------------------------------------------------------
  /// What stood in it when it was opened.
  const words& earlier() const { return earlier_; }

private:
  explicit shop_log(int descriptor) : descriptor_(descriptor) {}

  const int descriptor_;
  words earlier_;
};

} // namespace order_fulfilment
