#define CAF_SUITE config_scanner

#include <caf/test/dsl.hpp>

#include "config/scanner.hpp"
#include "tests/config/caf_view.hpp"

using namespace continuo;
using namespace continuo::config;

namespace {

std::string listed(std::string_view text) {
  const auto entries = scan(text, "f");
  if (!entries) {
    return entries.error().message;
  }
  std::string lines;
  for (const auto& entry : *entries) {
    const auto kind = entry.kind == entry_kind::section      ? "section"
                      : entry.kind == entry_kind::dictionary ? "{}"
                                                             : "=";
    lines += std::to_string(entry.line) + " " + entry.path + " " + kind + entry.text + "\n";
  }
  return lines;
}

struct row {
  std::string text;
  std::string error;
};

const row refused[] = {
    {"x=1\n", "f:1: x: the key belongs to no section; write it below a [section]"},
    {"[global]\nx=1\n", "f:2: x: the key belongs to no section; write it below a [section]"},
    {"[a]\nx=1\ny=2\nx=3\n", "f:4: a.x: the key was given in line 2 already; keep one of them"},
    {"[a]\nx={b=1,\nb=2}\n", "f:3: a.x.b: the key was given in line 2 already; keep one of them"},
    {"[a]\nx=1\nx={b=2}\n", "f:3: a.x: the key was given in line 2 already; keep one of them"},
    {"[a]\nx={}\n[a.x]\n", "f:3: a.x: the key was given in line 2 already; keep one of them"},
    {"[a.x]\n[a]\nx={}\n", "f:3: a.x: the key was given in line 1 already; keep one of them"},
    {"[a]\n[b]\n[a]\n", "f:3: a: the section was opened in line 1 already; write all its keys there"},
    {"[a.b]\n[a.b]\n", "f:2: a.b: the section was opened in line 1 already; write all its keys there"},
    {"[a.b.c]\n",
     "f:1: the section [a.b.c] is nested too deep; write its last name as a dictionary, KEY={...}, in "
     "the section around it"},
    {"[a", "f:1: the section [a is not closed; write [a] with letters, digits, - and _"},
    {"[a\n]\n", "f:1: the section [a is not closed; write [a] with letters, digits, - and _"},
    {"[a.b ]", "f:1: the section [a.b is not closed; write [a.b] with letters, digits, - and _"},
    {"[]", "f:1: `]` stands where the name of a section is expected; write [NAME] or [NAME.NAME]"},
    {"[a.]", "f:1: `]` stands where the name of a section is expected; write [NAME] or [NAME.NAME]"},
    {"[", "f:1: the file ends where the name of a section is expected; write [NAME] or [NAME.NAME]"},
    {"[a] x=1", "f:1: `x=1` stands behind the section; begin a new line, or a comment with ;"},
    {"[a]\nx=1 y=2\n", "f:2: `y=2` stands behind the value; begin a new line, or a comment with ;"},
    {"[a]\nx=\"a\"=1\n", "f:2: `=1` stands behind the value; begin a new line, or a comment with ;"},
    {"[a]\nx=[1],\n", "f:2: `,` stands behind the value; begin a new line, or a comment with ;"},
    {"[a]\n\n# no\n", "f:3: `# no` is neither a [section], a key=value nor a ; comment"},
    {"[a]\n-x=1\n", "f:2: `-x=1` is neither a [section], a key=value nor a ; comment"},
    {"[a]\n\xef\xbb\xbf", "f:2: `\xef\xbb\xbf` is neither a [section], a key=value nor a ; comment"},
    {"[a]\nx\n", "f:2: a.x: the line ends where = is expected; write KEY=VALUE"},
    {"[a]\nx", "f:2: a.x: the file ends where = is expected; write KEY=VALUE"},
    {"[a]\nx.y=1", "f:2: a.x: `.y=1` stands where = is expected; write KEY=VALUE"},
    {"[a]\nx=\n1", "f:2: a.x: the line ends where a value is expected; write KEY=VALUE"},
    {"[a]\nx=; 1", "f:2: a.x: `; 1` stands where a value is expected; write KEY=VALUE"},
    {"[a]\nx=<http://a>", "f:2: a.x: values in <> are not used; write a string in \"\""},
    {"[a]\nx=\"abc\ny=2", "f:2: a.x: the string is not closed; write \" at its end, in the same line"},
    {"[a]\nx=\"abc", "f:2: a.x: the string is not closed; write \" at its end, in the same line"},
    {"[a]\nx=\"abc\\\"", "f:2: a.x: the string is not closed; write \" at its end, in the same line"},
    {"[a]\nx='abc", "f:2: a.x: the string is not closed; write ' at its end, in the same line"},
    {"[a]\nx=\"a\\q\"", "f:2: a.x: a \\ is followed by none of n, r, t, \\ and \"; write \\\\"},
    {"[a]\nx=\"a\\", "f:2: a.x: a \\ is followed by none of n, r, t, \\ and \"; write \\\\"},
    {"[a]\nx=[1,\n2\n",
     "f:2: a.x: the list is not closed, the file ends in line 4; write , between its parts and ] at "
     "its end"},
    {"[a]\nx=[1,\ny=2\n",
     "f:2: a.x: the list is not closed, `=2` stands in line 3; write , between its parts and ] at "
     "its end"},
    {"[a]\nx=[",
     "f:2: a.x: the list is not closed, the file ends in line 2; write , between its parts and ] at its end"},
    {"[a]\nx=[1,\n",
     "f:2: a.x: the list is not closed, the file ends in line 3; write , between its parts and ] at its end"},
    {"[a]\nx={", "f:2: a.x: the dictionary is not closed, the file ends in line 2; write , between its parts "
                 "and } at its end"},
    {"[a]\nx={a=1,", "f:2: a.x: the dictionary is not closed, the file ends in line 2; write , between its "
                     "parts and } at its end"},
    {"[a]\nx=[1 2]",
     "f:2: a.x: the list is not closed, `2]` stands in line 2; write , between its parts and ] at its "
     "end"},
    {"[a]\nx=[1,,2]", "f:2: a.x[1]: `,2]` stands where a value is expected; write KEY=VALUE"},
    {"[a]\nx={a=1",
     "f:2: a.x: the dictionary is not closed, the file ends in line 2; write , between its parts and } "
     "at its end"},
    {"[a]\nx={a=1 b=2}",
     "f:2: a.x: the dictionary is not closed, `b=2}` stands in line 2; write , between its parts "
     "and } at its end"},
    {"[a]\nx={_a=1}",
     "f:2: a.x: `_a=1}` stands where a key is expected; keys begin with a letter or a digit"},
    {"[a]\nx=1\r\n", "f:2: the line ends with a carriage return; save the file with Unix line ends"},
    {std::string{"[a]\nx=\"\0\"", 9}, "f:2: a control character (0x00) stands here; remove it"},
};

} // namespace

