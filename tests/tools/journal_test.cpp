#define CAF_SUITE journal_tools
// ctest: timeout=600 labels=processes

#include "engine/expiry.hpp"
#include "engine/record.hpp"
#include "journal/rocksdb_store.hpp"
#include "tests/support/places.hpp"
#include "tests/tools/order_cluster.hpp"

#include <continuo/archive.hpp>

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <functional>
#include <map>
#include <sched.h>
#include <set>
#include <sstream>
#include <sys/mount.h>
#include <sys/socket.h>

using namespace continuo;
using namespace continuo::tests;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr int mount_refused = 99;

std::string read_file(const fs::path& path) {
  std::ifstream in{path, std::ios::binary};
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
}

/// Every file and directory below, with what is in it, and when it was written.
std::map<std::string, std::string> picture_of(const fs::path& directory) {
  std::map<std::string, std::string> all;
  for (const auto& one : fs::recursive_directory_iterator{directory}) {
    const auto written = std::to_string(one.last_write_time().time_since_epoch().count());
    all[one.path().string()] = written + (one.is_regular_file() ? read_file(one.path()) : "");
  }
  return all;
}

run_outcome verify(const fs::path& data) {
  return run({"journal", "verify", data.string()});
}

run_outcome dump(const fs::path& data, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"journal", "dump", data.string()});
  return run(more);
}

/// @param more how the node that runs on the data is asked
run_outcome back_up(const fs::path& data, const fs::path& to, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"journal", "backup", data.string(), to.string()});
  return run(more);
}

run_outcome restore(const fs::path& from, const fs::path& to) {
  return run({"journal", "restore", from.string(), to.string()});
}

std::vector<json> lines_of(const run_outcome& dumped) {
  std::vector<json> all;
  std::istringstream in{dumped.text};
  for (std::string line; std::getline(in, line);) {
    all.push_back(json::parse(line, nullptr, false));
    CAF_CHECK(all.back().is_object());
  }
  return all;
}

