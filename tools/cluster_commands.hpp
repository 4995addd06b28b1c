#pragma once

#include <chrono>
#include <filesystem>
#include <string>

/// `continuo cluster ...`. Each command prints what it does, an error on standard error, and gives the exit
/// code of the program: 0 done, 1 not done, 2 the cluster file or an argument is wrong; else that of a node
/// which could not be started.
namespace continuo::tools {

struct cluster_options {
  std::filesystem::path file;
  std::string node;
  std::filesystem::path token_file; ///< of `up`, `status` and `start`; empty: that of the cluster file
  bool detach = false;
  bool json = false;
  bool new_authority = false;        ///< of `init`
  bool newest_authority = false;     ///< of `init`
  std::chrono::seconds patience{60}; ///< for nodes to become ready, or to stop
};

/// Makes the certificates that are missing, and renews those that have to be.
int cluster_init(const cluster_options& chosen);

/// Revokes the certificates of a node.
int cluster_revoke(const cluster_options& chosen);

/// Starts every node that does not run and waits until all are ready. Then ends (`detach`), or shows what
/// they say until SIGINT or SIGTERM comes, and stops all nodes of the file in order.
int cluster_up(const cluster_options& chosen);

int cluster_down(const cluster_options& chosen);

/// 1 where a node is not ready.
int cluster_status(const cluster_options& chosen);

int cluster_kill(const cluster_options& chosen);
int cluster_start(const cluster_options& chosen);
int cluster_stop(const cluster_options& chosen);

/// Replaces this program by that of the node. Only returns where that fails.
int cluster_run(const cluster_options& chosen);

/// Prints the names of the nodes.
int cluster_nodes(const cluster_options& chosen);

} // namespace continuo::tools
