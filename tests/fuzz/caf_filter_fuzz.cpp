// Bytes of anything behind a good handshake of TLS: what CAF gets of them is whole messages of the few kinds
// that two nodes need, for actors that were offered, and in no name but that of the connection.

#include "tests/fuzz/claim.hpp"

#include "nodes/caf_filter.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

using namespace continuo;

namespace {

constexpr std::uint64_t gate = 7;
constexpr std::size_t header = 32;
const std::string here = "default.here";
const std::string peer = "default.peer";
const std::string frame_begins = "frame:";

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t made = 0;
  for (std::size_t i = 0; i < size; ++i) {
    made = made << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return made;
}

void check(std::string_view given, bool accepts) {
  bool is_first = true;
  while (!given.empty()) {
    claim(given.size() >= header, "headers are whole");
    const auto size = number(given, 4, 4);
    claim(given.size() >= header + size, "messages are whole");
    const auto payload = given.substr(header, size);
    const auto from = number(given, 16, 8);
    const auto to = number(given, 24, 8);
    claim(given[1] == 0 && given[2] == 0 && given[3] == 0, "nothing has flags");
    claim(is_first == (given[0] == (accepts ? 1 : 0)), "it introduces itself first, and once");
    switch (given[0]) {
    case 0:
    case 1:
      claim(payload.starts_with(peer), "under the id of the connection");
      break;
    case 2:
      claim(to == gate && from != 0 && payload.starts_with(frame_begins), "frames go to who was offered");
      break;
    case 4:
      claim(to == gate && payload == peer + here, "who was offered is watched");
      break;
    case 5:
      claim(from != 0 && payload == peer + here + "end", "its own actors end");
      break;
    default:
      claim(given[0] == 6 && size == 0, "nothing else but a heartbeat");
    }
    given.remove_prefix(header + size);
    is_first = false;
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  nodes::caf_filter::terms agreed;
  agreed.accepts = bytes[0] % 2 == 0;
  agreed.here = here;
  agreed.peer = peer;
  agreed.application = "ours";
  agreed.frame_begins = frame_begins;
  agreed.end_of_actor = "end";
  agreed.is_offered = [](std::uint64_t actor) { return actor == gate; };
  const auto accepts = agreed.accepts;
  const std::size_t piece = 1 + bytes[1];
  nodes::caf_filter filter{std::move(agreed)};
  std::string_view rest{reinterpret_cast<const char*>(bytes) + 2, size - 2};
  std::string given;
  while (!rest.empty()) {
    const auto some = rest.substr(0, piece);
    rest.remove_prefix(some.size());
    const auto taken = filter.take(some);
    std::string made(filter.ready(), 0);
    claim(filter.give(made.data(), made.size()) == made.size() && filter.ready() == 0, "all of it is given");
    given += made;
    if (!taken) {
      claim(!taken.error().message.empty(), "an error says what is wrong");
      break;
    }
  }
  check(given, accepts);
  return 0;
}
