// A data directory, and a backup, of which somebody has changed some bytes: looking through it, starting on
// it and restoring it end with what was there or with a sentence, whatever they are. The input is the way in
// (a byte) and then changes, each the number of a file, what is done to it, where (two bytes), and some
// bytes.

#include "journal/copies.hpp"
#include "journal/directory.hpp"
#include "journal/journal.hpp"
#include "journal/reader.hpp"
#include "journal/rocksdb_store.hpp"
#include "journal/sectors.hpp"
#include "nodes/backup.hpp"
#include "tests/fuzz/claim.hpp"
#include "tests/journal/files.hpp"

#include <continuo/archive.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace {

using namespace continuo;
using namespace continuo::journal;
namespace fs = std::filesystem;

enum class way_in : std::uint8_t { look, start, restore };
enum class change : std::uint8_t { flip, overwrite, insert, cut, lengthen, replace, entry };

constexpr std::size_t ways = 3;
constexpr std::size_t changes = 7;
constexpr std::size_t changes_max = 4;

rocksdb_options options_of(const fs::path& data) {
  rocksdb_options options;
  options.directory = data / "journal";
  options.memory_bytes = 8u << 20;
  options.segment_bytes = 8 * sector_bytes;
  return options;
}

/// A small directory's files by their names, from which each input begins.
class original {
public:
  original() {
    const auto data = place_ / "data";
    claim(data_directory::open(data).has_value(), "a directory is made");
    for (int life = 0; life < 2; ++life) { // the tables hold the first one's, the log the second one's
      auto store = rocksdb_store::open(options_of(data));
      claim(store.has_value(), "a store is made");
      for (std::uint64_t number = 1; number < 4; ++number) {
        claim((*store)
                  ->commit({test::put(std::string{store_id_key}, encode(std::uint64_t{7})),
                            test::put("r" + std::to_string(life) + std::to_string(number),
                                      std::string(200 * number, 'v'))})
                  .has_value(),
              "a commit is made");
      }
      const auto made = nodes::back_up(**store, place_ / "backup", [](std::uint64_t) { return true; });
      claim(made.has_value(), "a backup is made");
    }
    read("data");
    read("backup");
  }

  const std::vector<std::string>& names(bool of_backup) const { return of_backup ? backup_ : data_; }

  /// Where the files of an input are put; it takes the place of those of the input before.
  fs::path begin(bool of_backup) const {
    fs::remove_all(place_ / "tried");
    fs::remove_all(place_ / "restored");
    const auto tried = place_ / "tried";
    fs::copy(place_ / (of_backup ? "backup" : "data"), tried, fs::copy_options::recursive);
    return tried;
  }

  fs::path restored() const { return place_ / "restored"; }

private:
  void read(const char* part) {
    auto& names = part[0] == 'd' ? data_ : backup_;
    for (const auto& one : fs::recursive_directory_iterator{place_ / part}) {
      if (one.is_regular_file()) {
        names.push_back(one.path().lexically_relative(place_ / part).string());
      }
    }
    std::sort(names.begin(), names.end());
  }

  test::scratch place_;
  std::vector<std::string> data_;
  std::vector<std::string> backup_;
};

class input {
public:
  explicit input(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::size_t number(std::size_t bytes = 1) {
    std::size_t made = 0;
    for (; bytes > 0 && !bytes_.empty(); --bytes) {
      made = made << 8 | static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
    }
    return made;
  }
  std::string_view text() {
    const auto size = std::min(number(), bytes_.size());
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

private:
  std::string_view bytes_;
};

/// The first sector after the head that is one of an entry, in place of which a whole one of these bytes
/// stands: what a checksum does not tell.
void write_entry(std::string& segment, std::string_view payload) {
  sector_head head;
  if (look_at_sector(std::string_view{segment}.substr(0, sector_bytes), 0, 0xFFFF'FFFF, head) ==
          sector_kind::damaged ||
      segment.size() < 2 * sector_bytes) {
    return;
  }
  sector_writer writer;
  writer.begin(head.commit, head.segment, 1, static_cast<std::uint32_t>(payload.size()));
  writer.append(payload);
  const auto sectors = writer.finish();
  segment.resize(std::max(segment.size(), sector_bytes + sectors.size()));
  segment.replace(sector_bytes, sectors.size(), sectors);
}

void apply(change what, std::string& bytes, std::size_t at, std::string_view text) {
  const auto place = bytes.empty() ? 0 : at % bytes.size();
  switch (what) {
  case change::flip:
    if (!bytes.empty()) {
      bytes[place] = static_cast<char>(bytes[place] ^ (text.empty() ? 1 : text.front()));
    }
    break;
  case change::overwrite:
    bytes.replace(place, std::min(text.size(), bytes.size() - place), text);
    break;
  case change::insert:
    bytes.insert(place, text);
    break;
  case change::cut:
    bytes.resize(place);
    break;
  case change::lengthen:
    bytes.append(at, text.empty() ? '\0' : text.front());
    break;
  case change::replace:
    bytes = text;
    break;
  case change::entry:
    write_entry(bytes, text);
    break;
  }
}

void look(const fs::path& journal) {
  const reader seen{journal};
  for (const auto& trouble : seen.troubles()) {
    claim(!trouble.message.empty(), "a trouble says what is wrong");
  }
  for (const auto& damaged : seen.check_tables()) {
    claim(!damaged.message.empty(), "a damage says what is wrong");
  }
  static_cast<void>(seen.scan("", [](std::string_view, const result<std::string_view>& value) {
    claim(value.has_value() || !value.error().message.empty(), "a value is read or refused");
    return true;
  }));
}

void start(const fs::path& data) {
  const auto held = data_directory::open(data);
  claim(held.has_value() || !held.error().message.empty(), "a directory is taken or refused");
  if (!held) {
    return;
  }
  auto store = rocksdb_store::open(options_of(data));
  claim(store.has_value() || !store.error().message.empty(), "a store opens or is refused");
  if (store) {
    static_cast<void>((*store)->scan("", [](std::string_view, std::string_view) { return true; }));
    static_cast<void>((*store)->commit({test::put("rnew", "value")}));
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const original whole; // its folder goes with the fuzzer
  input in{{reinterpret_cast<const char*>(data), size}};
  const auto way = static_cast<way_in>(in.number() % ways);
  const auto of_backup = way == way_in::restore;
  const auto tried = whole.begin(of_backup);
  for (std::size_t i = 0; i < changes_max && !in.empty(); ++i) {
    const auto& names = whole.names(of_backup);
    const auto file = tried / names[in.number() % names.size()];
    const auto what = static_cast<change>(in.number() % changes);
    const auto at = in.number(2);
    auto bytes = test::read_file(file);
    apply(what, bytes, at, in.text());
    test::write_file(file, bytes);
  }
  switch (way) {
  case way_in::look:
    look(tried / "journal");
    break;
  case way_in::start:
    start(tried);
    break;
  case way_in::restore: {
    const auto done = nodes::restore(tried, whole.restored(), [](const fs::path& journal) {
      look(journal);
      return result<void>{};
    });
    claim(done.has_value() || !done.error().message.empty(), "a backup is restored or refused");
    claim(done.has_value() == fs::exists(whole.restored()), "it is there whole or not at all");
    break;
  }
  }
  return 0;
}
