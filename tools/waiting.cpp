#include "tools/waiting.hpp"

#include "tools/json_text.hpp"
#include "tools/report.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>

namespace continuo::tools {

int wait_and_show(const node_client& node, bool as_json, const waited_for& what,
                  const std::function<void(const nlohmann::json&)>& show) {
  const auto answer = node.wait(what.target, what.patience, what.name);
  if (!answer) {
    const auto code = refuse(answer.error());
    return code == 1 ? exit_not_asked : code; // 1 is an end that was told
  }
  const auto ended = answer->status == 200;
  const auto status = text_at(answer->json, "status");
  if (ended && status != "completed" && status != what.failed) {
    static_cast<void>(
        refuse(fmt::format("the end of {} is answered with the status \"{}\", which no node says: "
                           "is it a node, and as new as this program?",
                           what.name, printable(status))));
    return exit_not_asked;
  }
  if (as_json) {
    print_json(*answer);
  } else if (ended) {
    show(answer->json);
  }
  if (!ended) {
    remark(fmt::format("{} is not there after {}{}", what.name, age_text(what.patience),
                       status.empty() ? "" : fmt::format(": it is {}", printable(status))));
    return exit_not_yet;
  }
  return status == what.failed ? 1 : 0;
}

} // namespace continuo::tools
