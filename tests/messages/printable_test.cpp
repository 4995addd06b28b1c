#define CAF_SUITE messages_printable

#include "messages/printable.hpp"

#include <caf/test/dsl.hpp>

using continuo::is_printable;
using continuo::printable;

CAF_TEST(text of any script stays as it is) {
  for (const auto* text : {"", "o-1", "a b\\c", "Überweisung", "заказ", "注文", "😀", "می\u200cخواهم", "~"}) {
    CAF_CHECK_EQUAL(printable(text), text);
    CAF_CHECK(is_printable(text));
  }
}

CAF_TEST(what ends lines or steers terminals or turns text around is written out) {
  const std::pair<std::string, std::string> all[] = {
      {"a\nb", R"(a\nb)"},
      {"a\r\tb", R"(a\x0d\x09b)"},
      {"\x1b[2J", R"(\x1b[2J)"},
      {std::string("a\0b", 3), R"(a\x00b)"},
      {"\x7f", R"(\x7f)"},
      {"\xc2\x9b"
       "2J",
       R"(\xc2\x9b2J)"},                     // CSI of C1
      {"\xe2\x80\xae", R"(\xe2\x80\xae)"},   // right-to-left override
      {"\xe2\x81\xa6x", R"(\xe2\x81\xa6x)"}, // an isolate
      {"\xe2\x80\xa8", R"(\xe2\x80\xa8)"},   // line separator
      {"a\xe2\x80\x8b"
       "b",
       R"(a\xe2\x80\x8bb)"},                       // a blank without width, which nobody sees
      {"\xc2\xad", R"(\xc2\xad)"},                 // a soft hyphen
      {"\xef\xbb\xbf", R"(\xef\xbb\xbf)"},         // a byte order mark
      {"\xe3\x85\xa4", R"(\xe3\x85\xa4)"},         // a filler
      {"\xf3\xa0\x81\x81", R"(\xf3\xa0\x81\x81)"}, // a tag
      {"\xff", R"(\xff)"},                         // no UTF-8
      {"\xc3", R"(\xc3)"},                         // cut off
      {"\xc0\x8a", R"(\xc0\x8a)"},                 // a line end, written too long
      {"\xed\xa0\x80", R"(\xed\xa0\x80)"},         // half of a pair of UTF-16
      {"\xf4\x90\x80\x80", R"(\xf4\x90\x80\x80)"}, // beyond the last character
  };
  for (const auto& [text, expected] : all) {
    CAF_CHECK_EQUAL(printable(text), expected);
    CAF_CHECK(!is_printable(text));
  }
}

CAF_TEST(text of several lines keeps them and nothing else that steers) {
  using continuo::printable_lines;
  CAF_CHECK_EQUAL(printable_lines(""), "");
  CAF_CHECK_EQUAL(printable_lines("one\n\ttwo\n"), "one\n\ttwo\n");
  CAF_CHECK_EQUAL(printable_lines("\x1b[2J\n\r\xc2\x85\nz\x9b"), "\\x1b[2J\n\\x0d\\xc2\\x85\nz\\x9b");
}
