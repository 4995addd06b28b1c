#define CAF_SUITE messages_ids

#include <caf/test/dsl.hpp>

#include <continuo/ids.hpp>

#include <limits>
#include <unordered_set>

using namespace continuo;

CAF_TEST(an instance is called by type and key) {
  CAF_CHECK_EQUAL(to_string(instance_id{"fulfilment", "o-1"}), "fulfilment/o-1");
}

CAF_TEST(a message id has one form and is read from it) {
  CAF_CHECK_EQUAL(to_string(message_id{0x2a, 7, 3}), "000000000000002a-7-3");
  for (const auto id :
       {message_id{}, message_id{1, 0, 0}, message_id{0x2a, 7, 3},
        message_id{std::numeric_limits<std::uint64_t>::max(), std::numeric_limits<std::uint64_t>::max(),
                   std::numeric_limits<std::uint32_t>::max()}}) {
    const auto read = parse_message_id(to_string(id));
    CAF_REQUIRE(read.has_value());
    CAF_CHECK(*read == id);
  }
}

CAF_TEST(what is no message id is refused with an example) {
  for (const auto* text :
       {"", "-", "--", "2a-7-3", "000000000000002A-7-3", "000000000000002g-7-3", "0000000000000002a-7-3",
        "000000000000002a-7", "000000000000002a--3", "000000000000002a-7-", "000000000000002a-07-3",
        "000000000000002a-7-00", "000000000000002a-+7-3", "000000000000002a- 7-3", "000000000000002a-7-3 ",
        "000000000000002a-7-3-1", "000000000000002a-18446744073709551616-0",
        "000000000000002a-0-4294967296"}) {
    const auto read = parse_message_id(text);
    CAF_REQUIRE(!read.has_value());
    CAF_CHECK(read.error().code == errc::malformed);
    CAF_CHECK_EQUAL(read.error().message,
                    "\"" + std::string{text} + "\" is no message id; one looks like 000000000000002a-7-0");
  }
}

CAF_TEST(the ids of one store grow in the order of sending) {
  CAF_CHECK((message_id{1, 2, 9} < message_id{1, 10, 0}));
  CAF_CHECK((message_id{1, 2, 0} < message_id{1, 2, 1}));
  CAF_CHECK(!message_id{});
  CAF_CHECK((message_id{1, 0, 0}));
}

CAF_TEST(ids that differ hash apart) {
  std::unordered_set<std::size_t> hashes;
  for (std::uint64_t revision = 0; revision < 100; ++revision) {
    for (std::uint32_t index = 0; index < 100; ++index) {
      hashes.insert(std::hash<message_id>{}(message_id{42, revision, index}));
    }
  }
  CAF_CHECK_EQUAL(hashes.size(), 10'000u);
  CAF_CHECK((std::hash<instance_id>{}({"a", "b"}) != std::hash<instance_id>{}({"b", "a"})));
}