CAF_TEST(every entry is found with its path and its line) {
  CAF_CHECK_EQUAL(
      listed("; comment\n[a] ; one\nx = 1\n\n [b.c]\ny=[1, ; two\n 2,]\nz {u=\"v\"\nw={}}\n[ d ]"),
      "2 a section\n3 a.x =1\n5 b.c section\n6 b.c.y =[1, ; two\n 2,]\n8 b.c.z {}\n8 b.c.z.u =\"v\"\n"
      "9 b.c.z.w {}\n10 d section\n");
  CAF_CHECK_EQUAL(listed(""), "");
  CAF_CHECK_EQUAL(listed("[a]\nx=\"; [b]\\\" y=1\" ; z=2"), "1 a section\n2 a.x =\"; [b]\\\" y=1\"\n");
}

CAF_TEST(what stands in a list is found by its place) {
  CAF_CHECK_EQUAL(
      listed("[a]\nx=[1,{y=2},\n{y=3}]\n"),
      "1 a section\n2 a.x =[1,{y=2},\n{y=3}]\n2 a.x[1] {}\n2 a.x[1].y =2\n3 a.x[2] {}\n3 a.x[2].y =3\n");
}

CAF_TEST(sections below one name may be told apart and mixed) {
  CAF_CHECK_EQUAL(listed("[a.b]\n[a]\nx=1\n[a.c]\n"),
                  "1 a.b section\n2 a section\n3 a.x =1\n4 a.c section\n");
}

CAF_TEST(every mistake is refused with its line) {
  for (const auto& row : refused) {
    CAF_CHECK_EQUAL(listed(row.text), row.error);
  }
}

CAF_TEST(a text has bounds) {
  const auto nested = [](unsigned levels) {
    return "[a]\nx=" + std::string(levels, '[') + std::string(levels, ']');
  };
  CAF_CHECK(scan(nested(nesting_max), "f").has_value());
  CAF_CHECK(!scan(nested(nesting_max + 1), "f").has_value());
  std::string deep = "[a]\n";
  for (int level = 0; level < 100'000; ++level) {
    deep += "x{";
  }
  CAF_CHECK(!scan(deep, "f").has_value());
  CAF_CHECK(scan(";" + std::string(file_bytes_max - 1, ' '), "f").has_value());
  CAF_CHECK(!scan(";" + std::string(file_bytes_max, ' '), "f").has_value());
}

CAF_TEST(what is accepted is the same for the parser of CAF) {
  const std::string_view texts[] = {
      "",
      "; only a comment",
      "[a]",
      "[ a ]\nx = 1 ; one\n\t y\t=\t\"2\"\n",
      "[a]\nx=[1,2,]\ny=[\n 1, ; one\n 2\n]\nz=[[1],[]]\n",
      "[a]\nx{b=1}\ny={b=1,c=2\nd=3\n,e=4;\nf={g=\"h\"}}\nz=[{a=1},{a=2},]\n",
      "[a.b]\nx=1\n[a]\ny=2\n[a.c]\nz=3\n",
      "[a-b]\nc-d_e=1s\n_x=true\n1y=-5\nz='atom'\nu=1.5\nv=168h\nw=false\n",
      "[_]\nx=\"\\n\\r\\t\\\\\\\"; [b]\"\n",
      "[a]\nx=\"\xc3\xa4\"\ny={a=1;\nb=2 ; two\n}",
  };
  for (const auto text : texts) {
    const auto entries = scan(text, "f");
    CAF_REQUIRE(entries.has_value());
    CAF_CHECK_EQUAL(tests::as_scanned(*entries), tests::as_caf_reads(text));
  }
}
