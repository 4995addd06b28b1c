#define CAF_SUITE ledger

#include "examples/order_fulfilment/ledger.hpp"
#include "examples/order_fulfilment/payment.hpp"
#include "examples/order_fulfilment/warehouse.hpp"
#include "tests/nodes/shop.hpp"

#include <caf/test/dsl.hpp>

#include <fstream>
#include <iterator>
#include <thread>

using namespace order_fulfilment;
using continuo::errc;
using continuo::tests::temporary_directory;

namespace {

ledger_entry charge(const std::string& key, const std::string& order) {
  return {key, order, "charge", "pay-of-" + order, {}, 100};
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

void write_text(const std::filesystem::path& file, const std::string& text) {
  std::ofstream{file, std::ios::binary} << text;
}

struct fixture {
  temporary_directory directory;
  std::filesystem::path file = directory.path() / "ledgers" / "payment.jsonl";

  std::shared_ptr<ledger> open() const {
    auto opened = ledger::open(file);
    CAF_REQUIRE(opened.has_value());
    return *opened;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(ledger_tests, fixture)

CAF_TEST(what was written is there when the ledger is opened again) {
  open()->append(charge("k-1", "o-1"));
  const auto again = open();
  CAF_REQUIRE_EQUAL(again->entries().size(), 1u);
  CAF_CHECK(again->find("k-1") == charge("k-1", "o-1"));
  CAF_CHECK(again->last("o-1", "charge") == charge("k-1", "o-1"));
  CAF_CHECK_EQUAL(again->count("charge"), 1u);
}

CAF_TEST(a repeated key gets the first answer and no second line) {
  open()->append(charge("k-1", "o-1"));
  const auto again = open();
  CAF_CHECK(again->append(charge("k-1", "o-2")) == charge("k-1", "o-1"));
  CAF_CHECK_EQUAL(ledger::read(file)->size(), 1u);
}

CAF_TEST(a torn last line is cut off wherever it is torn) {
  open()->append(charge("k-1", "o-1"));
  const auto first = text_of(file);
  open()->append(charge("k-2", "o-2"));
  const auto both = text_of(file);
  for (auto size = first.size(); size < both.size(); ++size) {
    write_text(file, both.substr(0, size));
    const auto torn = open();
    CAF_REQUIRE_EQUAL(torn->entries().size(), 1u);
    CAF_REQUIRE_EQUAL(text_of(file), first);
    torn->append(charge("k-3", "o-3"));
    CAF_REQUIRE_EQUAL(ledger::read(file)->size(), 2u);
  }
}

CAF_TEST(a damaged line is refused by file and line) {
  open()->append(charge("k-1", "o-1"));
  write_text(file, text_of(file) + "{\"kind\":\"charge\"}\n" + text_of(file));
  const auto before = text_of(file);
  const auto opened = ledger::open(file);
  CAF_REQUIRE(!opened.has_value());
  CAF_CHECK(opened.error().code == errc::corrupt);
  CAF_CHECK(opened.error().message.starts_with(file.string() + ":2:"));
  CAF_CHECK_EQUAL(text_of(file), before);
}

CAF_TEST(a ledger that is open is refused to others) {
  const auto held = open();
  const auto other = ledger::open(file);
  CAF_REQUIRE(!other.has_value());
  CAF_CHECK(other.error().code == errc::in_use);
}

CAF_TEST(threads that write at the same time write whole lines) {
  const auto book = open();
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < 100; ++i) {
        book->append(charge(std::to_string(writer) + "-" + std::to_string(i), "o-1"));
      }
    });
  }
  for (auto& writer : writers) {
    writer.join();
  }
  const auto lines = ledger::read(file);
  CAF_REQUIRE(lines.has_value());
  CAF_CHECK_EQUAL(lines->size(), 400u);
}

CAF_TEST(a charge repeated under its key is one charge) {
  bank provider{open()};
  const auto number = provider.charge("o-1", 100, "k-1");
  CAF_CHECK_EQUAL(provider.charge("o-1", 100, "k-1"), number);
  CAF_CHECK_EQUAL(ledger::read(file)->size(), 1u);
}

CAF_TEST(a refund happens once and a refund of nothing never) {
  bank provider{open()};
  provider.refund("o-1", "k-1");
  CAF_CHECK_EQUAL(ledger::read(file)->size(), 0u);
  provider.charge("o-1", 100, "k-2");
  provider.refund("o-1", "k-3");
  provider.refund("o-1", "k-3");
  provider.refund("o-1", "k-4");
  CAF_CHECK_EQUAL(ledger::read(file)->size(), 2u);
}

CAF_TEST(a voided label puts its goods back and a void of nothing does nothing) {
  label_printer printer{open(), {{"lamp", 1}}};
  printer.take_back("o-1", "k-1");
  CAF_CHECK_EQUAL(ledger::read(file)->size(), 0u);
  CAF_CHECK(printer.print({"o-1", "lamp", 1}, "k-2").has_value());
  CAF_CHECK(!printer.print({"o-2", "lamp", 1}, "k-3").has_value());
  printer.take_back("o-1", "k-4");
  CAF_CHECK(printer.print({"o-2", "lamp", 1}, "k-5").has_value());
  CAF_CHECK_EQUAL(ledger::read(file)->size(), 3u);
}

CAF_TEST(the stock is what the ledger has left of it) {
  {
    label_printer printer{open(), {{"lamp", 2}}};
    CAF_CHECK(printer.print({"o-1", "lamp", 2}, "k-1").has_value());
  }
  label_printer again{open(), {{"lamp", 2}}};
  CAF_CHECK(again.print({"o-1", "lamp", 2}, "k-1").has_value()); // the same label
  CAF_CHECK(!again.print({"o-2", "lamp", 1}, "k-2").has_value());
}

CAF_TEST_FIXTURE_SCOPE_END()
