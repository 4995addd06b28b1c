#define CAF_SUITE trace

#include "engine/trace.hpp"

#include <continuo/ids.hpp>

#include <caf/test/dsl.hpp>

#include <set>

using namespace continuo;
using namespace continuo::engine;

namespace {

const std::string client = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

} // namespace

CAF_TEST(only a traceparent of version 00 that names something is one) {
  CAF_CHECK(is_trace(client));
  for (const auto* wrong : {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
                            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                            "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
                            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                            "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
                            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01"}) {
    CAF_CHECK(!is_trace(wrong));
    CAF_CHECK_EQUAL(trace_behind(wrong, 1), "");
  }
}

CAF_TEST(what a span sends belongs to its trace and names the span) {
  const auto behind = trace_behind(client, 0xabc);
  CAF_CHECK_EQUAL(behind, "00-0af7651916cd43dd8448eb211c80319c-0000000000000abc-01");
  CAF_CHECK_EQUAL(trace_id_in(behind), trace_id_in(client));
  CAF_CHECK_EQUAL(span_id_in(behind), "0000000000000abc");
  CAF_CHECK(is_sampled(behind));
  CAF_CHECK(!is_sampled("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"));
  CAF_CHECK(is_sampled("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0b"));
}

CAF_TEST(ids of spans follow from what they are of) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t revision = 1; revision <= 1'000; ++revision) {
    CAF_CHECK_EQUAL(span_of_transition(7, revision), span_of_transition(7, revision));
    seen.insert(span_of_transition(7, revision));
    for (std::uint32_t index = 0; index < 3; ++index) {
      seen.insert(span_of({7, revision, index}));
    }
  }
  CAF_CHECK_EQUAL(seen.size(), 4'000u);
  const auto begun = new_trace({7, 1, 0});
  CAF_CHECK(is_trace(begun));
  CAF_CHECK_EQUAL(span_id_in(begun), span_text(span_of({7, 1, 0})));
  CAF_CHECK(new_trace({7, 2, 0}) != begun);
}
