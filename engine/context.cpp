#include <continuo/context.hpp>

#include <fmt/format.h>

namespace continuo {

void instance_logger::write_line(log_level level, fmt::string_view text, fmt::format_args values) const {
  sink_->write(level, fmt::format("{}/{}: {}", self_->type, self_->key, fmt::vformat(text, values)));
}

namespace detail {

context_base::context_base(const invocation& call) : call_(call), random_(call.random_seed) {}

context_base::~context_base() = default;

void context_base::ask_to_send(const message_type& type, const void* command) {
  asked_.messages.push_back({intents::message::kind::command, {type.name, type.encode(command)}});
}

void context_base::ask_to_publish(const message_type& type, const void* event) {
  asked_.messages.push_back({intents::message::kind::event, {type.name, type.encode(event)}});
}

void context_base::ask_to_tell(const message_type& type, const void* command) {
  asked_.messages.push_back({intents::message::kind::told, {type.name, type.encode(command)}});
}

} // namespace detail

// -- sagas ----------------------------------------------------------------------------

void saga_context::ask_for_timer(std::string name, std::chrono::nanoseconds delay,
                                 std::optional<time_point> at, const message_type& type, const void* body) {
  asked_.timers.push_back({std::move(name), false, delay, at, {type.name, type.encode(body)}});
}

void saga_context::cancel_timer(std::string name) {
  asked_.timers.push_back({std::move(name), true, {}, {}, {}});
}

void saga_context::change_expectation(std::string_view event, bool stop) {
  asked_.expectations.push_back({std::string{event}, stop});
}

void saga_context::complete() {
  asked_.completion = detail::typed_bytes{};
}

void saga_context::complete_with(std::string_view text) {
  asked_.completion = detail::typed_bytes{"string", encode(std::string{text})};
}

void saga_context::complete_with(bool value) {
  asked_.completion = detail::typed_bytes{"bool", encode(value)};
}

void saga_context::complete_with(std::int64_t number) {
  asked_.completion = detail::typed_bytes{"int64", encode(number)};
}

void saga_context::complete_with(double number) {
  asked_.completion = detail::typed_bytes{"double", encode(number)};
}

void saga_context::complete_with(const message_type& type, const void* value) {
  asked_.completion = detail::typed_bytes{type.name, type.encode(value)};
}

void saga_context::roll_back(std::string reason) {
  asked_.roll_back = std::move(reason);
}

// -- services ---------------------------------------------------------------------------

command_context::command_context(const detail::invocation& call, const instance_id& requester,
                                 std::uint32_t attempt, std::string key, std::string trace)
    : context_base(call), requester_(&requester), attempt_(attempt), key_(std::move(key)),
      trace_(std::move(trace)) {}

command_context::~command_context() = default;

std::string command_context::idempotency_key(unsigned index) const {
  return index == 0 ? key_ : fmt::format("{}.{}", key_, index);
}

} // namespace continuo
