#define CAF_SUITE journal_directory

#include "journal/directory.hpp"

#include "tests/journal/files.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace continuo;
using namespace continuo::journal;
using namespace continuo::journal::test;

namespace {

struct fixture {
  scratch place;
};

std::size_t entries(const std::filesystem::path& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{directory}) {
    ++count;
  }
  return count;
}

constexpr uid_t nobody = 65'534;

/// What a process may not open: a file without rights, or below root one that belongs to root.
void lock_up(const std::filesystem::path& path) {
  CAF_REQUIRE_EQUAL(::chown(path.c_str(), ::getuid(), static_cast<gid_t>(-1)), 0);
  std::filesystem::permissions(path, std::filesystem::perms::none);
}

/// Where this is root: else everything stays with who runs it.
void give_all(const std::filesystem::path& path, uid_t to) {
  if (::geteuid() == 0) {
    CAF_REQUIRE_EQUAL(::chown(path.c_str(), to, static_cast<gid_t>(-1)), 0);
    for (const auto& one : std::filesystem::recursive_directory_iterator{path}) {
      CAF_REQUIRE_EQUAL(::chown(one.path().c_str(), to, static_cast<gid_t>(-1)), 0);
    }
  }
}

/// Root may open everything, so it is somebody else meanwhile.
class as_nobody {
public:
  as_nobody() {
    if (was_root_) {
      CAF_REQUIRE_EQUAL(::seteuid(nobody), 0);
    }
  }
  ~as_nobody() {
    if (was_root_) {
      static_cast<void>(::seteuid(0));
    }
  }
  as_nobody(const as_nobody&) = delete;
  as_nobody& operator=(const as_nobody&) = delete;

private:
  bool was_root_ = ::geteuid() == 0;
};

