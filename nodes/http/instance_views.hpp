#pragma once

#include "actors/core.hpp"
#include "nodes/http/desk.hpp"

#include <continuo/client.hpp>

#include <string>
#include <vector>

/// What docs/http.md says that an instance looks like, and which instances there may be.
namespace continuo::http {

// -- as JSON -----------------------------------------------------------------------------------
json causes_json(const std::vector<cause>& causes, const actors::core& core);

/// The text; null where it is empty.
json text_or_null(const std::string& text);

/// As lists show it, and whole: with its state and its result.
json entry_json(const instance_view& view, const actors::core& core, const std::string& node);
json whole_json(const instance_view& view, const actors::core& core, const std::string& node);

// -- which instance ------------------------------------------------------------------------------
/// Whether instances of that type can be: it is a saga, a service, or the address of a service on a node that
/// there is.
bool is_instance_type(const std::string& type, const actors::core& core);

/// Why there are none.
error unknown_instance_type(const std::string& type, const actors::core& core);

} // namespace continuo::http
