// Keys of the expiry index and of histories.
#define CAF_SUITE expiry_index

#include "engine/expiry.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

using namespace continuo;
using namespace continuo::engine;
using namespace std::chrono_literals;

CAF_TEST(entries of the index are in the order of time) {
  const instance_id first{"z", "z"};
  const instance_id last{"a", "a"};
  const std::vector<time_point> times{time_point::min(),
                                      time_point{-1s},
                                      time_point{},
                                      time_point{1ns},
                                      time_point{255ns},
                                      time_point{256ns},
                                      time_point{1'700'000'000s},
                                      time_point::max()};
  for (std::size_t i = 1; i < times.size(); ++i) {
    CAF_CHECK_LESS(expiry_key(expiry_kind::ended, times[i - 1], first),
                   expiry_key(expiry_kind::ended, times[i], last));
  }
  for (const auto time : times) {
    const auto key = expiry_key(expiry_kind::history, time, first);
    CAF_CHECK(key.starts_with(expiry_prefix(expiry_kind::history)));
    const auto entry = parse_expiry_key(key);
    CAF_REQUIRE(entry);
    CAF_CHECK(entry->kind == expiry_kind::history && entry->from == time && entry->instance() == first);
  }
  CAF_CHECK(!parse_expiry_key("er123"));
  CAF_CHECK(!parse_expiry_key("ex12345678a"));
  CAF_CHECK(!parse_expiry_key("er12345678no type"));
}

CAF_TEST(histories of instances whose keys begin alike do not mix) {
  const std::vector<instance_id> ids{{"order", ""},
                                     {"order", "a"},
                                     {"order", std::string("a\0", 2)},
                                     {"order", std::string("a\0\0\0\0\0\0\0\1", 9)},
                                     {"order", "ab"},
                                     {"orders", "a"},
                                     {"order", std::string(300, 'a')}};
  for (const auto& one : ids) {
    for (const auto& other : ids) {
      for (const auto revision : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x6100000000000001}}) {
        const auto key = history_key(other, revision);
        CAF_CHECK_EQUAL(key.starts_with(history_prefix(one)), one == other);
        CAF_CHECK_EQUAL(history_key(one, 0) <= key && key < history_key(one, ~std::uint64_t{0}),
                        one == other);
      }
    }
  }
  CAF_CHECK_LESS(history_key(ids[0], 255), history_key(ids[0], 256));
}
