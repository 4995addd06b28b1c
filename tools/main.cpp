#include "tools/cluster_commands.hpp"
#include "tools/journal_commands.hpp"

#include <continuo/version.hpp>

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

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
  const auto add = [&](const char* name, const char* help, int (*command)(const cluster_options&)) {
    auto* added = cluster->add_subcommand(name, help);
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
  add("init", "Make a private authority and a certificate for each node; what is there is kept",
      cluster_init);
  auto* up = add("up", "Start every node, wait until all are ready, and show what they say until Ctrl-C",
                 cluster_up);
  up->add_flag("--detach,-d", chosen.cluster.detach,
               "Leave the nodes running; what they say goes to DATA/NODE.log");
  add_patience(up);
  add("down", "Stop every node in order", cluster_down);
  auto* status = add("status",
                     "Show nodes, services and what waits for them, and instances; exits with 1 where a "
                     "node is not ready",
                     cluster_status);
  status->add_flag("--json", chosen.cluster.json, "For scripts");
  add_node(add("kill", "End one node at once (SIGKILL)", cluster_kill));
  auto* start = add("start", "Start one node, detached, and wait until it is ready", cluster_start);
  add_node(start);
  add_patience(start);
  add_node(add("stop", "Stop one node in order", cluster_stop));
}

CLI::App* add_journal(CLI::App* journal, chosen_command& chosen, const char* name, const char* help,
                      int (*command)(const journal_options&)) {
  auto* added = journal->add_subcommand(name, help);
  added->callback(
      [&chosen, command] { chosen.run = [&chosen, command] { return command(chosen.journal); }; });
  return added;
}

/// `restore FROM DIR`, and `restore --accept-loss DIR` for what stands there already.
void describe_restore(CLI::App* journal, chosen_command& chosen) {
  auto* restore = journal->add_subcommand(
      "restore",
      "Make a data directory of a backup; or, with --accept-loss and one directory, go on with what "
      "stands there");
  restore->add_flag(
      "--accept-loss", chosen.accepts_loss,
      "Accept that what the directory does not hold is lost: the way out where a node ends with "
      "exit code 5");
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
      const auto code = restores ? journal_restore(chosen.journal) : 0;
      return code == 0 && chosen.accepts_loss ? accept_loss(chosen.journal) : code;
    };
  });
}

void describe_journal(CLI::App& program, chosen_command& chosen) {
  auto* journal = program.add_subcommand("journal", "The data directory of a node");
  journal->require_subcommand(1);
  auto& options = chosen.journal;
  const auto add_data = [&](CLI::App* to) {
    to->add_option("DIR", options.data, "The node's data directory")->required();
  };
  auto* verify = add_journal(journal, chosen, "verify",
                             "Read everything in the data of a stopped node and say what is damaged; changes "
                             "nothing",
                             journal_verify);
  add_data(verify);
  verify->add_flag("--json", options.json, "For scripts");
  auto* dump = add_journal(journal, chosen, "dump",
                           "Print the instances of a stopped node, a line of JSON each; changes nothing",
                           journal_dump);
  add_data(dump);
  dump->add_option("--type", options.dump.type, "Only this saga or service");
  dump->add_option("--key", options.dump.key, "Only this instance");
  dump->add_flag("--history", options.dump.history, "With the history of each");
  auto* backup = add_journal(journal, chosen, "backup",
                             "Copy the data of a node, running or stopped, to a new directory or an earlier "
                             "backup of it",
                             journal_backup);
  add_data(backup);
  backup->add_option("TO", options.backup, "The directory of the backup")->required();
  backup->add_option("--token-file", options.token_file, "The token that the running node asks for")
      ->type_name("FILE");
  backup->add_flag("--json", options.json, "For scripts");
  describe_restore(journal, chosen);
}

} // namespace

int main(int argc, char** argv) {
  CLI::App program{"Runs and looks after nodes of Continuo."};
  program.set_version_flag("--version", std::string{continuo::version()});
  program.require_subcommand(1);
  program.footer(
      "Exit codes: 0 done; 1 not done, standard error says why; 2 an argument or the cluster file is wrong;\n"
      "else that of the node: 3 corrupt data, 4 the disk failed, 5 its data is older than its peers know,\n"
      "6 its data directory is in use, 7 an address is in use.");
  chosen_command chosen;
  describe_cluster(program, chosen);
  describe_journal(program, chosen);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    return program.exit(wrong) == 0 ? 0 : exit_wrong_arguments;
  }
  return chosen.run();
}
