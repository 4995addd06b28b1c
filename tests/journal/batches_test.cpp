// What of several commits goes to the disk in one batch.
#define CAF_SUITE batches

#include "journal/journal.hpp"

#include <caf/test/dsl.hpp>

#include <string>
#include <vector>

using namespace continuo::journal;

namespace {

using kind = operation::kind;

/// What is left of transitions that share a sync, as `+key` and `-key`.
std::vector<std::string> left_of(const std::vector<std::vector<operation>>& transitions,
                                 bool creates = false) {
  std::vector<commit> commits;
  for (const auto& operations : transitions) {
    commits.emplace_back();
    commits.back().operations = operations;
    commits.back().creates = creates && commits.size() == 1;
  }
  std::vector<std::string> left;
  for (const auto& one : coalesce(commits)) {
    left.push_back((one.what == kind::put ? "+" : "-") + one.key);
  }
  return left;
}

operation put(std::string key) {
  return {kind::put, std::move(key), "value"};
}

operation erase(std::string key) {
  return {kind::erase, std::move(key), {}};
}

using keys = std::vector<std::string>;

} // namespace

CAF_TEST(a record that begins and ends within a batch leaves nothing) {
  CAF_CHECK(left_of({{put("r1")}, {put("r1")}, {erase("r1")}}, true) == keys{});
  CAF_CHECK(left_of({{put("r1")}, {erase("r1")}}) == keys{"-r1"}); // it may be on the disk
}

CAF_TEST(history is never left out) {
  CAF_CHECK(left_of({{put("r1"), put("h1")}, {erase("r1"), put("h2")}}, true) == (keys{"+h1", "+h2"}));
}

CAF_TEST(what is owed to a peer and no more within a batch leaves nothing) {
  CAF_CHECK(left_of({{put("r1"), put("ob r1")}, {put("r1"), erase("ob r1")}}) == keys{"+r1"});
  CAF_CHECK(left_of({{put("r1"), put("ob r1")}, {put("r1"), erase("ob r1")}, {put("r1"), put("ob r1")}}) ==
            (keys{"+r1", "+ob r1"}));
}

CAF_TEST(what was owed to a peer before is erased whatever happens within a batch) {
  CAF_CHECK(left_of({{put("r1"), erase("ob r1")}}) == (keys{"+r1", "-ob r1"}));
  CAF_CHECK(left_of({{erase("ob r1")}, {put("ob r1")}}) == keys{"+ob r1"});
  CAF_CHECK(left_of({{erase("ob r1")}, {put("ob r1")}, {erase("ob r1")}}) == keys{"-ob r1"});
}
