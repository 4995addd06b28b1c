#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>

namespace continuo::bench {

/// What this disk can do at best: the limit for everything that is durable.
struct disk_limit {
  double growing_us = 0; ///< p50 of one 4 KiB append and fdatasync, in a file that grows
  double growing_p99_us = 0;
  double recycled_us = 0; ///< p50 of the same in a file that was written before
  double recycled_p99_us = 0;
  double rocksdb_us = 0;  ///< p50 of one RocksDB write of a 300-byte record with sync
  double rocksdb_1 = 0;   ///< such records a second, one by one
  double rocksdb_64 = 0;  ///< in batches of 64
  double rocksdb_512 = 0; ///< in batches of 512
};

/// Measures the disk under `directory`, about `seconds` for each of the five figures. Leaves nothing behind.
disk_limit measure_disk(const std::filesystem::path& directory, double seconds);

void print(const disk_limit& limit);
nlohmann::ordered_json to_json(const disk_limit& limit);

} // namespace continuo::bench
