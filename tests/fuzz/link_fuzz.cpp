// Frames of anything on a live link, some of which would be in order: whatever a peer says, the machine keeps
// its promises to the node that it belongs to.

#include "tests/fuzz/claim.hpp"

#include "engine/link.hpp"
#include "messages/frame_bounds.hpp"

#include <continuo/archive.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

using namespace continuo;
using namespace continuo::engine;

namespace {

constexpr std::uint64_t newest_store = 1'000'000;
constexpr std::uint64_t window = 8;
const messages::position here{20, 7};

/// The input, bit by bit. Zeros when it is over.
class source {
public:
  source(const std::uint8_t* bytes, std::size_t size) : rest_(reinterpret_cast<const char*>(bytes), size) {}

  bool is_over() const { return rest_.empty(); }

  std::uint8_t byte() {
    if (rest_.empty()) {
      return 0;
    }
    const auto made = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return made;
  }

  /// Often one of the numbers at which something ends.
  std::uint64_t number(std::uint64_t expected) {
    const auto kind = byte();
    if (kind < 128) {
      return expected;
    }
    if (kind < 160) {
      return expected + (kind % 4) - 2;
    }
    if (kind < 192) {
      return ~std::uint64_t{0} - kind % 4;
    }
    std::uint64_t made = 0;
    for (int i = 0; i < kind % 9; ++i) {
      made = made << 8 | byte();
    }
    return made;
  }

  std::string text(std::string_view expected) {
    const auto kind = byte();
    if (kind < 200) {
      return std::string{expected};
    }
    const auto size = std::min<std::size_t>(kind % 16, rest_.size());
    std::string made{rest_.substr(0, size)};
    rest_.remove_prefix(size);
    return made;
  }

