#pragma once

#include <continuo/detail/types.hpp>

#include <boost/core/nvp.hpp>
#include <boost/mpl/bool.hpp>
#include <boost/serialization/serialization.hpp>

#include <bit>
#include <cstring>
#include <stdexcept>
#include <string>

namespace continuo {

/// The saving side of the binary form: a Boost archive that appends to a string. See `archive.hpp` for the
/// form itself. Values that no reader would take throw: `std::invalid_argument` (an enum value that
/// CONTINUO_ENUM does not list, a valueless variant), `std::length_error` (objects nested deeper than
/// `nesting_max`).
class binary_writer {
public:
  using is_saving = boost::mpl::true_;
  using is_loading = boost::mpl::false_;

  /// How deep objects with fields may stand within each other.
  static constexpr unsigned nesting_max = detail::nesting_max;

  /// @param out outlives the writer; what it holds stays in front.
  explicit binary_writer(std::string& out) : out_(out) {}

  template <class T>
  binary_writer& operator<<(const T& value) {
    save(value);
    return *this;
  }

  template <class T>
  binary_writer& operator&(const T& value) {
    save(value);
    return *this;
  }

  // -- the rest of what Boost asks of an archive ---------------------------------
  template <class T>
  void register_type(const T* = nullptr) {}

  void save_binary(const void* bytes, std::size_t size) {
    out_.append(static_cast<const char*>(bytes), size);
  }

private:
  template <class T>
  void save(const boost::serialization::nvp<T>& field) {
    save(field.const_value());
  }

  template <class T>
  void save(const T& value) {
    detail::check_field_type<T>();
    if constexpr (std::is_same_v<T, bool>) {
      out_.push_back(value ? '\1' : '\0');
    } else if constexpr (std::is_enum_v<T>) {
      detail::check_enum<T>();
      const auto number = static_cast<std::underlying_type_t<T>>(value);
      if (!detail::is_known<T>(number)) [[unlikely]] {
        refuse_enum(static_cast<long long>(number));
      }
      save(number);
    } else if constexpr (detail::fixed_number<T>) {
      save_number(value);
    } else if constexpr (detail::text_type<T>) {
      save_varint(value.size());
      out_.append(value);
    } else if constexpr (detail::described<T>) {
      save_object(value, [this](T& object, unsigned version) {
        detail::field_access::serialize(*this, object, version);
      });
    } else if constexpr (detail::is_a<T, std::optional>) {
      save(value.has_value());
      if (value) {
        save(*value);
      }
    } else if constexpr (detail::is_a<T, std::variant>) {
      save_variant(value);
    } else if constexpr (std::is_same_v<T, std::monostate>) {
      // nothing to say
    } else if constexpr (detail::product_type<T>) {
      std::apply([this](const auto&... elements) { (this->save(elements), ...); }, value);
    } else if constexpr (detail::is_array<T>) {
      for (const auto& element : value) {
        save(element);
      }
    } else if constexpr (detail::duration_type<T>) {
      save_count(value.count());
    } else if constexpr (detail::time_point_type<T>) {
      save_count(value.time_since_epoch().count());
    } else if constexpr (detail::sequence_type<T> || detail::map_type<T> || detail::set_type<T>) {
      save_container(value);
    } else {
      save_object(value, [this](T& object, unsigned version) {
        boost::serialization::serialize_adl(*this, object, version);
      });
    }
  }

  template <class T>
  void save_number(T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    if constexpr (std::endian::native == std::endian::big) {
      std::reverse(bytes, bytes + sizeof(T));
    }
    out_.append(bytes, sizeof(T));
  }

  template <class Count>
  void save_count(Count count) {
    if constexpr (std::is_floating_point_v<Count>) {
      save_number(static_cast<double>(count));
    } else {
      save_number(static_cast<std::int64_t>(count));
    }
  }

  void save_varint(std::uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }

  // Boost's serialize is one function for both directions, so it takes its object without const.
  template <class T, class Serialize>
  void save_object(const T& value, Serialize serialize) {
    constexpr auto version = detail::class_version<T>();
    if (++nesting_ > nesting_max) {
      refuse_nesting();
    }
    save_varint(version);
    serialize(const_cast<T&>(value), version);
    --nesting_;
  }

  template <class T>
  void save_variant(const T& value) {
    if (value.valueless_by_exception()) {
      refuse_valueless();
    }
    save_varint(value.index());
    std::visit([this](const auto& alternative) { this->save(alternative); }, value);
  }

  template <class T>
  void save_container(const T& value) {
    using element_type = typename T::value_type;
    detail::check_element_type<detail::stored_element<T>>();
    save_varint(value.size());
    if constexpr (detail::unordered<T>) {
      for (const auto* element : detail::in_key_order(value)) {
        save(*element);
      }
    } else if constexpr (detail::block_of_numbers<T>) {
      out_.append(reinterpret_cast<const char*>(value.data()), value.size() * sizeof(element_type));
    } else if constexpr (std::is_same_v<T, std::vector<bool>>) {
      for (const bool element : value) {
        save(element);
      }
    } else {
      for (const auto& element : value) {
        save(element);
      }
    }
  }

  [[noreturn]] static void refuse_enum(long long value);
  [[noreturn]] static void refuse_valueless();
  [[noreturn]] static void refuse_nesting();

  std::string& out_;
  unsigned nesting_ = 0;
};

} // namespace continuo
