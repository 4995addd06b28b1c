#pragma once

#include "tools/arguments.hpp"
#include "tools/http_client.hpp"
#include "tools/known_cluster.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace continuo::tools {

/// What a node has answered with a 2xx.
struct node_answer {
  unsigned status = 0;
  nlohmann::json json;
  std::string text; ///< as it came
};

/// Calls of one node. Errors are ready to be printed: `invalid_configuration` for arguments, `unavailable`
/// where the node does not answer or has no answer now, another code with the node's own message where it
/// refuses.
class node_client {
public:
  /// Finds out which node to ask, and how. Asks nobody.
  static result<node_client> open(const node_options& chosen);

  /// @param field that the answer of a node has: another 2xx is that of something else
  result<node_answer> get(const std::string& target, const char* field) const;

  /// @param headers besides the token
  result<node_answer> call(const std::string& method, const std::string& target, const char* field,
                           const std::string& body = {},
                           std::vector<std::pair<std::string, std::string>> headers = {}) const;

  /// Asks `target` with `wait=` until it answers 200 or `patience` is over: then the last answer has status
  /// 202. A node that cannot answer for a while is asked again, once it has answered.
  /// @param what is waited for, for people
  result<node_answer> wait(const std::string& target, std::chrono::milliseconds patience,
                           const std::string& what) const;

  /// Passes on the lines of an endless answer. Gives why it has ended.
  error follow(const std::string& target, std::vector<std::pair<std::string, std::string>> headers,
               const std::function<void(std::string_view)>& line) const;

private:
  result<http_answer> exchange(const http_request& asked, std::chrono::milliseconds patience) const;
  result<node_answer> read(http_answer answer, const char* field) const;
  error unreachable(const error& why) const;
  std::string token_advice() const;

  node_address at_;
  std::string file_; ///< that has named the node; empty: an argument or the environment
};

/// `?name=value&...` of those that have a value.
std::string query(const std::vector<std::pair<std::string, std::string>>& values);

/// `/api/v1/instances/TYPE/KEY`
std::string instance_path(const instance_options& chosen);

/// Prints what a node has answered, and a line end.
void print_json(const node_answer& answer);

/// Opens the node and makes one call. Prints its JSON if that was chosen, else calls `show`. Gives the exit
/// code.
int ask_and_show(const node_options& chosen,
                 const std::function<result<node_answer>(const node_client&)>& ask,
                 const std::function<void(const nlohmann::json&)>& show);

/// How a list of a node becomes a table.
struct list_view {
  const char* list; ///< the field of the answer
  std::vector<std::string> headings;
  std::function<std::vector<std::string>(const nlohmann::json& entry)> row;
  const char* none; ///< what is said where nothing is in it
};

/// Prints one page, or all, of a list: as a table, or as the JSON that came. Says on standard error which
/// nodes are missing in it, and where there is more how to get it. Gives the exit code.
/// @param values of the query, besides those of the page
int show_list(const node_options& chosen, const page_options& page, const std::string& target,
              std::vector<std::pair<std::string, std::string>> values, const list_view& view);

} // namespace continuo::tools
