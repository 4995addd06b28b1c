#include "nodes/owed_index.hpp"

#include "engine/mailbox.hpp"
#include "nodes/identity.hpp"

#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace continuo::nodes {

namespace {

using kind = journal::operation::kind;

/// Equal for starts that resolve every address alike: the same node, among the same ones, and what the hosts
/// of everything are. Which store is which peer's only grows, and is known before an address names it.
std::uint64_t hash_of(const engine::placement& where, const cluster_config& cluster) {
  std::vector<std::string> nodes;
  for (const auto& node : cluster.nodes) {
    nodes.push_back(node.name);
  }
  std::sort(nodes.begin(), nodes.end());
  auto hash = engine::rendezvous_weight(where.here(), {std::to_string(where.hash()), {}});
  for (const auto& node : nodes) {
    hash = engine::rendezvous_weight(node, {std::to_string(hash), {}});
  }
  return hash;
}

/// Commits a portion at a time, and keeps the first trouble.
class portions {
public:
  explicit portions(journal::store& to) : to_(&to) {}

  void add(journal::operation&& change) {
    changes_.push_back(std::move(change));
    if (changes_.size() >= changes_max) {
      commit();
    }
  }

  result<void> commit() {
    if (outcome_ && !changes_.empty()) {
      outcome_ = to_->commit(changes_);
    }
    changes_.clear();
    return outcome_;
  }

  bool go_well() const { return outcome_.has_value(); }

private:
  static constexpr std::size_t changes_max = 10'000;

  journal::store* to_;
  journal::batch changes_;
  result<void> outcome_;
};

} // namespace

result<void> index_what_is_owed(actors::core& shared) {
  const auto& where = shared.routes.where();
  if (where.is_alone()) {
    return {}; // a store with records never changes between alone and not (nodes/identity.cpp)
  }
  auto& store = *shared.store;
  const auto wanted = encode(hash_of(where, shared.cluster));
  const auto made_for = store.get(owed_for_key);
  if (!made_for) {
    return tl::unexpected(made_for.error());
  }
  if (*made_for && **made_for == wanted) {
    return {};
  }
  portions out{store};
  if (*made_for) {
    out.add({kind::erase, std::string{owed_for_key}, {}}); // first: half an index is none
  }
  const auto cleared = store.scan(engine::owed_to_all, [&](std::string_view key, std::string_view) {
    out.add({kind::erase, std::string{key}, {}});
    return out.go_well() && !shared.ending;
  });
  if (!cleared) {
    return cleared;
  }
  std::optional<error> wrong;
  std::size_t records = 0;
  const auto scanned = store.scan("r", [&](std::string_view key, std::string_view bytes) {
    const auto stored = decode<engine::record>(bytes);
    if (!stored) {
      wrong = actors::unreadable_record(key, stored.error());
      return false;
    }
    ++records;
    for (const auto& peer : engine::peers_owed(*stored, shared.routes)) {
      out.add({kind::put, engine::owed_key(peer, key), {}});
    }
    return out.go_well() && !shared.ending;
  });
  if (!scanned || wrong) {
    return tl::unexpected(wrong ? *wrong : scanned.error());
  }
  if (shared.ending) {
    return fail(errc::unavailable, "the node was stopped while it started");
  }
  out.add({kind::put, std::string{owed_for_key}, wanted});
  if (auto written = out.commit(); !written) {
    return written;
  }
  if (records > 0) {
    shared.log(
        log_level::info,
        fmt::format("{} records were looked through for what they owe to other nodes: the cluster file "
                    "is another one than before",
                    records));
  }
  return {};
}

} // namespace continuo::nodes
