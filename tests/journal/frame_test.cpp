#define CAF_SUITE journal_frame

#include "journal/frame.hpp"

#include "journal/sectors.hpp"
#include "tests/journal/files.hpp"

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::journal;
using namespace continuo::journal::test;

CAF_TEST(a value comes out of its frame as it went in) {
  for (const auto size : {0u, 1u, 16u, 300u, 5'000u}) {
    const std::string value(size, 'v');
    CAF_CHECK(*unframe("key", frame("key", value)) == value);
  }
}

CAF_TEST(every flipped bit in a frame is found) {
  const auto framed = frame("rorder", "a value of some length");
  for (std::size_t i = 0; i < framed.size() * 8; ++i) {
    auto flipped = framed;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    const auto value = unframe("rorder", flipped);
    CAF_REQUIRE(!value);
    CAF_REQUIRE(code_of(value) == errc::corrupt);
  }
}

CAF_TEST(a value under another key or cut short is found) {
  const auto framed = frame("one", "value");
  CAF_CHECK(code_of(unframe("two", framed)) == errc::corrupt);
  CAF_CHECK(code_of(unframe("onev", framed)) == errc::corrupt);
  for (std::size_t size = 0; size < framed.size(); ++size) {
    CAF_CHECK(code_of(unframe("one", std::string_view{framed}.substr(0, size))) == errc::corrupt);
  }
}

CAF_TEST(the bytes of a frame are those of the format) {
  // Format version 1; were these bytes to change, no older directory could be read.
  const auto framed = frame("k", "v");
  CAF_CHECK_EQUAL(framed.size(), frame_bytes + 1);
  CAF_CHECK_EQUAL(framed.front(), '\1');
  CAF_CHECK_EQUAL(framed.back(), 'v');
}

CAF_TEST(every flipped byte in a sector is damage and nothing else) {
  sector_writer writer;
  writer.begin(7, 3, 5, 1'000);
  writer.append(std::string(1'000, 'x'));
  const std::string segment = std::string(5 * sector_bytes, '\0') + std::string{writer.finish()};
  sector_head head;
  CAF_CHECK(look_at(segment, 4, 3, head) == sector_kind::absent);
  CAF_CHECK(look_at(segment, 7, 3, head) == sector_kind::present);
  CAF_CHECK_EQUAL(head.commit, 7u);
  CAF_CHECK_EQUAL(head.ordinal, 2u);
  CAF_CHECK(look_at(segment, 8, 3, head) == sector_kind::absent);
  CAF_CHECK(look_at(segment, 5, 4, head) == sector_kind::absent);
  CAF_CHECK(look_at(segment, 5, 2, head) == sector_kind::damaged);
  for (std::size_t i = 5 * sector_bytes; i < segment.size(); ++i) {
    auto flipped = segment;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    CAF_REQUIRE(look_at(flipped, i / sector_bytes, 3, head) == sector_kind::damaged);
  }
}
