#pragma once

#include <continuo/result.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace order_fulfilment {

/// Something that happened in the outside world.
struct ledger_entry {
  std::string idempotency_key{};
  std::string order{};
  std::string kind{};      ///< `charge`, `refund`, `label` or `void`
  std::string reference{}; ///< the provider's own number: of a payment, of a parcel
  std::string item{};      ///< of a label
  std::int64_t amount = 0; ///< cents of a charge or refund, pieces of a label

  friend bool operator==(const ledger_entry&, const ledger_entry&) = default;
};

/// The memory of a provider in the outside world (a bank, a label printer): what it did, one line of JSON
/// each, appended before it answers. It stands for another company's books, so the runtime never reads it.
/// The file is this ledger's alone while it is open. All members may be called from any thread.
///
/// Durability: one write(2) a line, no fsync. What a killed process wrote is there for the next one, which is
/// what the demonstration kills; a bank that must outlive a power cut would sync here.
class ledger {
public:
  // -- construction ------------------------------------------------------------------
  /// Opens the file, creating it and its folder where missing, and reads what it holds. A last line without
  /// an end is what a killed process left half written, before anybody was told: it is cut off. Errors:
  /// `corrupt` with file and line, `in_use` by another process, `storage_failed`.
  static continuo::result<std::shared_ptr<ledger>> open(const std::filesystem::path& file);

  /// Reads a file as it is, without opening it as a ledger: every whole line, repeated keys too. A file that
  /// does not exist holds nothing.
  static continuo::result<std::vector<ledger_entry>> read(const std::filesystem::path& file);

  ~ledger();
  ledger(const ledger&) = delete;
  ledger& operator=(const ledger&) = delete;

  // -- updates -------------------------------------------------------------------------
  /// Writes an entry down and returns it; where its idempotency key is there already, returns the first entry
  /// under the key and writes nothing. Throws `std::system_error` if it cannot be written: nothing is written
  /// then.
  ledger_entry append(ledger_entry entry);

  // -- queries ------------------------------------------------------------------------
  /// The first entry under an idempotency key.
  std::optional<ledger_entry> find(std::string_view idempotency_key) const;

  /// The last entry of a kind for an order.
  std::optional<ledger_entry> last(std::string_view order, std::string_view kind) const;

  /// How many entries of a kind there are.
  std::size_t count(std::string_view kind) const;

  /// Everything, in the order in which it happened.
  std::vector<ledger_entry> entries() const;

private:
  explicit ledger(int descriptor) : descriptor_(descriptor) {}
  void remember(ledger_entry entry);

  const int descriptor_;
  mutable std::mutex mutex_; // guards what follows, and the order of lines in the file
  std::vector<ledger_entry> entries_;
  std::unordered_map<std::string, std::size_t> by_key_;                          // index of the first
  std::map<std::pair<std::string, std::string>, std::size_t> by_order_and_kind_; // index of the last
  std::map<std::string, std::size_t, std::less<>> counts_;                       // by kind
};

} // namespace order_fulfilment
