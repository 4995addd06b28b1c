#include "messages/envelope.hpp"

#include <cstddef>

namespace continuo::detail {

namespace {

template <class Id>
void print_id(std::string& out, const void* id) {
  out += to_string(as<Id>(id));
}

constexpr field instance_id_fields[] = {
    {"type", &shape_for<std::string>::value, offsetof(instance_id, type), 0},
    {"key", &shape_for<std::string>::value, offsetof(instance_id, key), 0},
};
constexpr object_shape instance_id_shape{instance_id_fields, 2, 0, &print_id<instance_id>};

constexpr field message_id_fields[] = {
    {"store", &shape_for<std::uint64_t>::value, offsetof(message_id, store), 0},
    {"revision", &shape_for<std::uint64_t>::value, offsetof(message_id, revision), 0},
    {"index", &shape_for<std::uint32_t>::value, offsetof(message_id, index), 0},
};
constexpr object_shape message_id_shape{message_id_fields, 3, 0, &print_id<message_id>, true};

} // namespace

template <>
constinit const shape shape_for<instance_id>::value{
    form::object, "continuo::instance_id", nullptr, {.object = &instance_id_shape}};

template <>
constinit const shape shape_for<message_id>::value{
    form::object, "continuo::message_id", nullptr, {.object = &message_id_shape}};

} // namespace continuo::detail
