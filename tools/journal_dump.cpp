#include "tools/journal_dump.hpp"

#include "engine/placement.hpp"
#include "engine/record.hpp"
#include "journal/frame.hpp"
#include "journal/reader.hpp"
#include "tools/report.hpp"

#include <continuo/archive.hpp>
#include <continuo/detail/time_text.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <string_view>

namespace continuo::tools {

namespace {

using nlohmann::ordered_json;

ordered_json time_of(time_point at) {
  if (at == time_point{}) {
    return nullptr;
  }
  return detail::shown_time(at);
}

ordered_json bytes_of(std::string_view bytes) {
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const auto byte : bytes) {
    fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<unsigned char>(byte));
  }
  return {{"bytes", bytes.size()}, {"hex", std::move(hex)}};
}

ordered_json name_of(const instance_id& id) {
  return {{"type", id.type}, {"key", id.key}};
}

ordered_json noted(const engine::noted_message& message) {
  return {{"kind", std::string{to_string(message.kind)}},
          {"id", to_string(message.id)},
          {"peer", name_of(message.peer)},
          {"type", message.type},
          {"answers", message.answers},
          {"in_reply_to", message.in_reply_to ? ordered_json(to_string(message.in_reply_to)) : nullptr},
          {"payload", bytes_of(message.payload)}};
}

ordered_json entry_of(const engine::history_entry& entry) {
  ordered_json out = ordered_json::array();
  for (const auto& message : entry.out) {
    out.push_back(noted(message));
  }
  return {{"at", time_of(entry.at)},
          {"revision", entry.revision},
          {"what", entry.what},
          {"status", std::string{to_string(entry.status)}},
          {"in", entry.in ? noted(*entry.in) : ordered_json(nullptr)},
          {"out", std::move(out)},
          {"note", entry.note}};
}

ordered_json record_of(const engine::record& stored) {
  ordered_json requests = ordered_json::array();
  for (const auto& sent : stored.requests) {
    requests.push_back({{"id", to_string(sent.id)},
                        {"command", sent.type},
                        {"to", name_of(sent.to)},
                        {"sent_at", time_of(sent.sent_at)},
                        {"abandoned", sent.abandoned},
                        {"compensation", sent.compensation},
                        {"payload", bytes_of(sent.payload)}});
  }
  ordered_json timers = ordered_json::array();
  for (const auto& one : stored.timers) {
    timers.push_back({{"name", one.name}, {"due", time_of(one.due)}});
  }
  return {{"kind", std::string{to_string(stored.kind)}},
          {"type", stored.self.type},
          {"key", stored.self.key},
          {"status", std::string{to_string(stored.status)}},
          {"reason", stored.reason},
          {"revision", stored.revision},
          {"definition_version", stored.definition_version},
          {"started_at", time_of(stored.started_at)},
          {"updated_at", time_of(stored.updated_at)},
          {"requests", std::move(requests)},
          {"outbox", stored.outbox.size()},
          {"inbox", stored.inbox.size()},
          {"timers", std::move(timers)},
          {"compensations", stored.compensations.size()},
          {"expected", stored.expected},
          {"attempts", stored.attempts},
          {"state", bytes_of(stored.state)},
          {"result", stored.result_type.empty()
                         ? ordered_json(nullptr)
                         : ordered_json{{"type", stored.result_type}, {"payload", bytes_of(stored.result)}}}};
}

class dump {
public:
  dump(const std::filesystem::path& journal, const dump_options& options, std::FILE* to)
      : store_(journal), options_(options), to_(to) {}

  int run() {
    for (const auto& trouble : store_.troubles()) {
      complain(trouble, {});
    }
    auto prefix = options_.type.empty() ? std::string{"r"} : engine::record_prefix(options_.type);
    if (!options_.type.empty() && !options_.key.empty()) {
      prefix = engine::record_key({options_.type, options_.key});
    }
    const auto scanned =
        store_.scan(prefix, [&](std::string_view key, const result<std::string_view>& bytes) {
          show(key, bytes);
          return std::ferror(to_) == 0; // nobody reads it any more
        });
    if (!scanned) {
      complain(scanned.error(), {});
    }
    if (code_ == 0 && !options_.key.empty() && !shown_) {
      return refuse(fmt::format("there is no {} with the key {}",
                                options_.type.empty() ? "instance" : options_.type, options_.key));
    }
    return code_;
  }

private:
  void print(const ordered_json& line) {
    fmt::print(to_, "{}\n", line.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  }

  void complain(const error& why, std::string_view key) {
    ordered_json line;
    if (!key.empty()) {
      line["stored_under"] = journal::printable(key);
    }
    line["error"] = {{"code", std::string{to_string(why.code)}}, {"message", why.message}};
    print(line);
    if (code_ == 0) {
      const auto code = exit_code(why.code);
      code_ = code != 0 ? code : exit_code(errc::corrupt);
    }
  }

  void show(std::string_view key, const result<std::string_view>& bytes) {
    const auto stored =
        bytes ? decode<engine::record>(*bytes) : result<engine::record>{tl::unexpected(bytes.error())};
    if (!stored) {
      complain(stored.error(), key);
      return;
    }
    if (!options_.key.empty() && stored->self.key != options_.key) {
      return;
    }
    shown_ = true;
    auto line = record_of(*stored);
    if (options_.history) {
      line["history"] = history_of(*stored);
    }
    print(line);
  }

  /// Oldest first, as they happened.
  ordered_json history_of(const engine::record& stored) {
    auto entries = ordered_json::array();
    const auto scanned =
        store_.scan(engine::history_prefix(stored.self),
                    [&](std::string_view key, const result<std::string_view>& bytes) {
                      const auto entry = bytes ? decode<engine::history_entry>(*bytes)
                                               : result<engine::history_entry>{tl::unexpected(bytes.error())};
                      if (entry) {
                        entries.push_back(entry_of(*entry));
                      } else {
                        complain(entry.error(), key);
                      }
                      return true;
                    });
    if (!scanned) {
      complain(scanned.error(), {});
    }
    return entries;
  }

  journal::reader store_;
  dump_options options_;
  std::FILE* to_;
  bool shown_ = false; ///< at least one
  int code_ = 0;
};

} // namespace

int dump_journal(const std::filesystem::path& journal, const dump_options& options, std::FILE* to) {
  return dump{journal, options, to}.run();
}

} // namespace continuo::tools