  std::string_view some(std::size_t size) {
    const auto made = rest_.substr(0, size);
    rest_.remove_prefix(made.size());
    return made;
  }

private:
  std::string_view rest_;
};

link_settings settings(const std::string& name, const std::string& peer, std::uint64_t store) {
  link_settings made;
  made.cluster = "test";
  made.here = name;
  made.peer = peer;
  made.store = store;
  made.lives = {{store * 10, 1}};
  made.window = window;
  return made;
}

messages::greeting greeting(source& from, const std::string& name, const std::string& to,
                            std::uint64_t store) {
  messages::greeting made;
  made.protocol = static_cast<std::uint32_t>(from.number(messages::protocol_version));
  made.cluster = from.text("test");
  made.from = from.text(name);
  made.to = from.text(to);
  made.version = from.text("1");
  made.store = from.number(store);
  made.replaces = from.number(from.byte() % 2 == 0 ? 0 : messages::any_store);
  made.placement = from.number(0);
  made.at = {from.number(store * 10), from.number(5)};
  if (from.byte() % 4 == 0) {
    made.yours = messages::known_peer{from.number(2), {from.number(20), from.number(7)}, {}};
  }
  return made;
}

messages::batch_item item(source& from) {
  const instance_id saga{from.text("saga"), from.text("s")};
  const instance_id keyed{from.text("keyed"), from.text("k")};
  switch (from.byte() % 3) {
  case 0: {
    messages::envelope made;
    made.id = {from.number(1), from.number(9), static_cast<std::uint32_t>(from.byte())};
    made.kind = static_cast<messages::message_kind>(from.byte() % 6);
    made.from = saga;
    made.to = keyed;
    made.payload.resize((from.byte() % 8) * 3'000);
    return made;
  }
  case 1:
    return messages::receipt{saga, keyed, {from.number(2), from.number(1), 0}, {}, {}};
  default:
    return messages::call_for{saga, keyed, {from.number(2), from.number(1), 0}};
  }
}

messages::frame frame(source& from, const messages::epoch_id& epoch, std::uint64_t next) {
  messages::frame made;
  const messages::epoch_id of{from.number(epoch.starts), from.number(epoch.connection)};
  switch (from.byte() % 8) {
  case 0:
    made.body = messages::hello{{from.number(epoch.starts), from.number(epoch.connection + 1)},
                                greeting(from, "a", "b", 1)};
    break;
  case 1:
    made.body = messages::welcome{of, greeting(from, "a", "b", 1)};
    break;
  case 2:
    made.body = messages::refusal{of, from.byte(), from.text("why")};
    break;
  default: {
    messages::batch says;
    says.epoch = of;
    says.number = from.number(next);
    says.at = {from.number(10), from.number(5)};
    says.credit = from.number(16);
    for (int i = from.byte() % 12; i > 0; --i) {
      says.items.push_back(item(from));
    }
    made.body = std::move(says);
  }
  }
  return made;
}

/// The link of a node whose peer is wrong.
class victim {
public:
  void run(source& from) {
    begin();
    while (!from.is_over()) {
      step(from);
    }
  }

private:
  void begin() {
    engine::link a{settings("a", "b", 1), std::nullopt};
    auto hello = a.dial({10, 5}).frames.front();
    const auto out = link_.receive(std::move(hello), here, newest_store);
    claim(out.began, "a hello in order is taken");
    count(out);
    link_.open();
    flush();
  }

  void step(source& from) {
    switch (from.byte() % 16) {
    case 0:
      if (link_.is_up()) {
        const auto units = from.byte() % 4;
        taken_ += units;
        link_.taken(link_.token(), units);
      }
      break;
    case 1:
      flush();
      break;
    case 2:
      link_.offer({{"keyed", "k"}, {2, from.number(3), 0}});
      break;
    case 3: {
      messages::envelope own;
      own.id = {2, from.number(4), 0};
      own.from = {"keyed", "k"};
      own.to = {"saga", "s"};
      link_.send(std::move(own));
      break;
    }
    case 4:
      link_.lost();
      break;
    case 5: { // bytes, as they come
      auto made = decode<messages::frame>(from.some(from.byte()));
      if (made && !std::holds_alternative<messages::question>(made->body) &&
          !std::holds_alternative<messages::answer>(made->body) && messages::check_bounds(*made)) {
        receive(std::move(*made));
      }
      break;
    }
    default:
      auto made = frame(from, link_.epoch(), received_ + 1);
      if (messages::check_bounds(made)) {
        receive(std::move(made));
      }
    }
  }

  void receive(messages::frame&& said) {
    const auto was_up = link_.is_up();
    const auto before = link_.epoch();
    const auto* batch = std::get_if<messages::batch>(&said.body);
    const auto number = batch != nullptr ? batch->number : 0;
    const auto is_of_epoch = batch != nullptr && batch->epoch == before;
    const auto is_greeting = std::holds_alternative<messages::hello>(said.body);
    const auto out = link_.receive(std::move(said), here, newest_store);
    claim(out.frames.size() <= 1, "a frame has one answer at most");
    claim(out.arrived.empty() || (was_up && is_of_epoch && number == received_ + 1),
          "only the next batch of the epoch that is up is taken");
    claim(!out.fatal || is_greeting, "only a peer that greets can say that data was lost");
    claim(!out.offence || !link_.is_up(), "what no node says ends the epoch");
    claim(!out.began || (link_.is_up() && is_greeting), "a hello begins an epoch");
    if (out.learned) {
      claim(out.learned->store != 0 && out.learned->store <= newest_store, "no store is of a time to come");
      claim(out.learned->former.size() <= 256, "lost stores are bounded");
    }
    if (std::string_view{out.edge} == "take") {
      ++received_;
    }
    count(out);
  }

  void count(const link_effects& out) {
    if (out.began) {
      received_ = units_ = taken_ = announced_ = 0;
    }
    for (const auto& one : out.arrived) {
      if (const auto* message = std::get_if<messages::envelope>(&one)) {
        claim(units_ < announced_, "nothing comes without credit");
        units_ += units_of(*message);
      }
    }
  }

  void flush() {
    const auto frames = link_.flush(here, [](const waiting_message& wanted) {
      messages::envelope made;
      made.id = wanted.id;
      made.from = {"keyed", "k"};
      made.to = {"saga", "s"};
      return std::optional{made};
    });
    for (const auto& one : frames) {
      const auto& batch = std::get<messages::batch>(one.body);
      claim(batch.credit <= taken_ + window, "no more credit is given than there is room");
      announced_ = batch.credit;
    }
  }

  engine::link link_{settings("b", "a", 2), std::nullopt};
  std::uint64_t received_ = 0;
  std::uint64_t units_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t announced_ = 0;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  source from{bytes, size};
  victim{}.run(from);
  return 0;
}
