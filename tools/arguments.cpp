#include "tools/arguments.hpp"

#include <continuo/detail/time_text.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

namespace continuo::tools {

namespace {

/// More than any node takes.
constexpr std::size_t json_bytes_max = 16u << 20;

constexpr std::chrono::hours duration_max{24 * 365};

std::optional<std::chrono::milliseconds> read_duration(const std::string& text) {
  using std::chrono::milliseconds;
  const auto count = detail::read_duration(text, detail::period_of<milliseconds>());
  if (!count || *count < 0 || milliseconds{*count} > duration_max) {
    return std::nullopt;
  }
  return milliseconds{*count};
}

const CLI::Validator is_duration{
    [](const std::string& text) {
      return read_duration(text)
                 ? std::string{}
                 : fmt::format(
                       "\"{}\" is no duration from 0s to {}h; write a whole number with ms, s, min or "
                       "h, as 30s",
                       text, duration_max.count());
    },
    "", "duration"};

result<std::string> read_file(const std::string& name) {
  const auto is_input = name == "-";
  auto close = [is_input](std::FILE* opened) {
    if (!is_input) {
      std::fclose(opened);
    }
  };
  const std::unique_ptr<std::FILE, decltype(close)> file{is_input ? stdin : std::fopen(name.c_str(), "rbe"),
                                                         close};
  const auto wrong = [&](const std::string& what) {
    return fail(errc::invalid_configuration, fmt::format("{} {}", is_input ? "standard input" : name, what));
  };
  if (!file) {
    return wrong(fmt::format("cannot be read: {}", std::strerror(errno)));
  }
  std::string text;
  char part[65536];
  while (const auto got = std::fread(part, 1, sizeof(part), file.get())) {
    text.append(part, got);
    if (text.size() > json_bytes_max) {
      return wrong("has more than 16 MiB, which no node takes");
    }
  }
  if (std::ferror(file.get()) != 0) {
    return wrong(fmt::format("cannot be read: {}", std::strerror(errno)));
  }
  return text;
}

} // namespace

CLI::App* add_command(CLI::App& to, const char* name, const char* help, const std::string& example) {
  auto* added = to.add_subcommand(name, help);
  added->footer("Example: " + example);
  return added;
}

CLI::Validator is_not_empty() {
  return {[](const std::string& text) { return text.empty() ? std::string{"it is empty"} : std::string{}; },
          "", "not empty"};
}

void add_node_options(CLI::App& to, node_options& chosen) {
  to.add_option("--node", chosen.node, "The node to ask; else the first with HTTP in the cluster file")
      ->type_name("URL")
      ->envname("CONTINUO_NODE");
  add_config_option(to, chosen.file);
  add_token_option(to, chosen.token_file)->envname("CONTINUO_TOKEN_FILE");
  to.add_flag("--json", chosen.json, "Print the node's JSON as it is, for scripts");
}

CLI::Option* add_token_option(CLI::App& to, std::filesystem::path& file) {
  return to
      .add_option(
          "--token-file", file,
          "The file with the token that the node asks for; else, for nodes of the cluster file, its own")
      ->type_name("FILE");
}

void add_config_option(CLI::App& to, std::filesystem::path& file) {
  to.add_option("--config", file, "The cluster file; else ./continuo.conf")
      ->type_name("FILE")
      ->envname("CONTINUO_CONFIG");
}

void add_page_options(CLI::App& to, page_options& chosen) {
  to.add_option("--limit", chosen.limit, "How many at most (100 unless given)")
      ->check(CLI::Range(1u, page_size_max))
      ->type_name("COUNT");
  to.add_option("--cursor", chosen.cursor, "Where to go on, as the page before has said")
      ->type_name("CURSOR");
  to.add_flag("--all", chosen.all, "Every page; with --json one document for each");
}

void add_instance_options(CLI::App& to, instance_options& chosen) {
  to.add_option("TYPE", chosen.type, "The saga, as fulfilment")->required()->check(is_not_empty());
  to.add_option("KEY", chosen.key, "The instance of it, as o-1")->required()->check(is_not_empty());
  add_node_options(to, chosen.at);
}

CLI::Option* add_duration(CLI::App& to, const char* name, std::chrono::milliseconds& chosen,
                          const char* help) {
  return to
      .add_option_function<std::string>(
          name, [&chosen](const std::string& text) { chosen = *read_duration(text); }, help)
      ->check(is_duration)
      ->type_name("DURATION");
}

result<std::string> read_json(const std::string& argument) {
  const auto is_file = argument == "-" || argument.starts_with('@');
  auto text = is_file ? read_file(argument == "-" ? argument : argument.substr(1)) : argument;
  if (!text) {
    return text;
  }
  try {
    [[maybe_unused]] const auto read = nlohmann::json::parse(*text);
  } catch (const nlohmann::json::exception& wrong) {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: ..."
    const std::string_view what = wrong.what();
    return fail(errc::invalid_configuration, fmt::format("{} is no JSON: {}",
                                                         argument == "-" ? "standard input"
                                                         : is_file       ? argument.substr(1)
                                                                         : "the argument",
                                                         what.substr(what.find("] ") + 2)));
  }
  return text;
}

} // namespace continuo::tools
