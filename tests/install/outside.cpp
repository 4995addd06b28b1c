#include <continuo/ids.hpp>
#include <continuo/version.hpp>

#include <iostream>

// Exits with 0 when the installed library's headers and its archive agree: an id survives being printed and
// read.
int main() {
  const continuo::message_id id{7, 42, 3};
  const auto text = to_string(id);
  std::cout << "continuo " << continuo::version() << ", message " << text << '\n';
  const auto read = continuo::parse_message_id(text);
  return read && *read == id && !continuo::parse_message_id("nonsense") ? 0 : 1;
}
