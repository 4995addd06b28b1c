#include "tools/journal_verify.hpp"

#include "engine/expiry.hpp"
#include "engine/flow_entry.hpp"
#include "engine/record.hpp"
#include "engine/remembered_key.hpp"
#include "engine/service_pause.hpp"
#include "journal/frame.hpp"
#include "journal/journal.hpp"
#include "journal/reader.hpp"
#include "messages/frames.hpp"
#include "messages/layout.hpp"
#include "messages/printable.hpp"
#include "nodes/identity.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace continuo::tools {

namespace {

class verification {
public:
  verification(const std::filesystem::path& directory, std::atomic<std::uint64_t>& read)
      : directory_(directory), read_(&read), store_(directory) {}

  journal_findings run() {
    for (const auto& trouble : store_.troubles()) {
      is_complete_ = false; // what was not read would look like gaps in the chains
      add(trouble);
    }
    for (const auto& damaged : store_.check_tables()) {
      is_complete_ = false;
      add(damaged);
    }
    // Each kind of key by itself: where one cannot be read to its end, the next one perhaps can.
    for (int first = 1; first <= 255; ++first) {
      scan(std::string(1, static_cast<char>(first)));
    }
    if (is_complete_) {
      check_whole();
    }
    return std::move(found_);
  }

private:
  void scan(const std::string& prefix) {
    const auto scanned =
        store_.scan(prefix, [&](std::string_view key, const result<std::string_view>& value) {
          ++*read_;
          if (value) {
            look_at(key, *value);
          } else {
            is_complete_ = false;
            add(value.error());
          }
          return true;
        });
    if (!scanned) {
      is_complete_ = false;
      add(scanned.error());
    }
  }

  void add(error what) {
    ++found_.problem_count;
    if (found_.problems.size() < journal_findings::problems_max) {
      found_.problems.push_back(std::move(what));
    }
  }

  void object(std::string_view key, const std::string& what) {
    add({errc::corrupt, fmt::format("{}: key {}: {}", directory_.string(), journal::printable(key), what)});
  }

  /// Nothing, and a problem, where it is not one.
  template <class T>
  std::optional<T> read_as(std::string_view key, std::string_view bytes) {
    auto value = decode<T>(bytes);
    if (!value) {
      is_complete_ = false;
      object(key, value.error().message);
      return std::nullopt;
    }
    return std::move(*value);
  }

  void look_at(std::string_view key, std::string_view bytes) {
    switch (key.empty() ? '\0' : key.front()) {
    case 'c':
      ++found_.pauses;
      look_at_pause(key, bytes);
      break;
    case 'e':
      look_at_expiry(key);
      break;
    case 'h':
      look_at_history(key, bytes);
      break;
    case 'k':
      look_at_client_key(key, bytes);
      break;
    case 'm':
      look_at_own(key, bytes);
      break;
    case 'o':
      look_at_owed(key, bytes);
      break;
    case 'p':
      ++found_.peers;
      read_as<messages::known_peer>(key, bytes);
      break;
    case 'r':
      look_at_record(key, bytes);
      break;
    case engine::entry_key_mark:
      look_at_entry(key, bytes);
      break;
    case 't':
      ++found_.types;
      read_as<messages::type_layout>(key, bytes);
      break;
    default:
      ++found_.others;
    }
  }

  void look_at_pause(std::string_view key, std::string_view bytes) {
    const auto said = read_as<engine::service_pause>(key, bytes);
    if (said && engine::pause_key(said->service) != key) {
      object(key, fmt::format("is the pause of {}", continuo::printable(said->service)));
    }
  }

  void look_at_expiry(std::string_view key) {
    if (engine::parse_expiry_key(key)) {
      index_.emplace(key);
    } else {
      object(key, "no entry of the expiry index has such a key");
    }
  }

  /// What stands under `key` must stand in the expiry index, too.
  void look_up(std::string_view key, const std::string& entry) {
    if (is_complete_ && index_.erase(entry) == 0) {
      object(key, fmt::format("the expiry index lacks its entry {}", journal::printable(entry)));
    }
  }

  void look_at_history(std::string_view key, std::string_view bytes) {
    ++found_.history;
    const auto entry = read_as<engine::history_entry>(key, bytes);
    if (!entry) {
      return;
    }
    if (engine::history_key(entry->self, entry->revision) != key) {
      object(key, fmt::format("holds the history entry {} of {}", entry->revision,
                              continuo::printable(to_string(entry->self))));
      return;
    }
    newest_revision_ = std::max(newest_revision_, entry->revision);
    histories_[engine::history_prefix(entry->self)] = entry->revision; // the newest comes last
  }

  void look_at_client_key(std::string_view key, std::string_view bytes) {
    ++found_.client_keys;
    if (const auto known = read_as<engine::remembered_key>(key, bytes)) {
      look_up(key, engine::expiry_key(engine::expiry_kind::client_key, known->at,
                                      key.substr(engine::key_prefix.size())));
    }
  }

