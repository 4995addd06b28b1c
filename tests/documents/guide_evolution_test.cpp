#define CAF_SUITE guide_evolution

#include <continuo/archive.hpp>
#include <continuo/fields.hpp>

#include <caf/test/dsl.hpp>

#include <cstdint>
#include <string>

// The chapter "Changing a message" of docs/guide.md.
namespace guide_evolution {

struct first_order_placed {
  std::string order_id;
  std::int64_t cents = 0;
  CONTINUO_FIELDS(first_order_placed, order_id, cents)
};

// doc: since
struct order_placed {
  std::string order_id;
  std::int64_t cents = 0;
  std::string currency = "EUR";
  CONTINUO_FIELDS(order_placed, order_id, cents, CONTINUO_SINCE(1, currency))
};
// doc: end

// doc: name
struct transfer {
  std::string from, to;
  CONTINUO_NAME("bank.transfer")
  CONTINUO_FIELDS(transfer, from, to)
};
// doc: end

// doc: enum
enum class paid_by : std::uint8_t { card, invoice };
CONTINUO_ENUM(paid_by, card, invoice)
// doc: end

} // namespace guide_evolution

using namespace guide_evolution;

CAF_TEST(bytes of the older version give the new field its default) {
  const auto read = continuo::decode<order_placed>(continuo::encode(first_order_placed{"o-1", 4200}));
  CAF_REQUIRE(read.has_value());
  CAF_CHECK_EQUAL(*read, (order_placed{"o-1", 4200, "EUR"}));
}

CAF_TEST(bytes of a newer version are refused) {
  const auto read = continuo::decode<first_order_placed>(continuo::encode(order_placed{"o-1", 4200, "CHF"}));
  CAF_REQUIRE(!read.has_value());
  CAF_CHECK(read.error().code == continuo::errc::newer_version);
}

CAF_TEST(a name and an enumerator are what the macros say) {
  CAF_CHECK_EQUAL(to_string(transfer{"a", "b"}).substr(0, 13), "bank.transfer");
  CAF_CHECK_EQUAL(to_string(paid_by::invoice), "invoice");
}
