#pragma once

#include <continuo/context.hpp>
#include <continuo/fields.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace continuo::engine {

/// What an operator said last of a stateless service: that it is paused, or goes on. Every node keeps the
/// newest word that it knows of each service, under `pause_key`, whether it hosts the service or not; nodes
/// tell each other, and the newer word holds on both.
struct service_pause {
  std::string service;
  bool paused = false;
  std::string who;  ///< empty: nobody said
  std::string note; ///< why; empty: nobody said
  time_point at{};  ///< when; later than any word that was known where it was said

  CONTINUO_FIELDS(service_pause, service, paused, who, note, at)
};

constexpr std::size_t operator_bytes_max = 256; ///< of who gives an order
constexpr std::size_t note_bytes_max = 4'096;

/// Where the last word of a service stands in the store.
constexpr std::string_view pause_prefix = "c";
std::string pause_key(std::string_view service);

/// Whether `said` holds where `known` was known. Of two words of one moment the same one wins on every node.
bool is_newer(const service_pause& said, const service_pause& known);

/// The word as it holds where `known` was known and an operator has given it just now: it is newer than that,
/// however wrong the clock was by which either was stamped.
service_pause given_after(service_pause said, const service_pause& known);

/// `paused by ann: the bank is closed`. @pre it is paused
std::string to_sentence(const service_pause& said);

} // namespace continuo::engine