  // Whether it is true only the node can say, which knows who lives where.
  void look_at_owed(std::string_view key, std::string_view bytes) {
    ++found_.owed;
    const auto end = key.find('\0');
    if (end == std::string_view::npos || !engine::instance_under(key.substr(end + 1)) || !bytes.empty()) {
      object(key, "names no record and the peer that it owes something");
    }
  }

  void look_at_own(std::string_view key, std::string_view bytes) {
    ++found_.own;
    if (auto readable = nodes::check_own_value(key, bytes); !readable) {
      is_complete_ = false;
      object(key, readable.error().message);
    } else if (key == journal::store_id_key) {
      found_.store = decode<std::uint64_t>(bytes).value_or(0);
    } else if (key == journal::revision_key) {
      found_.revision = decode<std::uint64_t>(bytes).value_or(0);
    } else if (key == nodes::cluster_mark_key) {
      const auto mark = decode<nodes::cluster_mark>(bytes).value_or(nodes::cluster_mark{});
      found_.cluster = mark.cluster;
      found_.node = mark.node;
    }
  }

  // Records come last in the order of keys: all histories and the expiry index are known.
  void look_at_record(std::string_view key, std::string_view bytes) {
    const auto stored = read_as<engine::record>(key, bytes);
    if (!stored) {
      return;
    }
    ++found_.records[std::string{to_string(stored->kind)}];
    if (engine::record_key(stored->self) != key) {
      object(key, fmt::format("holds the record of {}", continuo::printable(to_string(stored->self))));
      return;
    }
    newest_revision_ = std::max(newest_revision_, stored->revision);
    const auto times = engine::expiry_of(*stored);
    if (times.ended) {
      look_up(key, engine::expiry_key(engine::expiry_kind::ended, *times.ended, stored->self));
    }
    if (times.history) {
      look_up(key, engine::expiry_key(engine::expiry_kind::history, *times.history, stored->self));
    }
    if (stored->life != 0) {
      const auto state = read_as<engine::flow_life>(key, stored->state);
      lives_[engine::entry_prefix(stored->life)] = {std::string{key}, state ? state->entries : 0};
    }
    const auto history = histories_.find(engine::history_prefix(stored->self));
    const auto newest = history == histories_.end() ? 0 : history->second;
    if (is_complete_ && newest != stored->history) {
      object(key, fmt::format("its newest history entry is {}, and {} is found", stored->history, newest));
    }
    if (history != histories_.end()) {
      histories_.erase(history);
    }
  }

  // They come behind all records, those of one life together.
  void look_at_entry(std::string_view key, std::string_view bytes) {
    ++found_.entries;
    read_as<engine::flow_entry>(key, bytes);
    const auto life = lives_.find(std::string{key.substr(0, engine::entry_prefix(0).size())});
    if (life == lives_.end()) {
      if (is_complete_) {
        object(key, "is an entry of a workflow, and no record has it");
      }
      return;
    }
    if (key != engine::entry_key(engine::read_big_endian(key.substr(1)), life->second.found++)) {
      object(key, "is not the next entry of its workflow");
    }
  }

  void check_whole() {
    for (const auto& [prefix, of] : lives_) {
      if (of.found != of.entries) {
        object(of.key,
               fmt::format("counts {} entries of the workflow, and {} are there", of.entries, of.found));
      }
    }
    for (const auto& [prefix, newest] : histories_) {
      object(prefix, fmt::format("the history up to {} is of no instance", newest));
    }
    for (const auto& entry : index_) {
      object(entry, "the expiry index has an entry for something that is not there, or for another time");
    }
    if (newest_revision_ > found_.revision) {
      object(journal::revision_key, fmt::format("says that {} is the highest revision, but {} was written",
                                                found_.revision, newest_revision_));
    }
    const auto is_used = !found_.records.empty() || found_.history != 0 || found_.peers != 0;
    if (found_.store == 0 && is_used) {
      object(journal::store_id_key, "the store's id is missing");
    }
  }

  std::filesystem::path directory_;
  std::atomic<std::uint64_t>* read_;
  journal::reader store_;
  journal_findings found_;
  std::unordered_map<std::string, std::uint64_t> histories_; // the newest revision, by the prefix of the keys
  /// Of workflows, by the prefix of their entries' keys.
  struct life {
    std::string key; ///< of the record
    std::uint64_t entries = 0;
    std::uint64_t found = 0;
  };
  std::map<std::string, life> lives_;
  std::unordered_set<std::string> index_; // of what has expired, by now or some day
  std::uint64_t newest_revision_ = 0;
  bool is_complete_ = true;
};

} // namespace

journal_findings verify_journal(const std::filesystem::path& journal, std::atomic<std::uint64_t>& read) {
  return verification{journal, read}.run();
}

} // namespace continuo::tools
