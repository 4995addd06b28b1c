// Which of two words about a service holds.
#define CAF_SUITE service_pauses

#include "engine/service_pause.hpp"

#include <continuo/archive.hpp>

#include <caf/test/dsl.hpp>

using namespace continuo;
using namespace continuo::engine;
using namespace std::chrono_literals;

namespace {

const time_point noon{std::chrono::hours{12}};

service_pause word(bool paused, const std::string& who, time_point at) {
  return {"payment", paused, who, {}, at};
}

} // namespace

CAF_TEST(the later word holds and of two at one moment the same one everywhere) {
  const auto paused = word(true, "ann", noon);
  const auto resumed = word(false, "bob", noon + 1s);
  CAF_CHECK(is_newer(resumed, paused));
  CAF_CHECK(!is_newer(paused, resumed));
  CAF_CHECK(!is_newer(paused, paused));
  const auto other = word(false, "bob", noon);
  CAF_CHECK(is_newer(paused, other) != is_newer(other, paused));
}

CAF_TEST(what an operator says now is newer than what is known even if the clock is behind) {
  const auto paused = word(true, "ann", noon);
  CAF_CHECK(is_newer(given_after(word(false, "bob", noon - 1h), paused), paused));
  CAF_CHECK(given_after(word(false, "bob", noon + 1h), paused).at == noon + 1h);
  const auto never = word(true, "ann", time_point::max());
  CAF_CHECK(given_after(word(false, "bob", noon), never).at == noon); // nothing is later
}

CAF_TEST(a pause says who and why as far as that is known) {
  CAF_CHECK_EQUAL(to_sentence({"payment", true, "ann", "the bank is closed", noon}),
                  "paused by ann: the bank is closed");
  CAF_CHECK_EQUAL(to_sentence(word(true, "", noon)), "paused by an operator");
  CAF_CHECK_EQUAL(pause_key("payment"), "cpayment");
}
