#include "engine/service_pause.hpp"

#include <fmt/format.h>

#include <chrono>
#include <tuple>
#include <utility>

namespace continuo::engine {

std::string pause_key(std::string_view service) {
  return fmt::format("{}{}", pause_prefix, service);
}

bool is_newer(const service_pause& said, const service_pause& known) {
  return std::tie(said.at, said.paused, said.who, said.note) >
         std::tie(known.at, known.paused, known.who, known.note);
}

service_pause given_after(service_pause said, const service_pause& known) {
  if (said.at <= known.at && known.at < time_point::max()) {
    said.at = known.at + time_point::duration{1};
  }
  return said;
}

std::string to_sentence(const service_pause& said) {
  return fmt::format("paused by {}{}{}", said.who.empty() ? "an operator" : said.who,
                     said.note.empty() ? "" : ": ", said.note);
}

} // namespace continuo::engine
