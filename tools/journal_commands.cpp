#include "tools/journal_commands.hpp"

#include "journal/directory.hpp"
#include "journal/rocksdb_store.hpp"
#include "nodes/identity.hpp"

#include <fmt/format.h>

#include <chrono>
#include <random>

namespace continuo::tools {

namespace {

int refuse(const error& why) {
  fmt::print(stderr, "continuo: {}\n", why.message);
  const auto code = exit_code(why.code);
  return code != 0 ? code : 1;
}

} // namespace

int accept_loss(const std::filesystem::path& data) {
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
  if (auto done = nodes::accept_loss(**store, id); !done) {
    return refuse(done.error());
  }
  fmt::print(
      "{}: the store has a new id. Its peers take it in place of what they knew, and send again whatever\n"
      "they have not seen answered; what only the lost data held is gone. Start the node.\n",
      data.string());
  return 0;
}

} // namespace continuo::tools
