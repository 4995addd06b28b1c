#define CAF_SUITE blocks

#include "tests/support/places.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Holds the documents to the code: a block of C++ that a document shows is a block of a source that is
// compiled and run, letter by letter, and a file that a document names exists. Such a block of source stands
// between the lines
// `// doc: NAME` and `// doc: end`.

namespace fs = std::filesystem;

namespace {

const fs::path root = fs::path{continuo::tests::places::root()};

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in{file};
  CAF_REQUIRE(in.is_open());
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// The lines as one text, without the indentation that all of them share.
std::string dedented(const std::vector<std::string>& lines) {
  auto shared = std::string::npos;
  for (const auto& line : lines) {
    if (!line.empty()) {
      shared = std::min(shared, line.find_first_not_of(' '));
    }
  }
  std::string text;
  for (const auto& line : lines) {
    text += (line.empty() ? line : line.substr(shared)) + '\n';
  }
  return text;
}

/// The C++ blocks of a document, in order.
std::vector<std::string> blocks_of(const fs::path& document) {
  std::vector<std::string> blocks;
  std::vector<std::string> block;
  auto inside = false;
  for (const auto& line : lines_of(document)) {
    if (inside && line == "```") {
      blocks.push_back(dedented(block));
      inside = false;
    } else if (inside) {
      block.push_back(line);
    } else if (line == "```cpp") {
      inside = true;
      block.clear();
    }
  }
  CAF_REQUIRE(!inside);
  return blocks;
}

/// The blocks of a source, by name.
std::map<std::string, std::string> regions_of(const fs::path& source) {
  const std::regex marker{"^ *// doc: ([a-z0-9 -]+)$"};
  std::map<std::string, std::string> regions;
  std::vector<std::string> region;
  std::string name;
  for (const auto& line : lines_of(source)) {
    std::smatch parts;
    if (!std::regex_match(line, parts, marker)) {
      region.push_back(line);
      continue;
    }
    if (!name.empty()) {
      CAF_CHECK_EQUAL(parts[1].str(), "end");
      CAF_CHECK(regions.emplace(name, dedented(region)).second);
      name.clear();
    } else {
      name = parts[1].str();
    }
    region.clear();
  }
  CAF_CHECK_EQUAL(name, "");
  return regions;
}

void check_same(const fs::path& document, const std::vector<fs::path>& sources) {
  std::map<std::string, std::string> unused; // text to name
  for (const auto& source : sources) {
    for (const auto& [name, text] : regions_of(source)) {
      unused.emplace(text, name);
    }
  }
  const auto blocks = blocks_of(document);
  CAF_CHECK(!blocks.empty());
  for (const auto& block : blocks) {
    if (unused.erase(block) == 0) {
      CAF_ERROR(document.filename().string() << " shows a block that no source has: " << block);
    }
  }
  for (const auto& [text, name] : unused) {
    CAF_ERROR(document.filename().string()
              << " does not show the block `" << name << "` of the sources: " << text);
  }
}

/// The suites beside this one whose names begin so.
std::vector<fs::path> suites_of(std::string_view prefix) {
  std::vector<fs::path> sources;
  for (const auto& entry : fs::directory_iterator{root / "tests/documents"}) {
    if (entry.path().filename().string().starts_with(prefix)) {
      sources.push_back(entry.path());
    }
  }
  return sources;
}

std::vector<fs::path> documents() {
  std::vector<fs::path> found{root / "README.md", root / "CHANGELOG.md"};
  for (const auto& entry : fs::recursive_directory_iterator{root / "docs"}) {
    if (entry.path().extension() == ".md") {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// What `pattern` captures in a document's text, without its blocks of code.
std::vector<std::string> captured(const fs::path& document, const std::regex& pattern) {
  std::vector<std::string> found;
  auto code = false;
  for (const auto& line : lines_of(document)) {
    if (line.starts_with("```")) {
      code = !code;
    }
    if (!code) {
      for (std::sregex_iterator hit{line.begin(), line.end(), pattern}, end; hit != end; ++hit) {
        found.push_back((*hit)[1].str());
      }
    }
  }
  return found;
}

/// What links may name in a document: its headings, in small letters and without what is no part of a word.
std::set<std::string> anchors_of(const fs::path& document) {
  std::set<std::string> anchors;
  for (const auto& heading : captured(document, std::regex{"^#+ (.*)$"})) {
    std::string anchor = "#";
    for (const unsigned char letter : heading) {
      if (std::isalnum(letter) != 0 || letter == '-' || letter == '_' || letter > 127) {
        anchor += static_cast<char>(std::tolower(letter));
      } else if (letter == ' ') {
        anchor += '-';
      }
    }
    anchors.insert(anchor);
  }
  return anchors;
}

} // namespace

CAF_TEST(the example of the readme is a program that is built) {
  check_same(root / "README.md", {root / "examples/readme/orders.cpp"});
}

CAF_TEST(every block of the guide is compiled and run) {
  check_same(root / "docs/guide.md", suites_of("guide_"));
}

CAF_TEST(every block of the page about testing is compiled and run) {
  check_same(root / "docs/testing.md", suites_of("testing_"));
}

CAF_TEST(every file that a document names exists) {
  const std::regex named{"`((?:[A-Za-z0-9_.-]+/)+[A-Za-z0-9_.-]+\\.(?:hpp|cpp|md|cmake|py|txt|csv))`"};
  std::size_t count = 0;
  for (const auto& document : documents()) {
    for (const auto& path : captured(document, named)) {
      ++count;
      if (!fs::exists(root / path) && !fs::exists(root / "include" / path)) {
        CAF_ERROR(fs::relative(document, root).string() << " names " << path << ", which is not there");
      }
    }
  }
  CAF_CHECK(count > 20);
}

CAF_TEST(every link between the documents leads somewhere) {
  const std::regex link{"\\[[^\\]]+\\]\\(([^): ]+)\\)"};
  std::size_t count = 0;
  for (const auto& document : documents()) {
    for (const auto& target : captured(document, link)) {
      ++count;
      const auto mark = std::min(target.find('#'), target.size());
      const auto file = mark == 0 ? document : document.parent_path() / target.substr(0, mark);
      if (!fs::exists(file) || (mark < target.size() && anchors_of(file).count(target.substr(mark)) == 0)) {
        CAF_ERROR(fs::relative(document, root).string() << " links to " << target << ", which is not there");
      }
    }
  }
  CAF_CHECK(count > 10);
}
