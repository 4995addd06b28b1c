#pragma once

#include "engine/flow_run.hpp"
#include "engine/saga_machine.hpp"

#include <memory>
#include <vector>

// Private to the saga machine's own files.
namespace continuo::engine {

/// What a workflow's instance has in memory beside its record.
struct saga_machine::life {
  flow_life stands;                      ///< as in the record
  std::vector<flow_entry> entries;       ///< all of them, once they are loaded
  bool is_loaded = false;                ///< or there are none yet
  bool is_pending = false;               ///< the newest entry is of the transition that is being decided
  std::unique_ptr<detail::flow_run> run; ///< null: the next message runs the function from its beginning
};

} // namespace continuo::engine
