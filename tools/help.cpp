#include "tools/help.hpp"

#include <continuo/version.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace continuo::tools {

namespace {

/// Text as troff shows it letter by letter.
std::string troff(std::string_view text) {
  std::string made;
  for (const char letter : text) {
    if ((letter == '.' || letter == '\'') && (made.empty() || made.back() == '\n')) {
      made += "\\&"; // else the line is a request
    }
    switch (letter) {
    case '\\':
      made += "\\e";
      break;
    case '-':
      made += "\\-";
      break; // else a hyphen, which nobody can copy into a shell
    case '\'':
      made += "\\(aq";
      break;
    case '`':
      made += "\\(ga";
      break;
    case '~':
      made += "\\(ti";
      break;
    case '^':
      made += "\\(ha";
      break;
    default:
      made += letter;
    }
  }
  return made;
}

/// Without blanks and ends of lines at both sides.
std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \n") + 1 - begin);
}

std::string capitals(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char one) { return std::toupper(one); });
  return text;
}

/// The paragraphs of a footer. One that begins as "Exit codes: ..." becomes a section where it is the
/// program's.
std::string man_footer(const std::string& footer, bool of_program) {
  std::string made;
  for (std::size_t begin = 0; begin < footer.size();) {
    const auto end = std::min(footer.find("\n\n", begin), footer.size());
    const auto text = footer.substr(begin, end - begin);
    begin = end + 2;
    const auto colon = text.find(": ");
    if (of_program && colon != std::string::npos) {
      made += fmt::format(".SH {}\n{}\n", capitals(text.substr(0, colon)),
                          troff(trimmed(text.substr(colon + 2))));
    } else if (!text.empty()) {
      made += fmt::format(".PP\n{}\n", troff(text));
    }
  }
  return made;
}

/// The positionals and options of one command, without --help, which all have.
std::string man_options(const CLI::App& app) {
  const CLI::Formatter format;
  std::string made;
  for (const auto* option :
       app.get_options([](const CLI::Option* one) { return !one->get_group().empty(); })) {
    if (option != app.get_help_ptr()) {
      const auto words = option->get_positional()
                             ? option->get_name()
                             : format.make_option_name(option, false) + format.make_option_opts(option);
      made += fmt::format(".TP\n.B {}\n{}.\n", troff(words), troff(option->get_description()));
    }
  }
  return made;
}

/// One command: its usage and what it does.
std::string man_command(const CLI::App& app, const std::string& words) {
  const auto usage = trimmed(CLI::Formatter{}.make_usage(&app, words));
  return fmt::format(".SS {}\n{}.\n", troff(usage.substr(usage.find(words))),
                     troff(trimmed(app.get_description()))) +
         man_options(app);
}

constexpr const char* man_files =
    ".SH FILES\n"
    ".TP\n.I ./continuo.conf\nThe default cluster file.\n"
    ".TP\n.I DATA/NODE\nThe data directory of a node. Beside it stand\n.I DATA/NODE.pid\nand, of a node that "
    "was "
    "started detached,\n.IR DATA/NODE.log .\n"
    ".TP\n.I /etc/continuo/continuo.conf\nThe cluster file of the unit\n.BR continuo@.service ,\nwith the "
    "certificates in\n.IR /etc/continuo/certificates .\n"
    ".TP\n.I /var/lib/continuo\nThe data of the unit, which belongs to the user\n.BR _continuo .\n"
    ".TP\n.I /usr/share/doc/continuo\nHow to run a cluster (operations.md), the HTTP interface, metrics, and "
    "an "
    "annotated cluster file in examples/.\n"
    ".SH SEE ALSO\n.BR systemctl (1),\n.BR journalctl (1),\n.BR systemd.exec (5).\n"
    "The unit is started as\n.BR \"systemctl start continuo@NODE\" .\n";

} // namespace

void for_each_command(const CLI::App& app, const std::string& words,
                      const std::function<void(const CLI::App&, const std::string&)>& visit) {
  visit(app, words);
  for (const auto* below :
       app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); })) {
    for_each_command(*below, words + " " + below->get_name(), visit);
  }
}

std::string help_document(const CLI::App& program) {
  std::string made{
      "# The command line\n\n"
      "This is what `continuo` and its commands say with `--help`. `scripts/write-cli-docs` writes it.\n"};
  for_each_command(program, program.get_name(), [&](const CLI::App& app, const std::string& words) {
    made += fmt::format("\n## `{}`\n\n```\n", words);
    // Not `help`, which would give that of the command which runs.
    made += app.get_formatter()->make_help(&app, words, CLI::AppFormatMode::Normal);
    made += "```\n";
  });
  return made;
}

std::string man_page(const CLI::App& program) {
  const auto name = program.get_name();
  auto purpose = program.get_description(); // "Runs this." becomes "runs this"
  purpose.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(purpose.front())));
  purpose.erase(purpose.find_last_not_of(".\n") + 1);
  auto made =
      fmt::format(".TH {0} 1 \"\" \"Continuo {1}\" \"User Commands\"\n.SH NAME\n{2} \\- {3}\n"
                  ".SH SYNOPSIS\n.B {2}\n.I COMMAND\n[\\fIOPTIONS\\fR]\n.SH OPTIONS\n"
                  "Every command has \\fB\\-\\-help\\fR, which says what stands here.\n{4}.SH COMMANDS\n",
                  capitals(name), version(), name, troff(purpose), man_options(program));
  for_each_command(program, name, [&](const CLI::App& app, const std::string& words) {
    if (app.get_require_subcommand_min() == 0) { // else it only holds the commands that follow
      made += man_command(app, words);
      made += app.get_footer() == program.get_footer() ? "" : man_footer(app.get_footer(), false);
    }
  });
  return made + man_footer(program.get_footer(), true) + man_files;
}

} // namespace continuo::tools
