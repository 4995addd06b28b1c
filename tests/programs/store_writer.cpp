// Commits numbered batches until it is killed, and says each number on its standard output once it is
// durable. Usage: store_writer DIRECTORY

#include "journal/rocksdb_store.hpp"

#include "tests/journal/files.hpp"

#include <cstdio>
#include <string>
#include <unistd.h>

int main(int argc, char** argv) {
  using namespace continuo::journal;
  if (argc != 2) {
    return 2;
  }
  auto opened = rocksdb_store::open(test::small(argv[1]));
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return 4;
  }
  const auto all = test::read_all(**opened);
  if (!all) {
    return 3;
  }
  for (auto number = test::count_of(*all) + 1;; ++number) {
    if (!(*opened)->commit(test::numbered_batch(number))) {
      return 4;
    }
    const auto line = std::to_string(number) + "\n";
    if (::write(1, line.data(), line.size()) < 0) {
      return 0;
    }
  }
}
