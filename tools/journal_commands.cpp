#include "tools/journal_commands.hpp"

#include "journal/directory.hpp"
#include "journal/rocksdb_store.hpp"
#include "nodes/backup.hpp"
#include "nodes/identity.hpp"
#include "tools/http_client.hpp"
#include "tools/journal_verify.hpp"
#include "tools/json_text.hpp"
#include "tools/known_cluster.hpp"
#include "tools/progress.hpp"
#include "tools/report.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <fstream>
#include <optional>
#include <random>
#include <thread>

namespace continuo::tools {

namespace {

using nlohmann::ordered_json;

/// A node lets nobody wait longer than 90 s for an answer, and goes on with the copy. Asked again, it answers
/// when that one is done and a quick second one behind it.
constexpr std::chrono::seconds node_patience{60};
constexpr std::chrono::seconds answer_patience{120};

/// A node's data directory with a journal in it, held for reading.
result<std::unique_ptr<journal::data_directory>> look_at(const std::filesystem::path& data) {
  auto held = journal::data_directory::look_at(data);
  std::error_code trouble;
  if (held && !std::filesystem::is_directory(data / "journal", trouble)) {
    return fail(errc::corrupt, fmt::format("{}: the journal is missing", (data / "journal").string()));
  }
  return held;
}

// -- verify ---------------------------------------------------------------------------------------

ordered_json json_of(const journal_findings& found, const std::filesystem::path& data) {
  ordered_json records = ordered_json::object();
  for (const auto& [kind, count] : found.records) {
    records[kind] = count;
  }
  ordered_json problems = ordered_json::array();
  for (const auto& one : found.problems) {
    problems.push_back({{"code", std::string{to_string(one.code)}}, {"message", one.message}});
  }
  return {{"data", data.string()},
          {"whole", found.problem_count == 0},
          {"store", fmt::format("{:016x}", found.store)},
          {"cluster", found.cluster},
          {"node", found.node},
          {"revision", found.revision},
          {"records", std::move(records)},
          {"history", found.history},
          {"workflow_entries", found.entries},
          {"peers", found.peers},
          {"owed", found.owed},
          {"client_keys", found.client_keys},
          {"pauses", found.pauses},
          {"own_values", found.own},
          {"types", found.types},
          {"others", found.others},
          {"problem_count", found.problem_count},
          {"problems", std::move(problems)}};
}

std::string findings_text(const journal_findings& found) {
  auto text = fmt::format("store {:016x}, {}, revision {}\n", found.store,
                          found.node.empty()
                              ? "of a node that stands alone"
                              : fmt::format("node {} of {}", printable(found.node), printable(found.cluster)),
                          found.revision);
  const auto add = [&](std::string_view what, std::uint64_t count) {
    text += count == 0 ? "" : fmt::format("{:>10} {}\n", count, what);
  };
  for (const auto& [kind, count] : found.records) {
    add(fmt::format("records of kind {}", kind), count);
  }
  add("history entries", found.history);
  add("workflow entries", found.entries);
  add("peers", found.peers);
  add("names of records that owe a peer something", found.owed);
  add("idempotency keys", found.client_keys);
  add("pauses of services, lifted ones included", found.pauses);
  add("values of the store's own", found.own);
  add("layouts of types", found.types);
  add("values that this program does not know", found.others);
  return text;
}

/// Exit code of what was found; the problems are on standard error.
int report(const journal_findings& found) {
  for (const auto& one : found.problems) {
    fmt::print(stderr, "continuo: {}\n", printable_lines(one.message));
  }
  if (found.problem_count == 0) {
    return 0;
  }
  fmt::print(stderr, "continuo: {} problem{} in all\n", found.problem_count,
             found.problem_count == 1 ? "" : "s");
  const auto code = exit_code(found.problems.front().code);
  return code != 0 ? code : exit_code(errc::corrupt); // bytes that cannot be understood
}

// -- backup of a running node -----------------------------------------------------------------------

/// The failure that a node's answer tells, with the code that it names.
error failure_of(const http_answer& answer) {
  const auto body = nlohmann::json::parse(answer.body, nullptr, false);
  const auto told = body.is_object() ? body.value("error", nlohmann::json{}) : nlohmann::json{};
  const auto name = text_at(told, "code");
  error why{errc::unavailable, printable(text_at(told, "message"))};
  if (why.message.empty()) {
    why.message = fmt::format("the node answered with status {}", answer.status);
  }
  for (const auto code :
       {errc::storage_full, errc::storage_failed, errc::corrupt, errc::invalid_configuration}) {
    why.code = name == to_string(code) ? code : why.code;
  }
  return why;
}

/// Where the node that holds the directory answers. What a file there names gets a token only if the cluster
/// file has that address: anybody may have written it.
result<node_address> find_holder(const journal_options& chosen, const error& in_use) {
  const auto known = read_known_cluster(chosen.file);
  if (!known && !chosen.file.empty()) {
    return tl::unexpected(known.error());
  }
  const auto is_chosen = !chosen.node.empty();
  const auto url =
      is_chosen ? result<std::string>{chosen.node} : journal::data_directory::http_of_holder(chosen.data);
  if (!url) {
    return fail(url.error().code, fmt::format("{}: {}", in_use.message, url.error().message));
  }
  auto at = find_address(known.value_or(std::nullopt), *url);
  if (!at && is_chosen) {
    return at;
  }
  if (!at) {
    return fail(errc::in_use, in_use.message +
                                  " (a running node makes a backup itself where it has an HTTP address, and "
                                  "this one has none)");
  }
  if (chosen.token_file.empty()) {
    return at;
  }
  if (!is_chosen && at->token_file.empty()) {
    return fail(errc::invalid_configuration,
                fmt::format("{} names {}, which stands in no cluster file, so it gets no token: if the node "
                            "answers there, say so with --node",
                            (chosen.data / "LOCK").string(), printable(*url)));
  }
  at->token_file = chosen.token_file;
  at->token_may_be_missing = false;
  at->token_is_chosen = true;
  return at;
}

result<nodes::backup_figures> ask_for_backup(const journal_options& chosen, const error& in_use) {
  const auto at = find_holder(chosen, in_use);
  if (!at) {
    return tl::unexpected(at.error());
  }
  const auto to = std::filesystem::absolute(chosen.backup).lexically_normal();
  if (!is_printable(to.string())) {
    return fail(errc::invalid_configuration,
                fmt::format("{} has a character that no terminal shows: choose another name",
                            printable(to.string())));
  }
  const http_request asking{"POST", "/api/v1/backup", {}, ordered_json{{"to", to.string()}}.dump()};
  bool goes_on = false;
  while (true) {
    const auto asked = std::chrono::steady_clock::now();
    const auto answer = http_call(*at, asking, answer_patience);
    if (!answer) {
      return tl::unexpected(answer.error());
    }
    if (answer->status == 503 && std::chrono::steady_clock::now() - asked > node_patience) {
      goes_on = true;
      continue;
    }
    if (answer->status == 409 && goes_on) { // the copy that was asked for is not done yet
      std::this_thread::sleep_for(std::chrono::seconds{1});
      continue;
    }
    if (answer->status == 401) {
      return fail(errc::conflict,
                  fmt::format("{} wants a token: name its cluster file with --config, or --node "
                              "and --token-file",
                              text_of(*at)));
    }
    if (answer->status != 200) {
      return tl::unexpected(failure_of(*answer));
    }
    const auto body = nlohmann::json::parse(answer->body, nullptr, false);
    if (!field_at(body, "bytes").is_number_unsigned()) {
      return fail(errc::conflict,
                  fmt::format("{} answers with what no node says: is it a node?", text_of(*at)));
    }
    // The node writes it, and may see other folders than this process.
    std::error_code trouble;
    if (!std::filesystem::exists(to / "BACKUP", trouble) && !trouble) {
      return fail(
          errc::unavailable,
          fmt::format("the node has made the backup, and it is not there in {}: the node sees a folder of "
                      "its own there, as below PrivateTmp=yes of systemd; name one outside of /tmp that its "
                      "unit may write (ReadWritePaths=)",
                      to.string()));
    }
    return nodes::backup_figures{number_at(body, "bytes"),
                                 std::chrono::milliseconds{number_at(body, "took_ms")}};
  }
}

/// Opened as a node opens it, which recovers what the log holds.
result<nodes::backup_figures> back_up_stopped(const journal_options& chosen, progress& shown) {
  journal::rocksdb_options options;
  options.directory = chosen.data / "journal";
  const auto store = journal::rocksdb_store::open(options);
  if (!store) {
    return tl::unexpected(store.error());
  }
  return nodes::back_up(**store, chosen.backup, [&](std::uint64_t bytes) {
    shown.count = bytes >> 20;
    return true;
  });
}

} // namespace

int journal_verify(const journal_options& chosen) {
  const auto held = look_at(chosen.data);
  if (!held) {
    return refuse(held.error());
  }
  const auto found = [&] {
    progress shown{fmt::format("verifying {}", chosen.data.string()), "entries"};
    return verify_journal(chosen.data / "journal", shown.count);
  }();
  if (chosen.json) {
    fmt::print("{}\n", json_of(found, chosen.data).dump(2));
  } else {
    fmt::print("{}: {}\n{}", printable(chosen.data.string()), found.problem_count == 0 ? "whole" : "damaged",
               findings_text(found));
    std::fflush(stdout);
  }
  return report(found);
}

int journal_dump(const journal_options& chosen) {
  const auto held = look_at(chosen.data);
  if (!held) {
    return refuse(held.error());
  }
  return dump_journal(chosen.data / "journal", chosen.dump, stdout);
}

int journal_backup(const journal_options& chosen) {
  if (auto held = look_at(chosen.data); !held && held.error().code != errc::in_use) {
    return refuse(held.error());
  }
  const auto made = [&]() -> result<nodes::backup_figures> {
    progress shown{fmt::format("backing up {} to {}", chosen.data.string(), chosen.backup.string()), "MiB"};
    const auto directory = journal::data_directory::open(chosen.data);
    if (directory) {
      return back_up_stopped(chosen, shown);
    }
    return directory.error().code == errc::in_use ? ask_for_backup(chosen, directory.error())
                                                  : tl::unexpected(directory.error());
  }();
  if (!made) {
    return refuse(made.error());
  }
  if (chosen.json) {
    fmt::print(
        "{}\n",
        ordered_json{{"to", chosen.backup.string()}, {"bytes", made->bytes}, {"took_ms", made->took.count()}}
            .dump());
  } else {
    fmt::print("{}: {} bytes in {} ms; bring it back with `continuo journal restore {} DIR`\n",
               printable(chosen.backup.string()), made->bytes, made->took.count(),
               printable(chosen.backup.string()));
  }
  return 0;
}

int journal_restore(const journal_options& chosen) {
  journal_findings found;
  const auto restored = [&] {
    progress shown{fmt::format("restoring {} to {}", chosen.backup.string(), chosen.data.string()), {}};
    return nodes::restore(
        chosen.backup, chosen.data, [&](const std::filesystem::path& journal) -> result<void> {
          found = verify_journal(journal, shown.count);
          return found.problem_count == 0
                     ? result<void>{}
                     : fail(errc::corrupt, fmt::format("the backup {} is damaged; nothing was restored",
                                                       chosen.backup.string()));
        });
  }();
  if (!restored) {
    report(found);
    return refuse(restored.error());
  }
  if (chosen.json) {
    fmt::print("{}\n", json_of(found, chosen.data).dump(2));
  } else {
    fmt::print("{}: restored and whole\n{}", printable(chosen.data.string()), findings_text(found));
  }
  return 0;
}

int accept_loss(const journal_options& chosen) {
  const auto& data = chosen.data;
  if (!std::filesystem::is_directory(data / "journal")) {
    return refuse({errc::invalid_configuration,
                   fmt::format("{} is no data directory of a node: name one, as DATA/NODE", data.string())});
  }
  const auto directory = journal::data_directory::open(data);
  if (!directory) {
    return refuse(directory.error());
  }
  journal::rocksdb_options options;
  options.directory = data / "journal";
  const auto store = journal::rocksdb_store::open(options);
  if (!store) {
    return refuse(store.error());
  }
  std::random_device source;
  const auto id = nodes::make_store_id(std::chrono::system_clock::now(), source());
  if (auto done = nodes::accept_loss(**store, id, chosen.beyond); !done) {
    return refuse(done.error());
  }
  if (!chosen.json) {
    fmt::print(
        "{}: the store has a new id. Its peers take it in place of what they knew, and send again whatever\n"
        "they have not seen answered; what only the lost data held is gone. Start the node.\n",
        printable(data.string()));
  }
  return 0;
}

} // namespace continuo::tools
