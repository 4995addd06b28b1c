#include "messages/printable.hpp"
#include "tools/apart.hpp"
#include "tools/cluster_commands.hpp"
#include "tools/completion.hpp"
#include "tools/help.hpp"
#include "tools/instance_commands.hpp"
#include "tools/journal_commands.hpp"
#include "tools/letter_commands.hpp"
#include "tools/message_commands.hpp"
#include "tools/node_commands.hpp"
#include "tools/report.hpp"
#include "tools/schedule_commands.hpp"

#include <continuo/version.hpp>

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <system_error>

namespace {

using namespace continuo::tools;

constexpr int exit_wrong_arguments = 2;

/// A command, and what runs it.
struct chosen_command {
  cluster_options cluster;
  journal_options journal;
  bool accepts_loss = false;
  std::function<int()> run;
};

void describe_cluster(CLI::App& program, chosen_command& chosen) {
  auto* cluster = program.add_subcommand("cluster", "The nodes of a cluster file, on this machine");
  cluster->require_subcommand(1);
  cluster->footer("Example: continuo cluster up shop.conf --detach");
  const auto add = [&](const char* name, const char* help, int (*command)(const cluster_options&),
                       const char* example = "") {
    auto* added = cluster->add_subcommand(name, help);
    added->footer(fmt::format("Example: continuo cluster {} shop.conf{}", name, example));
    added->add_option("FILE", chosen.cluster.file, "The cluster file")->required();
    added->callback(
        [&chosen, command] { chosen.run = [&chosen, command] { return command(chosen.cluster); }; });
    return added;
  };
  const auto add_node = [&](CLI::App* to) {
    to->add_option("NODE", chosen.cluster.node, "One of its nodes")->required();
  };
  const auto add_patience = [&](CLI::App* to) {
    to->add_option_function<unsigned>(
          "--timeout",
          [&chosen](unsigned seconds) { chosen.cluster.patience = std::chrono::seconds{seconds}; },
          "Seconds to wait for nodes to become ready (default: 60)")
        ->type_name("SECONDS");
  };
  auto* init =
      add("init",
          "Make a private authority, a certificate for each node, and a token for HTTP. What is there "
          "is kept; a certificate that ends, was revoked or has another authority is renewed",
          cluster_init);
  auto* next =
      init->add_flag("--new-authority", chosen.cluster.new_authority,
                     "Make an authority beside the one that there is, which signs from the next init on");
  init->add_flag("--newest-authority", chosen.cluster.newest_authority,
                 "Trust only the authority whose key is there from now on")
      ->excludes(next);
  add_node(add("revoke", "Revoke the certificates of one node: its peers refuse them from then on",
               cluster_revoke, " payment"));
  auto* up = add("up", "Start every node, wait until all are ready, and show what they say until Ctrl-C",
                 cluster_up, " --detach");
  up->add_flag("--detach,-d", chosen.cluster.detach,
               "Leave the nodes running; what they say goes to DATA/NODE.log");
  add_patience(up);
  add_token_option(*up, chosen.cluster.token_file);
  add("down", "Stop every node in order", cluster_down);
  auto* status = add("status",
                     "Show nodes, services and what waits for them, and instances; exits with 1 where a "
                     "node is not ready",
                     cluster_status);
  add_token_option(*status, chosen.cluster.token_file);
  status->add_flag("--json", chosen.cluster.json, "For scripts");
  add_node(add("kill", "End one node at once (SIGKILL)", cluster_kill, " payment"));
  auto* start =
      add("start", "Start one node, detached, and wait until it is ready", cluster_start, " payment");
  add_node(start);
  add_patience(start);
  add_token_option(*start, chosen.cluster.token_file);
  add_node(add("stop", "Stop one node in order", cluster_stop, " payment"));
  add_node(add("run", "Become one node, for systemd and containers; exits with the node's exit code",
               cluster_run, " payment"));
}

CLI::App* add_journal(CLI::App* journal, chosen_command& chosen, const char* name, const char* help,
                      int (*command)(const journal_options&), const char* example) {
  auto* added = journal->add_subcommand(name, help);
  added->footer(fmt::format("Example: continuo journal {} {}", name, example));
  added->callback([&chosen, command] {
    chosen.run = [&chosen, command] {
      return run_apart(chosen.journal.data.string(), [&] { return command(chosen.journal); });
    };
  });
  return added;
}

/// `restore FROM DIR`, and `restore --accept-loss DIR` for what stands there already.
void describe_restore(CLI::App* journal, chosen_command& chosen) {
  auto* restore = journal->add_subcommand(
      "restore",
      "Make a data directory of a backup; or, with --accept-loss and one directory, go on with what "
      "stands there");
  restore->footer("Example: continuo journal restore data/backups/payment data/payment");
  restore->add_flag(
      "--accept-loss", chosen.accepts_loss,
      "Accept that what the directory does not hold is lost: the way out where a node ends with "
      "exit code 5");
  restore
      ->add_option_function<std::string>(
          "--beyond",
          [&chosen](const std::string& text) {
            const auto* end = text.data() + text.size();
            const auto read = std::from_chars(text.data(), end, chosen.journal.beyond, 16);
            if (read.ec != std::errc{} || read.ptr != end || chosen.journal.beyond + 2 < 2) {
              throw CLI::ValidationError{"--beyond",
                                         "this is no id of a store, as a node's refusal names it"};
            }
          },
          "With --accept-loss: the store that a peer knows under this node's name, as its refusal names it")
      ->type_name("STORE");
  restore->add_flag("--json", chosen.journal.json, "For scripts");
  restore
      ->add_option("FROM", chosen.journal.backup,
                   "The backup; with --accept-loss alone, the node's data directory")
      ->required();
  auto* made = restore->add_option("DIR", chosen.journal.data, "The data directory to be made of the backup");
  restore->callback([&chosen, made] {
    const auto restores = made->count() != 0;
    if (!restores && !chosen.accepts_loss) {
      throw CLI::RequiredError{"DIR"};
    }
    if (!restores) {
      chosen.journal.data = chosen.journal.backup;
    }
    chosen.run = [&chosen, restores] {
      return run_apart(chosen.journal.backup.string(), [&] {
        const auto code = restores ? journal_restore(chosen.journal) : 0;
        return code == 0 && chosen.accepts_loss ? accept_loss(chosen.journal) : code;
      });
    };
  });
}

void describe_journal(CLI::App& program, chosen_command& chosen) {
  auto* journal = program.add_subcommand("journal", "The data directory of a node");
  journal->require_subcommand(1);
  journal->footer("Example: continuo journal verify data/payment");
  auto& options = chosen.journal;
  const auto add_data = [&](CLI::App* to) {
    to->add_option("DIR", options.data, "The node's data directory")->required();
  };
  auto* verify = add_journal(journal, chosen, "verify",
                             "Read everything in the data of a stopped node and say what is damaged; changes "
                             "nothing",
                             journal_verify, "data/payment");
  add_data(verify);
  verify->add_flag("--json", options.json, "For scripts");
  auto* dump = add_journal(journal, chosen, "dump",
                           "Print the instances of a stopped node, a line of JSON each; changes nothing",
                           journal_dump, "data/ordering --type fulfilment --key o-1 --history");
  add_data(dump);
  dump->add_option("--type", options.dump.type, "Only this saga or service");
  dump->add_option("--key", options.dump.key, "Only this instance");
  dump->add_flag("--history", options.dump.history, "With the history of each");
  auto* backup = add_journal(journal, chosen, "backup",
                             "Copy the data of a node, running or stopped, to a new directory or an earlier "
                             "backup of it",
                             journal_backup, "data/payment data/backups/payment");
  add_data(backup);
  backup
      ->add_option(
          "TO", options.backup,
          "The directory of the backup; of a node that runs, one in its backup folder (backup-folder in "
          "the cluster file, else data/backups)")
      ->required();
  add_config_option(*backup, options.file);
  backup
      ->add_option("--node", options.node,
                   "Where the running node answers, if it stands in no cluster file and asks for a token")
      ->type_name("URL");
  backup
      ->add_option("--token-file", options.token_file,
                   "The token that the running node asks for; else, of a node of the cluster file, its own")
      ->type_name("FILE");
  backup->add_flag("--json", options.json, "For scripts");
  describe_restore(journal, chosen);
}

void describe_itself(CLI::App& program, chosen_run& run) {
  const auto shell = std::make_shared<std::string>();
  auto* completion = add_command(program, "completion", "Print the script that completes continuo in a shell",
                                 "source <(continuo completion bash)");
  completion->add_option("SHELL", *shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
  completion->callback([&, shell] {
    run = [&program, shell] {
      fmt::print("{}", *shell == "bash" ? bash_completion(program) : zsh_completion(program));
      return 0;
    };
  });
  const auto add_document = [&](const char* name, const char* help, std::string (*make)(const CLI::App&)) {
    program.add_subcommand(name, help)->group("")->callback([&program, &run, make] {
      run = [&program, make] {
        fmt::print("{}", make(program));
        return 0;
      };
    });
  };
  add_document("help-markdown", "Print docs/cli.md", help_document);
  add_document("help-man", "Print the page for man(1)", man_page);
  const auto file = std::make_shared<std::string>();
  auto* nodes = program.add_subcommand("cluster-nodes", "Print the names of a file's nodes, for completion");
  nodes->group("")->add_option("FILE", *file, "The cluster file")->required();
  nodes->callback([file, &run] {
    run = [file] {
      cluster_options chosen;
      chosen.file = *file;
      return cluster_nodes(chosen);
    };
  });
}

/// One line that says what is wrong, and where to read what would be right.
std::string mistake_text(const CLI::App* program, const CLI::Error& wrong) {
  const auto* command = program;
  std::string words{program->get_name()};
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    words += " " + command->get_name();
  }
  const auto left = command->remaining();
  const auto is_unknown =
      !left.empty() && !left.front().starts_with('-') && command->get_require_subcommand_max() > 0;
  return fmt::format(
      "continuo: {} (`{} --help` shows how)\n",
      continuo::printable_lines(is_unknown ? fmt::format("there is no command `{} {}`", words, left.front())
                                           : std::string{wrong.what()}),
      words);
}

/// What it throws must not end the program without a word: fmt does where the output is full.
int run_safely(const chosen_run& run) {
  std::string failure;
  int code = 0;
  try {
    code = run();
  } catch (const std::bad_alloc&) {
    failure = "there is not enough memory";
  } catch (const std::exception& thrown) {
    failure = thrown.what();
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    failure = "standard output cannot be written";
  }
  return failure.empty() ? code : refuse(failure);
}

} // namespace

int main(int argc, char** argv) {
  CLI::App program{"Runs and looks after nodes of Continuo.", "continuo"};
  program.failure_message(mistake_text);
  program.set_version_flag("--version", std::string{continuo::version()});
  program.require_subcommand(1);
  program.footer(
      "Example: continuo instances --status stuck --node http://127.0.0.1:8101\n\n"
      "Exit codes: 0 done; 1 not done, standard error says why; 2 an argument or the cluster file is wrong; "
      "124 not yet,\n"
      "125 it could not be asked for: there is no such instance, or no node that answers (both of wait);\n"
      "else that of the node: 3 corrupt data, 4 the disk failed, 5 its data is older than its peers know,\n"
      "6 its data directory is in use, 7 an address is in use.");
  chosen_command chosen;
  describe_cluster(program, chosen);
  describe_journal(program, chosen);
  add_message_commands(program, chosen.run);
  add_instance_commands(program, chosen.run);
  add_letter_commands(program, chosen.run);
  add_schedule_commands(program, chosen.run);
  add_node_commands(program, chosen.run);
  describe_itself(program, chosen.run);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return program.exit(wrong) == 0 ? 0 : exit_wrong_arguments;
  }
  return run_safely(chosen.run);
}
