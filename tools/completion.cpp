#include "tools/completion.hpp"

#include "tools/help.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace continuo::tools {

namespace {

/// What may stand for a value.
enum class value_kind { none, any, file, json, words };

struct value_shape {
  value_kind kind;
  std::string words{}; ///< with blanks between
};

value_shape shape_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) {
    return {value_kind::none};
  }
  // "KIND:{saga,service,command}": CLI11 adds what a check allows.
  const auto type = option.get_type_name();
  if (const auto begin = type.find('{'); begin != std::string::npos) {
    auto words = type.substr(begin + 1, type.find('}') - begin - 1);
    std::replace(words.begin(), words.end(), ',', ' ');
    return {value_kind::words, words};
  }
  const auto name = option.get_positional() ? option.get_name() : std::string{};
  const auto is = [&](std::string_view what) { return type.starts_with(what) || name == what; };
  if (is("FILE") || is("DIR") || is("TO") || is("FROM")) {
    return {value_kind::file};
  }
  return {is("JSON") ? value_kind::json : value_kind::any};
}

/// What can be typed after the words of a command.
struct command_shape {
  std::string words;                                            ///< `continuo cluster up`
  std::string next;                                             ///< commands and options, with blanks between
  value_shape positional{value_kind::none};                     ///< the most helpful of them
  bool takes_node = false;                                      ///< of the cluster file that stands before it
  std::vector<std::pair<std::string, value_shape>> with_values; ///< options that take one: `--node`
};

std::vector<command_shape> shapes_of(const CLI::App& program) {
  std::vector<command_shape> made;
  for_each_command(program, program.get_name(), [&](const CLI::App& app, const std::string& words) {
    command_shape shape{words, {}, {value_kind::none}, false, {}};
    const auto add = [&](const std::string& word) { shape.next += (shape.next.empty() ? "" : " ") + word; };
    for (const auto* below :
         app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); })) {
      add(below->get_name());
    }
    for (const auto* option : app.get_options()) {
      const auto value = shape_of(*option);
      if (option->get_positional()) {
        shape.takes_node = shape.takes_node || option->get_name() == "NODE";
        shape.positional = value.kind > shape.positional.kind ? value : shape.positional;
        continue;
      }
      for (const auto& name : option->get_lnames()) {
        add("--" + name);
        if (value.kind != value_kind::none) {
          shape.with_values.emplace_back("--" + name, value);
        }
      }
    }
    made.push_back(std::move(shape));
  });
  return made;
}

/// What differs between the shells.
struct dialect {
  const char* begin;
  const char* words;    ///< {} stands for them
  const char* files;    ///< offers file names
  const char* at_files; ///< offers file names after an @
  const char* end;
};

std::string script(const CLI::App& program, const dialect& shell) {
  const auto shapes = shapes_of(program);
  const auto offer = [&](const value_shape& value) {
    return value.kind == value_kind::words  ? fmt::format(fmt::runtime(shell.words), value.words)
           : value.kind == value_kind::file ? std::string{shell.files}
           : value.kind == value_kind::json ? std::string{shell.at_files}
                                            : std::string{":"};
  };
  std::string commands;
  std::string values;
  std::string nexts;
  for (const auto& shape : shapes) {
    if (shape.words != program.get_name()) {
      commands += fmt::format("{}\"{}\"", commands.empty() ? "" : " | ", shape.words);
    }
    for (const auto& [option, value] : shape.with_values) {
      values += fmt::format("    \"{} {}\") {}; return ;;\n", shape.words, option, offer(value));
    }
    nexts += fmt::format("    \"{}\") {}; {} ;;\n", shape.words,
                         fmt::format(fmt::runtime(shell.words), shape.next),
                         (shape.takes_node ? "_continuo_nodes || " : "") + offer(shape.positional));
  }
  return fmt::format("{0}"
                     "    case \"$command $word\" in\n"
                     "      {1}) command=\"$command $word\" ;;\n"
                     "    esac\n"
                     "  done\n"
                     "  case \"$command $previous\" in\n{2}"
                     "  esac\n"
                     "  case \"$command\" in\n{3}"
                     "  esac\n"
                     "{4}",
                     shell.begin, commands, values, nexts, shell.end);
}

} // namespace

std::string bash_completion(const CLI::App& program) {
  return script(
      program,
      {"# Completion of continuo for bash: source <(continuo completion bash)\n"
       "_continuo() {\n"
       "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
       "  local command=continuo word\n"
       "  COMPREPLY=()\n"
       "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n",
       "_continuo_words \"{}\"", "_continuo_files", "_continuo_files @",
       "}\n"
       "_continuo_words() {\n"
       "  local offered\n"
       "  while read -r offered; do COMPREPLY+=(\"$offered\"); done < <(compgen -W \"$1\" -- \"$current\")\n"
       "}\n"
       "# With an argument: only of words that begin with it.\n"
       "_continuo_files() {\n"
       "  local offered\n"
       "  [[ $current == \"${1-}\"* ]] || return\n"
       "  compopt -o filenames 2>/dev/null\n"
       "  while IFS= read -r offered; do COMPREPLY+=(\"${1-}$offered\"); done \\\n"
       "    < <(compgen -f -- \"${current#\"${1-}\"}\")\n"
       "}\n"
       "# Of the cluster file that stands on the line already.\n"
       "_continuo_nodes() {\n"
       "  local word\n"
       "  for word in \"${COMP_WORDS[@]:3:COMP_CWORD-3}\"; do\n"
       "    [[ -f $word ]] || continue\n"
       "    _continuo_words \"$(\"${COMP_WORDS[0]}\" cluster-nodes \"$word\" 2>/dev/null)\"\n"
       "    return 0\n"
       "  done\n"
       "  return 1\n"
       "}\n"
       "complete -F _continuo continuo\n"});
}

std::string zsh_completion(const CLI::App& program) {
  return script(program, {"#compdef continuo\n"
                          "# Completion of continuo for zsh: source <(continuo completion zsh)\n"
                          "_continuo() {\n"
                          "  local previous=${words[CURRENT - 1]} command=continuo word\n"
                          "  for word in \"${(@)words[2,CURRENT - 1]}\"; do\n",
                          "compadd -- {}", "_files", "compset -P @ && _files",
                          "}\n"
                          "_continuo_nodes() {\n"
                          "  local word\n"
                          "  for word in \"${(@)words[4,CURRENT - 1]}\"; do\n"
                          "    [[ -f $word ]] || continue\n"
                          "    compadd -- $(\"${words[1]}\" cluster-nodes \"$word\" 2>/dev/null)\n"
                          "    return 0\n"
                          "  done\n"
                          "  return 1\n"
                          "}\n"
                          "# As a file in fpath it is read when it is first called for.\n"
                          "if [[ ${funcstack[1]-} == _continuo ]]; then _continuo \"$@\"; else compdef "
                          "_continuo continuo; fi\n"});
}

} // namespace continuo::tools