std::vector<fs::path> files_in(const fs::path& directory, const std::string& begin, const std::string& end) {
  std::vector<fs::path> found;
  for (const auto& one : fs::recursive_directory_iterator{directory}) {
    const auto name = one.path().filename().string();
    if (one.is_regular_file() && name.starts_with(begin) && name.ends_with(end)) {
      found.push_back(one.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// A folder in which an order node stands alone. It places its orders, and ends when they have.
struct fixture : order_cluster {
  fs::path data = folder / "alone";

  int place(int orders, const fs::path& where) const {
    process node{continuo::tests::places::order_node(),
                 {"--data", where.string(), "--generate", std::to_string(orders), "--ledgers",
                  (folder / "ledgers").string()},
                 {},
                 join_outputs};
    return node.wait(std::chrono::seconds{60}).code.value_or(-1);
  }

  /// Twice, so that the tables hold the first orders and the log the others.
  void fill() const {
    CAF_REQUIRE_EQUAL(place(20, data), 0);
    CAF_REQUIRE_EQUAL(place(40, data), 0);
  }

  /// What finds the nodes' token.
  std::vector<std::string> known() const { return {"--config", file.string()}; }

  /// The status of an answer to one call of a node's HTTP interface.
  int call(std::uint16_t port, const std::string& method, const std::string& body) const {
    const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    std::string answer(4096, '\0');
    if (::connect(file, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
      const auto asked =
          method +
          " /api/v1/backup HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer " +
          token() + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      static_cast<void>(::send(file, asked.data(), asked.size(), MSG_NOSIGNAL));
      const timeval patience{10, 0};
      ::setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
      answer.resize(
          static_cast<std::size_t>(std::max<ssize_t>(0, ::recv(file, answer.data(), answer.size(), 0))));
    }
    ::close(file);
    return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
  }

  std::uint64_t instances() const {
    std::uint64_t all = 0;
    const auto counts = status().value(json::json_pointer{"/instances/fulfilment"}, json::object());
    for (const auto& [status, count] : counts.items()) {
      all += count.get<std::uint64_t>();
    }
    return all;
  }

  bool wait_for_instances(std::uint64_t at_least) const {
    const auto deadline = process::clock::now() + std::chrono::seconds{60};
    while (process::clock::now() < deadline) {
      if (instances() >= at_least) {
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    return false;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(journal_tools_tests, fixture)

// -- looking -------------------------------------------------------------------------------

CAF_TEST(a whole journal is read and nothing of it is changed) {
  fill();
  const auto before = picture_of(folder);
  const auto verified = verify(data);
  CAF_CHECK_EQUAL(verified.code, 0);
  CAF_CHECK(has(verified, "whole"));
  CAF_CHECK(has(verified, "40 records of kind saga"));
  const auto nobody = dump(data, {"--type", "fulfilment", "--key", "nope"});
  CAF_CHECK_EQUAL(nobody.code, 1);
  CAF_CHECK(has(nobody, "there is no fulfilment with the key nope"));
  const auto counted = json::parse(run({"journal", "verify", data.string(), "--json"}).text, nullptr, false);
  CAF_CHECK_EQUAL(counted["records"]["saga"], 40);
  CAF_CHECK_EQUAL(counted["problem_count"], 0);
  CAF_CHECK_LESS(40, counted["history"].get<int>());

  const auto all = lines_of(dump(data));
  std::set<std::string> keys;
  for (const auto& line : all) {
    if (line["type"] == "fulfilment") {
      keys.insert(line["key"].get<std::string>());
      CAF_CHECK_EQUAL(line["kind"], "saga");
      CAF_CHECK(line["status"] == "completed" || line["status"] == "compensated");
      CAF_CHECK_EQUAL(line["state"]["hex"].get<std::string>().size(),
                      2 * line["state"]["bytes"].get<std::size_t>());
      CAF_CHECK(!line.contains("history"));
    }
  }
  CAF_CHECK_EQUAL(keys.size(), 40u);
  CAF_CHECK_EQUAL(lines_of(dump(data, {"--type", "fulfilment"})).size(), 40u);
  CAF_CHECK_EQUAL(lines_of(dump(data, {"--type", "fulfil"})).size(), 0u);
  const auto one = lines_of(dump(data, {"--type", "fulfilment", "--key", *keys.begin(), "--history"}));
  CAF_REQUIRE_EQUAL(one.size(), 1u);
  CAF_CHECK_EQUAL(one[0]["key"], *keys.begin());
  const auto& history = one[0]["history"];
  CAF_REQUIRE_LESS(2u, history.size());
  CAF_CHECK(history.front()["revision"] < history.back()["revision"]);
  CAF_CHECK_EQUAL(history.back()["status"], one[0]["status"]);
  CAF_CHECK_EQUAL(lines_of(dump(data, {"--key", *keys.begin()})).size(), 1u);
  CAF_CHECK(picture_of(folder) == before);
}

CAF_TEST(what a killed node leaves is whole) {
  std::set<std::string> seen;
  for (int life = 0; life < 3; ++life) {
    {
      process node{continuo::tests::places::order_node(),
                   {"--data", data.string(), "--generate", "5000", "--rate", "400", "--ledgers",
                    (folder / "ledgers").string(), "--progress"},
                   {},
                   join_outputs};
      const auto deadline = process::clock::now() + std::chrono::seconds{30};
      for (std::size_t known = 0; known < 2 && node.hear(deadline); ++known) {
      }
      CAF_CHECK_EQUAL(verify(data).code, 6);
      CAF_CHECK_EQUAL(dump(data).code, 6);
      node.kill(SIGKILL);
      node.wait();
    }
    const auto before = picture_of(folder);
    const auto verified = verify(data);
    CAF_CHECK_EQUAL(verified.code, 0);
    CAF_CHECK(has(verified, "records of kind saga"));
    std::set<std::string> now;
    for (const auto& line : lines_of(dump(data, {"--type", "fulfilment"}))) {
      now.insert(line["key"].get<std::string>());
    }
    CAF_CHECK(std::includes(now.begin(), now.end(), seen.begin(), seen.end()));
    seen = now;
    CAF_CHECK(picture_of(folder) == before);
  }
  CAF_CHECK_LESS(0u, seen.size());
}

CAF_TEST(what is no data directory is refused and left alone) {
  fs::create_directories(folder / "empty");
  fs::create_directories(folder / "foreign");
  write_file(folder / "foreign" / "letter.txt", "dear aunt");
  write_file(folder / "file", "a file");
  const auto before = picture_of(folder);
  for (const auto* name : {"empty", "foreign", "file", "none"}) {
    const auto place = folder / name;
    CAF_CHECK_EQUAL(verify(place).code, 2);
    CAF_CHECK_EQUAL(dump(place).code, 2);
    CAF_CHECK_EQUAL(back_up(place, folder / "backup").code, 2);
    CAF_CHECK_EQUAL(restore(place, folder / "restored").code, 2);
  }
  CAF_CHECK(picture_of(folder) == before);
}

// -- damage --------------------------------------------------------------------------------

CAF_TEST(a flipped byte is found wherever it changes anything) {
  fill();
  const auto whole = dump(data, {"--history"});
  CAF_REQUIRE_EQUAL(whole.code, 0);
  std::vector<fs::path> files;
  for (const auto& [begin, end] : std::vector<std::pair<std::string, std::string>>{
           {"", ".sst"}, {"", ".log"}, {"MANIFEST", ""}, {"CURRENT", ""}, {"FORMAT", ""}}) {
    const auto found = files_in(data, begin, end);
    files.insert(files.end(), found.begin(), found.end());
  }
  int refused = 0;
  int missed = 0;
  for (const auto& file : files) {
    const auto bytes = read_file(file);
    const auto is_log = file.parent_path().filename() == "log";
    for (std::size_t part = 0; part < 12 && !bytes.empty(); ++part) {
      // Most of a log segment is zeros.
      const auto at = bytes.size() * part / 12 / (is_log && part < 8 ? 64 : 1);
      auto flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
      write_file(file, flipped);
      const auto verified = verify(data);
      const auto dumped = dump(data, {"--history"});
      if (verified.code == 3) {
        ++refused;
        CAF_CHECK(has(verified, data.string()));
        CAF_CHECK(file.filename() == "FORMAT" || has(verified, "problem")); // without it nothing is read
      } else if (verified.code == 0 && dumped.code == 0 && dumped.text == whole.text) {
        ++missed; // nobody reads this byte
      } else {
        CAF_ERROR(file.string() << " byte " << at << ": verify ended with " << verified.code << ", dump with "
                                << dumped.code << ": " << verified.text);
      }
      CAF_CHECK(dumped.code == 0 || dumped.code == 3);
    }
    write_file(file, bytes);
  }
  CAF_MESSAGE(refused << " found, " << missed << " without a consequence");
  CAF_CHECK_LESS(4 * missed, refused);
  CAF_CHECK_EQUAL(verify(data).code, 0);
}

CAF_TEST(missing and shortened files are found) {
  fill();
  const auto keep = folder / "keep";
  const auto damaged = [&](const std::string& what, const std::function<void(const fs::path&)>& damage,
                           int code) {
    CAF_MESSAGE(what);
    fs::remove_all(keep);
    fs::copy(data, keep, fs::copy_options::recursive);
    damage(keep);
    const auto before = picture_of(keep);
    const auto verified = verify(keep);
    CAF_CHECK_EQUAL(verified.code, code);
    CAF_CHECK(has(verified, keep.string()));
    CAF_CHECK_EQUAL(dump(keep).code, code);
    CAF_CHECK(picture_of(keep) == before);
  };
  const auto only = [](const fs::path& in, const std::string& begin, const std::string& end) {
    return files_in(in, begin, end).back();
  };
  damaged(
      "no FORMAT", [](const fs::path& in) { fs::remove(in / "FORMAT"); }, 2);
  damaged(
      "another FORMAT", [](const fs::path& in) { write_file(in / "FORMAT", "hello\n"); }, 3);
  damaged(
      "a newer FORMAT",
      [](const fs::path& in) { write_file(in / "FORMAT", "continuo data directory, format 9\n"); }, 3);
  damaged(
      "no journal", [](const fs::path& in) { fs::remove_all(in / "journal"); }, 3);
  damaged(
      "no log", [](const fs::path& in) { fs::remove_all(in / "journal" / "log"); }, 3);
  damaged(
      "no tables", [](const fs::path& in) { fs::remove_all(in / "journal" / "tables"); }, 3);
  damaged(
      "no table", [&](const fs::path& in) { fs::remove(only(in, "", ".sst")); }, 3);
  damaged(
      "half a table",
      [&](const fs::path& in) {
        const auto table = only(in, "", ".sst");
        fs::resize_file(table, fs::file_size(table) / 2);
      },
      3);
  damaged(
      "no manifest", [&](const fs::path& in) { fs::remove(only(in, "MANIFEST", "")); }, 3);
  damaged(
      "no CURRENT", [](const fs::path& in) { fs::remove(in / "journal" / "tables" / "CURRENT"); }, 3);
  damaged(
      "no log segment",
      [](const fs::path& in) {
        for (const auto& one : files_in(in / "journal" / "log", "", ".log")) {
          fs::remove(one);
        }
      },
      3);
  damaged(
      "a log segment without its head",
      [&](const fs::path& in) { fs::resize_file(files_in(in / "journal" / "log", "", ".log").back(), 100); },
      3);
}

CAF_TEST(what fits its checksum and makes no sense is found with its key) {
  fill();
  const auto put = [](std::string key, std::string value) {
    return journal::operation{journal::operation::kind::put, std::move(key), std::move(value)};
  };
  const auto commit = [&](const journal::batch& changes) {
    journal::rocksdb_options options;
    options.directory = data / "journal";
    const auto store = journal::rocksdb_store::open(options);
    CAF_REQUIRE(store.has_value());
    CAF_REQUIRE((*store)->commit(changes).has_value());
  };
  engine::history_entry stray;
  stray.self = {"fulfilment", "nobody"};
  stray.revision = 1'000'000;
  engine::record lost;
  lost.self = {"fulfilment", "lost"};
  lost.status = instance_status::completed;
  lost.updated_at = time_point{std::chrono::seconds{1'700'000'000}};
  lost.revision = 999'999;
  lost.history = 999'998;
  engine::record thief;
  thief.self = {"fulfilment", "thief"};
  thief.revision = 1'000'001;
  thief.history = 1'000'000;
  auto elsewhere = lost;
  elsewhere.history = 0;
  const auto nothing = engine::expiry_key(engine::expiry_kind::ended, lost.updated_at, stray.self);
  commit({put(engine::history_key(stray.self, stray.revision), encode(stray)), put(nothing, ""),
          put(engine::record_key(lost.self), encode(lost)),
          put(engine::record_key(thief.self), encode(thief)), put("rfulfilment", encode(elsewhere)),
          put("xunknown", "whatever")});
  const auto verified = verify(data);
  CAF_CHECK_EQUAL(verified.code, 3);
  CAF_CHECK(has(verified, "rfulfilment\\x00lost: its newest history entry is 999998, and 0 is found"));
  CAF_CHECK(has(verified, "rfulfilment\\x00lost: the expiry index lacks its entry er"));
  CAF_CHECK(has(verified, "rfulfilment\\x00thief: its newest history entry is 1000000, and 0 is found"));
  CAF_CHECK(has(verified, "the history up to 1000000 is of no instance"));
  CAF_CHECK(has(verified, "the expiry index has an entry for something that is not there"));
  CAF_CHECK(has(verified, "key rfulfilment: holds the record of"));
  CAF_CHECK(has(verified, "but 1000001 was written"));
  CAF_CHECK(has(verified, "7 problems in all"));
  CAF_CHECK(has(verified, "1 values that this program does not know"));

  journal::batch many;
  for (int i = 0; i < 30; ++i) {
    many.push_back(put(engine::record_key({"broken", std::to_string(i)}), "no record"));
  }
  commit(many);
  const auto worse = verify(data);
  CAF_CHECK_EQUAL(worse.code, 3);
  CAF_CHECK(has(worse, "key rbroken\\x000: "));
  CAF_CHECK_EQUAL(std::count(worse.text.begin(), worse.text.end(), '\n') >= 21, true);
  CAF_CHECK(has(worse, "problems in all"));
  const auto dumped = dump(data);
  CAF_CHECK_EQUAL(dumped.code, 3);
  const auto lines = lines_of(dumped);
  CAF_CHECK_EQUAL(
      std::count_if(lines.begin(), lines.end(), [](const json& line) { return line.contains("error"); }), 30);
  CAF_CHECK_LESS_OR_EQUAL(40, std::count_if(lines.begin(), lines.end(), [](const json& line) {
                            return line.value("kind", "") == "saga";
                          }));
}

// -- backup and restore ----------------------------------------------------------------------

CAF_TEST(a stopped node is backed up and restored as it was) {
  fill();
  const auto backup = folder / "backups" / "alone";
  CAF_REQUIRE_EQUAL(back_up(data, backup).code, 0);
  const auto original = dump(data, {"--history"});
  const auto copy = folder / "copy";
  const auto backed_up = picture_of(backup);
  const auto restored = restore(backup, copy);
  CAF_CHECK_EQUAL(restored.code, 0);
  CAF_CHECK(has(restored, "40 records of kind saga"));
  CAF_CHECK(picture_of(backup) == backed_up);
  CAF_CHECK_EQUAL(verify(copy).code, 0);
  CAF_CHECK_EQUAL(dump(copy, {"--history"}).text, original.text);
  CAF_CHECK_EQUAL(files_in(folder, "copy.restoring", "").size(), 0u);
  // The copy is a node's data like any other.
  CAF_CHECK_EQUAL(place(60, copy), 0);
  CAF_CHECK_EQUAL(lines_of(dump(copy, {"--type", "fulfilment"})).size(), 60u);
  CAF_CHECK_EQUAL(verify(copy).code, 0);

  CAF_MESSAGE("what is in the way is refused");
  const auto before = picture_of(copy);
  CAF_CHECK_EQUAL(restore(backup, copy).code, 2);
  write_file(folder / "file", "a file");
  CAF_CHECK_EQUAL(restore(backup, folder / "file").code, 2);
  CAF_CHECK_EQUAL(restore(data, folder / "other").code, 2);
  CAF_CHECK(!fs::exists(folder / "other"));
  CAF_CHECK(picture_of(copy) == before);
  fs::create_directories(folder / "empty");
  CAF_CHECK_EQUAL(restore(backup, folder / "empty/").code, 0);
  CAF_CHECK_EQUAL(verify(folder / "empty").code, 0);
}

CAF_TEST(a second backup copies only what is new and takes the place of the first) {
  fill();
  const auto backup = folder / "backup";
  CAF_REQUIRE_EQUAL(back_up(data, backup).code, 0);
  const auto first = picture_of(backup / "shared_checksum");
  CAF_REQUIRE_LESS(0u, first.size());
  CAF_REQUIRE_EQUAL(place(60, data), 0);
  CAF_REQUIRE_EQUAL(back_up(data, backup).code, 0);
  std::size_t kept = 0;
  for (const auto& [name, content] : picture_of(backup / "shared_checksum")) {
    kept += first.contains(name) && first.at(name) == content ? 1 : 0;
  }
  CAF_CHECK_LESS(0u, kept);
  CAF_CHECK_EQUAL(std::distance(fs::directory_iterator{backup / "meta"}, fs::directory_iterator{}), 1);
  CAF_CHECK_EQUAL(restore(backup, folder / "copy").code, 0);
  CAF_CHECK_EQUAL(lines_of(dump(folder / "copy", {"--type", "fulfilment"})).size(), 60u);

  CAF_MESSAGE("a backup of another store, and what is none, stay as they are");
  const auto other = folder / "other";
  CAF_REQUIRE_EQUAL(place(5, other), 0);
  fs::create_directories(folder / "foreign");
  write_file(folder / "foreign" / "letter.txt", "dear aunt");
  write_file(folder / "file", "a file");
  for (const auto& to : {backup, folder / "foreign", folder / "file", data}) {
    const auto before = fs::is_directory(to) ? picture_of(to) : std::map<std::string, std::string>{};
    const auto refused = back_up(other, to);
    CAF_CHECK_EQUAL(refused.code, 2);
    CAF_CHECK(has(refused, to.string()));
    CAF_CHECK(!fs::is_directory(to) || picture_of(to) == before);
  }
}

CAF_TEST(a damaged backup is not restored) {
  fill();
  const auto backup = folder / "backup";
  CAF_REQUIRE_EQUAL(back_up(data, backup).code, 0);
  const auto table = files_in(backup, "", ".sst").back();
  const auto bytes = read_file(table);
  auto flipped = bytes;
  flipped[bytes.size() / 2] = static_cast<char>(flipped[bytes.size() / 2] ^ 1);
  const std::vector<std::pair<std::string, std::function<void()>>> damages{
      {"a flipped bit", [&] { write_file(table, flipped); }},
      {"a shortened table", [&] { write_file(table, bytes.substr(0, bytes.size() / 2)); }},
      {"no table", [&] { fs::remove(table); }},
      {"no list of files", [&] { fs::remove_all(backup / "meta"); }},
  };
  for (const auto& [what, damage] : damages) {
    CAF_MESSAGE(what);
    write_file(table, bytes);
    damage();
    const auto refused = restore(backup, folder / "copy");
    CAF_CHECK_EQUAL(refused.code, 3);
    CAF_CHECK(has(refused, backup.string()));
    CAF_CHECK(!fs::exists(folder / "copy"));
    CAF_CHECK_EQUAL(files_in(folder, "", "FORMAT").size(), 1u); // that of `data`
  }
}

CAF_TEST(a restore that is killed leaves nothing that a node starts on) {
  fill();
  const auto backup = folder / "backup";
  CAF_REQUIRE_EQUAL(back_up(data, backup).code, 0);
  bool finished = false;
  for (int i = 0; i < 200 && !finished; ++i) {
    const auto copy = folder / ("copy" + std::to_string(i));
    {
      process restoring{
          continuo_program, {"journal", "restore", backup.string(), copy.string()}, {}, join_outputs};
      std::this_thread::sleep_for(
          std::chrono::microseconds{500 * i + 20 * i * i}); // where it is killed varies
      restoring.kill(SIGKILL);
      restoring.wait();
    }
    finished = fs::exists(copy);
    if (finished) {
      CAF_CHECK_EQUAL(verify(copy).code, 0);
    }
    for (const auto& left : fs::directory_iterator{folder}) {
      const auto name = left.path().filename().string();
      if (name.find(".restoring-") == std::string::npos) {
        continue;
      }
      // One that has its mark is complete: it was to be renamed next.
      const auto code = place(1, left.path());
      CAF_CHECK(code == 2 || (code == 0 && fs::exists(left.path() / "FORMAT")));
      fs::remove_all(left.path());
    }
  }
  CAF_CHECK(finished);
}

CAF_TEST(a full disk ends a backup with 4 and the data is whole) {
  fill();
  const auto disk = folder / "disk";
  fs::create_directories(disk);
  const auto small = [&] {
    // The mount is gone with the process.
    return join_outputs() && ::unshare(CLONE_NEWNS) == 0 &&
           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=48k") == 0;
  };
  const auto full = run({"journal", "backup", data.string(), (disk / "backup").string()}, small);
  if (full.code == mount_refused) {
    CAF_MESSAGE("skipped: a small file system can only be mounted by root");
    return;
  }
  CAF_CHECK_EQUAL(full.code, 4);
  CAF_CHECK(has(full, (disk / "backup").string()));
  CAF_CHECK_EQUAL(verify(data).code, 0);
  const auto backup = folder / "backup";
  CAF_REQUIRE_EQUAL(back_up(data, backup).code, 0);
  const auto unfinished = run({"journal", "restore", backup.string(), (disk / "copy").string()}, small);
  CAF_CHECK_EQUAL(unfinished.code, 4);
}

CAF_TEST(a backup that only the node can see is told of) {
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  const auto hidden = folder / "data" / "backups";
  fs::create_directories(hidden);
  // As below PrivateTmp=yes of systemd: the folder that the node sees is one of its own.
  process node{continuo_program, {"cluster", "run", file.string(), "payment"}, {}, [&] {
                 return join_outputs() && ::unshare(CLONE_NEWNS) == 0 &&
                        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                        ::mount("tmpfs", hidden.c_str(), "tmpfs", 0, "size=16m,mode=700") == 0;
               }};
  const auto deadline = process::clock::now() + std::chrono::seconds{60};
  while (status()["nodes"][1].value("state", "") != "ready" && process::clock::now() < deadline &&
         ::geteuid() == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  if (::geteuid() != 0) {
    CAF_MESSAGE("skipped: a file system can only be mounted by root");
    return;
  }
  const auto lost = back_up(folder / "data" / "payment", hidden / "backup", known());
  CAF_CHECK_EQUAL(lost.code, 1);
  CAF_CHECK(has(lost, "is not there"));
  CAF_CHECK(has(lost, "PrivateTmp"));
  CAF_CHECK_EQUAL(cluster("stop", "payment").code, 0);
  CAF_CHECK_EQUAL(back_up(folder / "data" / "payment", hidden / "backup").code, 0);
}

CAF_TEST(a node is backed up while orders flow and what was there before is in it) {
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  write(400);
  auto text = read_file(file);
  text.replace(text.find("\"400\""), 5, "\"400\", \"--rate\", \"100\"");
  write_file(file, text);
  CAF_REQUIRE_EQUAL(up().code, 0);
  const auto running = folder / "data" / "ordering";
  const auto backup = folder / "data" / "backups" / "ordering";
  std::size_t before = 0;
  bool flowed = false;
  for (int i = 0; i < 3 && before + 20 < 400; ++i) { // below sanitizers a backup takes as long as many orders
    CAF_REQUIRE(wait_for_instances(before + 20));
    before = instances();
    flowed = flowed || before < 400;
    const auto made = back_up(running, backup, known());
    CAF_REQUIRE_EQUAL(made.code, 0);
    const auto copy = folder / ("copy" + std::to_string(i));
    CAF_CHECK_EQUAL(restore(backup, copy).code, 0);
    const auto all = lines_of(dump(copy, {"--type", "fulfilment"})).size();
    CAF_MESSAGE(before << " before, " << all << " in the backup");
    CAF_CHECK_LESS_OR_EQUAL(before, all);
  }
  CAF_CHECK(flowed);
  CAF_CHECK_EQUAL(back_up(running, folder / "data", known()).code, 2);
  CAF_CHECK_EQUAL(back_up(running, file, known()).code, 2);
  const auto port = ports[3];
  CAF_CHECK_EQUAL(call(port, "GET", ""), 405);
  CAF_CHECK_EQUAL(call(port, "POST", ""), 400);
  CAF_CHECK_EQUAL(call(port, "POST", "[]"), 400);
  CAF_CHECK_EQUAL(call(port, "POST", R"({"to": 7})"), 400);
  CAF_CHECK_EQUAL(call(port, "POST", R"({"to": "backup"})"), 400);
  CAF_CHECK_EQUAL(call(port, "POST", json{{"to", folder.string()}}.dump()), 400);
  CAF_CHECK_EQUAL(call(port, "POST", json{{"to", backup.string()}}.dump()), 200);
  CAF_CHECK(wait_for_ends(400));
  CAF_CHECK_EQUAL(cluster("down").code, 0);
  CAF_CHECK_EQUAL(verify(running).code, 0);
}

CAF_TEST(a backup of which the peers have seen more is caught until the loss is accepted) {
  CAF_REQUIRE_EQUAL(cluster("init").code, 0);
  const auto data_of_payment = folder / "data" / "payment";
  const auto backup = folder / "data" / "backups" / "payment";
  write(30);
  CAF_REQUIRE_EQUAL(up().code, 0);
  CAF_REQUIRE(wait_for_ends(30));
  CAF_REQUIRE_EQUAL(back_up(data_of_payment, backup, known()).code, 0);
  const auto place_until = [&](int orders) {
    CAF_REQUIRE_EQUAL(cluster("stop", "ordering").code, 0);
    write(orders);
    CAF_REQUIRE_EQUAL(cluster("start", "ordering").code, 0);
  };
  place_until(60);
  CAF_REQUIRE(wait_for_ends(60));
  CAF_REQUIRE_EQUAL(cluster("stop", "payment").code, 0);
  fs::remove_all(data_of_payment);
  CAF_CHECK_EQUAL(restore(backup, data_of_payment).code, 0);
  CAF_CHECK_EQUAL(cluster("start", "payment").code, 5);
  fs::remove_all(data_of_payment);
  CAF_CHECK_EQUAL(
      run({"journal", "restore", backup.string(), data_of_payment.string(), "--accept-loss"}).code, 0);
  CAF_REQUIRE_EQUAL(cluster("start", "payment").code, 0);
  place_until(90);
  CAF_CHECK(wait_for_ends(90));

  CAF_MESSAGE("nothing came after this backup");
  CAF_REQUIRE_EQUAL(cluster("stop", "payment").code, 0);
  CAF_CHECK_EQUAL(back_up(data_of_payment, backup, known()).code, 2); // it is another store now
  CAF_REQUIRE_EQUAL(back_up(data_of_payment, folder / "newer", known()).code, 0);
  fs::remove_all(data_of_payment);
  CAF_REQUIRE_EQUAL(restore(folder / "newer", data_of_payment).code, 0);
  CAF_REQUIRE_EQUAL(cluster("start", "payment").code, 0);
  place_until(120);
  CAF_CHECK(wait_for_ends(120));
  CAF_CHECK_EQUAL(cluster("down").code, 0);
  for (const auto* node : {"ordering", "payment", "warehouse"}) {
    CAF_CHECK_EQUAL(verify(folder / "data" / node).code, 0);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
