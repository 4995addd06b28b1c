// Text that may be anything: it is a cluster file that CAF's parser reads in the same way, or refused with a
// line.

#include "tests/config/caf_view.hpp"
#include "tests/fuzz/claim.hpp"

#include "config/cluster_file.hpp"
#include "config/scanner.hpp"

#include <cstdint>

using namespace continuo;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(bytes), size};
  const auto entries = config::scan(text, "f");
  if (entries) {
    const auto scanned = tests::as_scanned(*entries);
    claim(scanned.empty() || scanned == tests::as_caf_reads(text), "CAF reads what we read");
  }
  const auto file = config::parse_cluster_file(text, "/f");
  if (!file) {
    claim(file.error().code == errc::invalid_configuration, "the code is that of a configuration");
    claim(file.error().message.rfind("/f:", 0) == 0, "an error begins with file and line");
    return 0;
  }
  claim(entries.has_value(), "what is read was scanned");
  claim(!file->nodes.empty(), "a cluster has nodes");
  for (const auto& node : file->nodes) {
    claim(config::node_config_of(*file, node.seen_by_peers.name).has_value(), "every node can be configured");
  }
  return 0;
}
