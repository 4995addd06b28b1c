#define CAF_SUITE messages_malformed_archive

#include <caf/test/dsl.hpp>

#include "tests/messages/every_field.hpp"

#include <continuo/archive.hpp>

using namespace continuo;
using samples::every_field;
using namespace std::string_view_literals;

namespace {

/// The message of the error that reading a `T` gives; the code in front where it is not `malformed`.
template <class T>
std::string refusal(std::string_view bytes) {
  const auto value = decode<T>(bytes);
  if (value) {
    return "it was read";
  }
  const auto& [code, message] = value.error();
  return code == errc::malformed ? message : std::string{to_string(code)} + ", " + message;
}

/// Counts what a test allocates beyond the small.
struct tracked {
  static inline std::size_t made = 0;
  std::int64_t number = 0;
  tracked() { ++made; }
  tracked(const tracked&) = default;
  tracked& operator=(const tracked&) = default;
  CONTINUO_FIELDS(tracked, number)
};

struct thrower {
  template <class Archive>
  void serialize(Archive&, unsigned) {
    throw std::runtime_error("no luck");
  }
};

} // namespace

CAF_TEST(bytes cut off anywhere are refused with the place) {
  const auto bytes = encode(samples::filled());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // A copy of its own size, so that a sanitizer sees a read beyond it.
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto value = decode<every_field>({cut.data(), cut.size()});
    CAF_REQUIRE(!value.has_value());
    CAF_CHECK(value.error().code == errc::malformed);
    CAF_CHECK(value.error().message.find("every_field: at offset ") == 0);
  }
}

CAF_TEST(a flipped bit never does more than give another value or an error) {
  const auto bytes = encode(samples::filled());
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto value = decode<every_field>(flipped);
    refused += value ? 0 : 1;
    if (value) {
      CAF_CHECK(encode(*value) != bytes);
    }
  }
  CAF_CHECK(refused > 100);
}

CAF_TEST(each kind of wrong byte is named with its offset) {
  using optional = std::optional<std::uint8_t>;
  using variant = std::variant<std::uint8_t, bool>;
  using map = std::map<std::string, bool>;
  using set = std::unordered_set<std::uint8_t>;
  using small_count = std::chrono::duration<std::int32_t>;
  CAF_CHECK_EQUAL(refusal<bool>(""), "bool: at offset 0: a bool takes 1 bytes, but 0 are left");
  CAF_CHECK_EQUAL(refusal<bool>("\2"), "bool: at offset 0: a bool is 0 or 1, not 2");
  CAF_CHECK_EQUAL(refusal<optional>("\xff\1"), "optional<uint8>: at offset 0: a bool is 0 or 1, not 255");
  CAF_CHECK_EQUAL(refusal<bool>("\1\1"), "bool: at offset 1: 1 bytes are left over");
  CAF_CHECK_EQUAL(refusal<std::int32_t>("\1\2\3"),
                  "int32: at offset 0: a number takes 4 bytes, but 3 are left");
  CAF_CHECK_EQUAL(
      refusal<samples::colour>("\3"),
      "newer_version, colour: at offset 0: 3 is none of the enum's values: a program that has more "
      "of them wrote it, so update this one");
  CAF_CHECK_EQUAL(refusal<variant>("\2\1"),
                  "variant<uint8, bool>: at offset 1: alternative 2 of a variant that has 2");
  CAF_CHECK_EQUAL(refusal<map>("\2\1b\1\1a\1"sv),
                  "map<string, bool>: at offset 4: a key that is not in order, or there "
                  "twice");
  CAF_CHECK_EQUAL(refusal<map>("\2\1a\1\1a\1"sv),
                  "map<string, bool>: at offset 4: a key that is not in order, or there "
                  "twice");
  CAF_CHECK_EQUAL(refusal<set>("\2\2\1"sv),
                  "set<uint8>: at offset 2: a key that is not in order, or there twice");
  CAF_CHECK_EQUAL(refusal<small_count>("\0\0\0\0\1\0\0\0"sv),
                  "duration: at offset 0: a count of 4294967296 is out of range");
  CAF_CHECK_EQUAL(refusal<std::string>("\5four"),
                  "string: at offset 1: 5 elements of at least 1 bytes, but 4 bytes are "
                  "left");
}

CAF_TEST(a size has one form only) {
  CAF_CHECK_EQUAL(refusal<std::string>("\x80\0"sv),
                  "string: at offset 0: a size in more bytes than it takes");
  CAF_CHECK_EQUAL(refusal<std::string>("\x81\x80\0x"sv),
                  "string: at offset 0: a size in more bytes than it takes");
  CAF_CHECK_EQUAL(refusal<std::string>("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
                  "string: at offset 0: a size that does not fit in 64 bits");
  CAF_CHECK_EQUAL(refusal<std::string>("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\1"),
                  "string: at offset 0: a size that does not fit in 64 bits");
  CAF_CHECK_EQUAL(refusal<std::string>("\xff\xff"),
                  "string: at offset 2: a size takes 1 bytes, but 0 are left");
}

CAF_TEST(no size makes the reader allocate more than the input could hold) {
  const auto largest = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv;
  const std::string claims{largest};
  CAF_CHECK(refusal<std::string>(claims).find("18446744073709551615 elements") != std::string::npos);
  CAF_CHECK(refusal<std::vector<std::uint8_t>>(claims + "12345678").find("18446744073709551615 elements") !=
            std::string::npos);
  // 2^61 numbers of 8 bytes: their size in bytes would wrap round to 0.
  CAF_CHECK(refusal<std::vector<double>>("\x80\x80\x80\x80\x80\x80\x80\x80\x20"sv)
                .find("elements of at least 8 bytes") != std::string::npos);
  CAF_CHECK(refusal<std::vector<bool>>(claims).find("elements") != std::string::npos);
  CAF_CHECK(
      (refusal<std::map<std::string, std::int64_t>>(claims).find("at least 9 bytes") != std::string::npos));
  // 100 elements are claimed and 3 are there: no more than these are made.
  tracked::made = 0;
  const auto three = encode(std::vector<tracked>(3));
  tracked::made = 0;
  CAF_CHECK(refusal<std::list<tracked>>("\x64" + three.substr(1) + std::string(80, '\xff')).find("version") !=
            std::string::npos);
  CAF_CHECK_EQUAL(tracked::made, 4u);
}

CAF_TEST(objects nest only so deep) {
  std::string bytes;
  for (int level = 0; level < 100'000; ++level) {
    bytes += "\0\0\1"sv; // class version, no name, one child
  }
  CAF_CHECK_EQUAL(refusal<samples::tree>(bytes),
                  "tree: at offset 385: objects are nested more than 128 deep");
}

CAF_TEST(what the serialize of a user throws becomes an error) {
  CAF_CHECK(refusal<thrower>("\0"sv).find(": no luck") != std::string::npos);
}