std::pair<errc, std::string> code_and_text(const result<std::unique_ptr<data_directory>>& of) {
  return of ? std::pair{errc::malformed, std::string{"nothing was wrong"}}
            : std::pair{of.error().code, of.error().message};
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(directory_tests, fixture)

CAF_TEST(a missing directory is made for its owner alone) {
  const auto path = place / "a" / "data";
  {
    const auto held = data_directory::open(path);
    CAF_REQUIRE(held.has_value());
    struct stat status {};
    CAF_CHECK_EQUAL(::stat(path.c_str(), &status), 0);
    CAF_CHECK_EQUAL(status.st_mode & 0777u, 0700u);
    CAF_CHECK_EQUAL(read_file(path / "FORMAT"), "continuo data directory, format 1\n");
  }
  CAF_CHECK(data_directory::open(path).has_value());
}

CAF_TEST(a second node in the same process is refused) {
  const auto path = place / "data";
  auto held = data_directory::open(path);
  CAF_REQUIRE(held.has_value());
  const auto second = data_directory::open(path);
  CAF_REQUIRE(!second);
  CAF_CHECK(code_of(second) == errc::in_use);
  CAF_CHECK(second.error().message.find("this process (" + std::to_string(::getpid())) != std::string::npos);
  held->reset();
  CAF_CHECK(data_directory::open(path).has_value());
}

CAF_TEST(a second process is refused and told who holds the directory) {
  const auto path = place / "data";
  const auto held = data_directory::open(path);
  CAF_REQUIRE(held.has_value());
  const auto holder = "process " + std::to_string(::getpid());
  const auto child = ::fork();
  if (child == 0) {
    const auto second = data_directory::open(path);
    const auto refused = !second && second.error().code == errc::in_use &&
                         second.error().message.find(holder) != std::string::npos;
    ::_exit(refused ? 0 : 1);
  }
  int status = -1;
  CAF_CHECK_EQUAL(::waitpid(child, &status, 0), child);
  CAF_CHECK_EQUAL(status, 0);
}

CAF_TEST(a newer format is refused with both numbers and not touched) {
  write_file(place / "FORMAT", "continuo data directory, format 7\n");
  const auto refused = data_directory::open(place.path());
  CAF_REQUIRE(!refused);
  CAF_CHECK(code_of(refused) == errc::newer_version);
  CAF_CHECK(refused.error().message.find("format 7") != std::string::npos);
  CAF_CHECK(refused.error().message.find("knows 1") != std::string::npos);
  CAF_CHECK_EQUAL(entries(place.path()), 1u);
}

CAF_TEST(an unreadable format is refused as damage) {
  for (const auto* text :
       {"", "continuo data directory, format 1", "continuo data directory, format x\n",
        "continuo data directory, format 0\n", "continuo data directory, format 1 \n", "what\n"}) {
    write_file(place / "FORMAT", text);
    const auto refused = data_directory::open(place.path());
    CAF_REQUIRE(!refused);
    CAF_CHECK(code_of(refused) == errc::corrupt);
    CAF_CHECK_EQUAL(entries(place.path()), 1u);
  }
}

CAF_TEST(a directory of somebody else is refused and nothing made in it) {
  write_file(place / "holiday.jpg", "x");
  const auto refused = data_directory::open(place.path());
  CAF_REQUIRE(!refused);
  CAF_CHECK(code_of(refused) == errc::invalid_configuration);
  CAF_CHECK(refused.error().message.find("holiday.jpg") != std::string::npos);
  CAF_CHECK_EQUAL(entries(place.path()), 1u);
}

CAF_TEST(a file in place of the directory or on the way to it is an error with its path) {
  write_file(place / "file", "x");
  const auto refused = data_directory::open(place / "file");
  CAF_REQUIRE(!refused);
  CAF_CHECK(code_of(refused) == errc::invalid_configuration);
  const auto below = data_directory::open(place / "file" / "data");
  CAF_REQUIRE(!below);
  CAF_CHECK(code_of(below) == errc::invalid_configuration);
  CAF_CHECK(below.error().message.find((place / "file").string()) != std::string::npos);
}

CAF_TEST(an unwritable directory is an error with path and reason) {
  // Root may write everywhere, but not into /proc.
  const auto refused = data_directory::open("/proc/continuo");
  CAF_REQUIRE(!refused);
  CAF_CHECK(code_of(refused) == errc::storage_failed);
  CAF_CHECK(refused.error().message.find("/proc/continuo: ") != std::string::npos);
}

CAF_TEST(files of another user are an error with their owner and no damage) {
  const auto data = place / "data";
  static_cast<void>(data_directory::open(data));
  std::filesystem::create_directories(data / "journal" / "tables");
  for (const auto* name : {"journal/tables/000009.sst", "LOCK", "FORMAT", "journal"}) {
    CAF_MESSAGE(name);
    const auto theirs = data / name;
    if (!std::filesystem::exists(theirs)) {
      write_file(theirs, "x");
    }
    give_all(place.path(), nobody);
    lock_up(theirs);
    {
      const as_nobody other;
      for (const auto& refused :
           {code_and_text(data_directory::open(data)), code_and_text(data_directory::look_at(data))}) {
        CAF_CHECK(refused.first == errc::invalid_configuration);
        CAF_CHECK(refused.second.find(theirs.string() + ": Permission denied") != std::string::npos);
        CAF_CHECK(refused.second.find("belongs to user " + std::to_string(::getuid())) != std::string::npos);
      }
    }
    std::filesystem::permissions(theirs, std::filesystem::perms::owner_all);
    give_all(place.path(), ::getuid());
    CAF_CHECK(data_directory::open(data).has_value());
  }
}

CAF_TEST(root leaves the data directory of another user alone) {
  if (::geteuid() != 0) {
    return; // nobody else may do harm here
  }
  const auto data = place / "data";
  auto held = data_directory::open(data);
  give_all(data, nobody);
  CAF_CHECK(code_of(data_directory::open(data)) == errc::in_use);
  held->reset();
  const auto refused = data_directory::open(data);
  CAF_CHECK(code_of(refused) == errc::invalid_configuration);
  CAF_CHECK(refused.error().message.find("belongs to user " + std::to_string(nobody)) != std::string::npos);
  CAF_CHECK(data_directory::look_at(data).has_value()); // which leaves nothing behind
}

CAF_TEST(who looks at a directory changes nothing and keeps nodes out) {
  const auto path = place / "data";
  CAF_CHECK(code_of(data_directory::look_at(path)) == errc::invalid_configuration);
  CAF_CHECK(!std::filesystem::exists(path));
  static_cast<void>(data_directory::open(path));
  const auto count = entries(path);
  {
    const auto one = data_directory::look_at(path);
    const auto two = data_directory::look_at(path);
    CAF_REQUIRE(one.has_value() && two.has_value());
    CAF_CHECK(code_of(data_directory::open(path)) == errc::in_use);
    CAF_CHECK_EQUAL(data_directory::http_of_holder(path).value_or("?"), "");
  }
  CAF_CHECK_EQUAL(read_file(path / "LOCK"), "");
  CAF_CHECK_EQUAL(entries(path), count);
  std::filesystem::remove(path / "LOCK"); // as in a copy
  CAF_CHECK(data_directory::look_at(path).has_value());
  CAF_CHECK(!std::filesystem::exists(path / "LOCK"));
}

CAF_TEST(what is neither file nor directory is refused before it is opened) {
  const auto path = place / "data";
  CAF_REQUIRE(data_directory::open(path).has_value());
  std::filesystem::create_directories(path / "journal" / "tables");
  const auto text_of = [](const auto& opened) { return opened ? std::string{} : opened.error().message; };
  for (const auto* name : {"FORMAT", "LOCK", "running", "journal/tables/CURRENT"}) {
    const auto file = path / name;
    const auto aside = place / "aside";
    const auto is_there = std::filesystem::exists(file);
    if (is_there) {
      std::filesystem::rename(file, aside);
    }
    for (const bool is_link : {false, true}) {
      CAF_REQUIRE_EQUAL(is_link ? ::symlink("/dev/zero", file.c_str()) : ::mkfifo(file.c_str(), 0600), 0);
      const auto expected = file.string() + (is_link ? " is a link" : " is a FIFO");
      // FORMAT says whose the directory is, and is read first.
      const auto other = file.string() + (is_link ? " is a link" : " is no file");
      for (const auto& said : {text_of(data_directory::open(path)), text_of(data_directory::look_at(path))}) {
        CAF_MESSAGE(said);
        CAF_CHECK(said.starts_with(expected) ||
                  (name == std::string_view{"FORMAT"} && said.starts_with(other)));
      }
      std::filesystem::remove(file);
    }
    if (is_there) {
      std::filesystem::rename(aside, file);
    }
  }
  CAF_CHECK(data_directory::open(path).has_value());
  std::filesystem::resize_file(path / "FORMAT", 1u << 30); // a hole: nobody reads so much
  CAF_CHECK(text_of(data_directory::open(path)).ends_with("is larger than 4096 bytes"));
}

CAF_TEST(what cannot be looked at is no plain directory) {
  const auto path = place / "data";
  CAF_REQUIRE(data_directory::open(path).has_value());
  std::filesystem::create_directories(path / "meta" / "locked");
  std::filesystem::create_directory(path / "lost+found"); // of a file system, where there is one
  give_all(place.path(), nobody);
  lock_up(path / "meta" / "locked");
  lock_up(path / "lost+found");
  {
    const as_nobody somebody_else;
    const auto seen = check_plain(path);
    CAF_REQUIRE(!seen.has_value());
    CAF_MESSAGE(seen.error().message);
    CAF_CHECK(seen.error().message.starts_with("cannot look through " + (path / "meta" / "locked").string()));
  }
  std::filesystem::permissions(path / "meta" / "locked", std::filesystem::perms::owner_all);
  std::filesystem::remove(path / "meta" / "locked");
  const as_nobody somebody_else;
  CAF_CHECK(check_plain(path).has_value());
}

CAF_TEST(a slip in the path is called one whatever stands there) {
  const auto home = place / "home";
  std::filesystem::create_directories(home / "docs");
  CAF_REQUIRE_EQUAL(::symlink("/nowhere", (home / "docs" / "current").c_str()), 0);
  const auto opened = data_directory::open(home);
  CAF_REQUIRE(!opened.has_value());
  CAF_CHECK(opened.error().message.find("is not empty and not a data directory (it holds docs)") !=
            std::string::npos);
}

CAF_TEST(where the holder answers can be read while it holds the directory) {
  const auto path = place / "data";
  CAF_CHECK_EQUAL(data_directory::http_of_holder(path).value_or("?"), "");
  {
    const auto held = data_directory::open(path);
    CAF_REQUIRE(held.has_value());
    CAF_CHECK_EQUAL(data_directory::http_of_holder(path).value_or("?"), "");
    CAF_REQUIRE((*held)->tell_http("http://127.0.0.1:8702").has_value());
    CAF_CHECK_EQUAL(data_directory::http_of_holder(path).value_or("?"), "http://127.0.0.1:8702");
    const auto looked_at = data_directory::look_at(path);
    CAF_CHECK(code_of(looked_at) == errc::in_use);
    CAF_CHECK(looked_at.error().message.find("this process (" + std::to_string(::getpid()) + ")") !=
              std::string::npos);
  }
  // Whose word is it? A token may go there.
  {
    const auto held = data_directory::open(path);
    CAF_REQUIRE(held.has_value());
    CAF_REQUIRE((*held)->tell_http("http://127.0.0.1:8702").has_value());
    for (const auto& one : {path, path / "LOCK"}) {
      const auto mode = std::filesystem::status(one).permissions();
      std::filesystem::permissions(one, mode | std::filesystem::perms::others_write);
      CAF_CHECK(code_of(data_directory::http_of_holder(path)) == errc::invalid_configuration);
      std::filesystem::permissions(one, mode);
      give_all(path, nobody);
      if (::geteuid() == 0) {
        CAF_CHECK(code_of(data_directory::http_of_holder(path)) == errc::invalid_configuration);
      }
      give_all(path, ::getuid());
    }
    CAF_CHECK_EQUAL(data_directory::http_of_holder(path).value_or("?"), "http://127.0.0.1:8702");
  }
  // Of a node that was killed something may stand there.
  write_file(path / "LOCK", "17\nhttp://127.0.0.1:8702\n");
  CAF_CHECK_EQUAL(data_directory::http_of_holder(path).value_or("?"), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
