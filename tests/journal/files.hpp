#pragma once

#include "journal/rocksdb_store.hpp"
#include "journal/store.hpp"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>

/// What the suites of the stores share.
namespace continuo::journal::test {

using contents = std::map<std::string, std::string, std::less<>>;

/// A directory of its own that goes with this object; in memory where the machine allows, for suites that
/// open a store thousands of times.
class scratch {
public:
  scratch() {
    const std::filesystem::path memory{"/dev/shm"};
    const auto base = std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
    auto pattern = (base / "continuo-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

private:
  std::filesystem::path path_;
};

inline operation put(std::string key, std::string value) {
  return {operation::kind::put, std::move(key), std::move(value)};
}

inline operation erase(std::string key) {
  return {operation::kind::erase, std::move(key), {}};
}

inline operation erase_range(std::string from, std::string to) {
  return {operation::kind::erase_range, std::move(from), std::move(to)};
}

/// Why something failed; no code at all if it did not.
template <class T>
errc code_of(const result<T>& outcome) {
  return outcome ? errc{} : outcome.error().code;
}

/// Everything in the store, or why it cannot be read.
inline result<contents> read_all(const store& from) {
  contents all;
  auto scanned = from.scan("", [&](std::string_view key, std::string_view value) {
    all.emplace(key, value);
    return true;
  });
  if (!scanned) {
    return tl::unexpected(scanned.error());
  }
  return all;
}

/// Small files, so that a test may try every byte of them.
inline rocksdb_options small(const std::filesystem::path& directory) {
  rocksdb_options options;
  options.directory = directory;
  options.memory_bytes = 8u << 20;
  options.segment_bytes = 64u << 10;
  return options;
}

/// What is so large that changes of it are written alone; each number changes one line.
inline std::string large_value(std::uint64_t number) {
  constexpr std::uint64_t lines = 240;
  std::string text;
  for (std::uint64_t line = 0; line < lines; ++line) {
    const auto changed = number - (number + line) % lines; // wraps at first
    text += std::to_string(line) + " was changed at " + std::to_string(changed % 1'000'000) + "\n";
  }
  return text;
}

/// The `number`th batch of a run that anybody can repeat: overwrites, erases, ranges erased, and history.
inline batch numbered_batch(std::uint64_t number) {
  const auto text = std::to_string(number);
  const auto history = [](std::uint64_t of) {
    const auto digits = std::to_string(of);
    return "h" + std::string(8 - digits.size(), '0') + digits;
  };
  batch changes{put("rorder" + std::string(1, '\0') + std::to_string(number % 7),
                    std::string(40 + number % 300, 'a') + text),
                put(history(number), "history " + text)};
  if (number % 11 == 0) {
    changes.push_back(erase_range(history(number - 9), history(number - 2)));
  }
  if (number % 5 == 0) {
    changes.push_back(erase("rorder" + std::string(1, '\0') + std::to_string(number / 5 % 7)));
  }
  changes.push_back(number % 97 == 0 ? erase("rlarge") : put("rlarge", large_value(number)));
  changes.push_back(put("mlast", text));
  return changes;
}

/// What a store holds after the first `count` batches.
inline contents after(std::uint64_t count) {
  contents all;
  for (std::uint64_t number = 1; number <= count; ++number) {
    for (auto& change : numbered_batch(number)) {
      switch (change.what) {
      case operation::kind::put:
        all[change.key] = change.value;
        break;
      case operation::kind::erase:
        all.erase(change.key);
        break;
      case operation::kind::erase_range:
        all.erase(all.lower_bound(change.key), all.lower_bound(change.value));
        break;
      }
    }
  }
  return all;
}

/// How many whole batches `all` is the result of.
inline std::uint64_t count_of(const contents& all) {
  const auto last = all.find("mlast");
  return last == all.end() ? 0 : std::stoull(last->second);
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

inline void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream{path, std::ios::binary | std::ios::trunc}.write(bytes.data(),
                                                                static_cast<std::streamsize>(bytes.size()));
}

} // namespace continuo::journal::test
