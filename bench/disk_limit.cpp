#include "bench/disk_limit.hpp"

#include "bench/latencies.hpp"
#include "bench/report.hpp"

#include <fmt/core.h>

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

namespace continuo::bench {

namespace {

using steady = std::chrono::steady_clock;

constexpr std::size_t block_bytes = 4096;
constexpr std::size_t recycled_bytes = 64u << 20;

double microseconds_since(steady::time_point begun) {
  return std::chrono::duration<double, std::micro>(steady::now() - begun).count();
}

void require(bool succeeded, const char* what) {
  if (!succeeded) {
    throw std::runtime_error(std::string{"the disk cannot be measured: "} + what + " failed");
  }
}

/// Writes blocks one after the other, each with a sync of its own. `bytes` is where it starts again from the
/// beginning.
latencies sync_blocks(int file, double seconds, std::size_t bytes) {
  std::array<char, block_bytes> block{};
  block.fill('x');
  latencies taken;
  std::size_t place = 0;
  const auto begun = steady::now();
  while (microseconds_since(begun) < seconds * 1e6) {
    const auto one = steady::now();
    require(pwrite(file, block.data(), block.size(), static_cast<off_t>(place)) == block_bytes, "a write");
    require(fdatasync(file) == 0, "fdatasync");
    taken.add(microseconds_since(one));
    place += block_bytes;
    if (place + block_bytes > bytes) {
      place = 0;
    }
  }
  return taken;
}

latencies sync_growing(const std::filesystem::path& directory, double seconds) {
  const auto file = open((directory / "growing").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  require(file >= 0, "opening a file");
  auto taken = sync_blocks(file, seconds, ~std::size_t{0});
  close(file);
  return taken;
}

latencies sync_recycled(const std::filesystem::path& directory, double seconds) {
  const auto file = open((directory / "recycled").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  require(file >= 0, "opening a file");
  const std::string zeros(1u << 20, '\0');
  for (std::size_t written = 0; written < recycled_bytes; written += zeros.size()) {
    require(write(file, zeros.data(), zeros.size()) == static_cast<ssize_t>(zeros.size()), "a write");
  }
  require(fsync(file) == 0, "fsync");
  auto taken = sync_blocks(file, seconds, recycled_bytes);
  close(file);
  return taken;
}

/// Records a second, of 300 bytes under random keys, in synced batches of `size`.
double rocksdb_rate(rocksdb::DB& db, std::size_t size, double seconds, latencies& taken) {
  const std::string value(300, 'v');
  rocksdb::WriteOptions synced;
  synced.sync = true;
  std::uint64_t random = 1;
  std::uint64_t records = 0;
  const auto begun = steady::now();
  while (microseconds_since(begun) < seconds * 1e6) {
    rocksdb::WriteBatch batch;
    for (std::size_t i = 0; i < size; ++i) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      batch.Put(fmt::format("r{:016x}", random), value);
    }
    const auto one = steady::now();
    require(db.Write(synced, &batch).ok(), "a write to RocksDB");
    taken.add(microseconds_since(one));
    records += size;
  }
  return static_cast<double>(records) / (microseconds_since(begun) / 1e6);
}

} // namespace

disk_limit measure_disk(const std::filesystem::path& directory, double seconds) {
  const scratch_directory scratch{directory};
  disk_limit limit;
  auto growing = sync_growing(scratch.path(), seconds);
  limit.growing_us = growing.percentile(0.5);
  limit.growing_p99_us = growing.percentile(0.99);
  auto recycled = sync_recycled(scratch.path(), seconds);
  limit.recycled_us = recycled.percentile(0.5);
  limit.recycled_p99_us = recycled.percentile(0.99);

  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  require(rocksdb::DB::Open(options, (scratch.path() / "rocksdb").string(), &opened).ok(), "opening RocksDB");
  const std::unique_ptr<rocksdb::DB> db{opened};
  latencies single;
  latencies ignored;
  limit.rocksdb_1 = rocksdb_rate(*db, 1, seconds, single);
  limit.rocksdb_us = single.percentile(0.5);
  limit.rocksdb_64 = rocksdb_rate(*db, 64, seconds, ignored);
  limit.rocksdb_512 = rocksdb_rate(*db, 512, seconds, ignored);
  return limit;
}

void print(const disk_limit& limit) {
  fmt::print(
      "the disk: one 4 KiB append and fdatasync: p50 {} us (p99 {}) in a growing file, {} us (p99 {}) in a "
      "recycled one\n",
      grouped(limit.growing_us), grouped(limit.growing_p99_us), grouped(limit.recycled_us),
      grouped(limit.recycled_p99_us));
  fmt::print("RocksDB, synced 300-byte records a second: {} one by one (p50 {} us), {} in batches of 64, {} "
             "in batches of "
             "512\n\n",
             grouped(limit.rocksdb_1), grouped(limit.rocksdb_us), grouped(limit.rocksdb_64),
             grouped(limit.rocksdb_512));
  std::fflush(stdout);
}

nlohmann::ordered_json to_json(const disk_limit& limit) {
  return {
      {"growing_sync_us", limit.growing_us},
      {"growing_sync_p99_us", limit.growing_p99_us},
      {"recycled_sync_us", limit.recycled_us},
      {"recycled_sync_p99_us", limit.recycled_p99_us},
      {"rocksdb_sync_us", limit.rocksdb_us},
      {"rocksdb_records_per_second_1", limit.rocksdb_1},
      {"rocksdb_records_per_second_64", limit.rocksdb_64},
      {"rocksdb_records_per_second_512", limit.rocksdb_512},
  };
}

} // namespace continuo::bench
