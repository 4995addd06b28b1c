#pragma once

#include <continuo/fields.hpp>

#include <boost/serialization/array.hpp>
#include <boost/serialization/deque.hpp>
#include <boost/serialization/list.hpp>
#include <boost/serialization/map.hpp>
#include <boost/serialization/nvp.hpp>
#include <boost/serialization/set.hpp>
#include <boost/serialization/split_free.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/unordered_map.hpp>
#include <boost/serialization/unordered_set.hpp>
#include <boost/serialization/utility.hpp>
#include <boost/serialization/vector.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

/// Lets types with CONTINUO_FIELDS go through Boost's own archives (XML, text, binary): Boost's support of
/// the standard containers, and what Boost 1.74 lacks: std::optional, std::variant, std::tuple and
/// std::chrono. Only programs that use those archives need it; Continuo's own bytes and JSON do not.
/// Include it before the archives' first use.
namespace boost::serialization {

// -- optional ---------------------------------------------------------------------
template <class Archive, class T>
void save(Archive& archive, const std::optional<T>& value, const unsigned) {
  const bool present = value.has_value();
  archive << boost::serialization::make_nvp("present", present);
  if (present) {
    archive << boost::serialization::make_nvp("value", *value);
  }
}

template <class Archive, class T>
void load(Archive& archive, std::optional<T>& value, const unsigned) {
  bool present = false;
  archive >> boost::serialization::make_nvp("present", present);
  value.reset();
  if (present) {
    archive >> boost::serialization::make_nvp("value", value.emplace());
  }
}

template <class Archive, class T>
void serialize(Archive& archive, std::optional<T>& value, const unsigned version) {
  split_free(archive, value, version);
}

// -- variant ----------------------------------------------------------------------
template <class Archive>
void serialize(Archive&, std::monostate&, const unsigned) {}

template <class Archive, class... Ts>
void save(Archive& archive, const std::variant<Ts...>& value, const unsigned) {
  const auto index = static_cast<std::uint32_t>(value.index());
  archive << boost::serialization::make_nvp("index", index);
  std::visit(
      [&archive](const auto& alternative) {
        archive << boost::serialization::make_nvp("value", alternative);
      },
      value);
}

/// Throws `std::out_of_range` for an index that the variant does not have.
template <class Archive, class... Ts>
void load(Archive& archive, std::variant<Ts...>& value, const unsigned) {
  std::uint32_t index = 0;
  archive >> boost::serialization::make_nvp("index", index);
  if (index >= sizeof...(Ts)) {
    throw std::out_of_range("continuo: the archive names an alternative that the variant does not have");
  }
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto load_one = [&](auto& alternative) {
      archive >> boost::serialization::make_nvp("value", alternative);
    };
    ((index == I ? load_one(value.template emplace<I>()) : void()), ...);
  }
  (std::index_sequence_for<Ts...>{});
}

template <class Archive, class... Ts>
void serialize(Archive& archive, std::variant<Ts...>& value, const unsigned version) {
  split_free(archive, value, version);
}

// -- tuple ------------------------------------------------------------------------
template <class Archive, class... Ts>
void serialize(Archive& archive, std::tuple<Ts...>& value, const unsigned) {
  std::apply(
      [&archive](Ts&... elements) { ((archive & boost::serialization::make_nvp("element", elements)), ...); },
      value);
}

// -- chrono -----------------------------------------------------------------------
template <class Archive, class Rep, class Period>
void save(Archive& archive, const std::chrono::duration<Rep, Period>& value, const unsigned) {
  using count_type = std::conditional_t<std::is_integral_v<Rep>, std::int64_t, double>;
  const auto count = static_cast<count_type>(value.count());
  archive << boost::serialization::make_nvp("count", count);
}

template <class Archive, class Rep, class Period>
void load(Archive& archive, std::chrono::duration<Rep, Period>& value, const unsigned) {
  std::conditional_t<std::is_integral_v<Rep>, std::int64_t, double> count{};
  archive >> boost::serialization::make_nvp("count", count);
  value = std::chrono::duration<Rep, Period>{static_cast<Rep>(count)};
}

template <class Archive, class Rep, class Period>
void serialize(Archive& archive, std::chrono::duration<Rep, Period>& value, const unsigned version) {
  split_free(archive, value, version);
}

template <class Archive, class Clock, class Duration>
void serialize(Archive& archive, std::chrono::time_point<Clock, Duration>& value, const unsigned) {
  auto since = value.time_since_epoch();
  archive& boost::serialization::make_nvp("since_epoch", since);
  value = std::chrono::time_point<Clock, Duration>{since};
}

} // namespace boost::serialization
