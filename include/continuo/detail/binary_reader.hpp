#pragma once

#include <continuo/detail/types.hpp>
#include <continuo/result.hpp>

#include <boost/core/nvp.hpp>
#include <boost/mpl/bool.hpp>
#include <boost/serialization/serialization.hpp>

#include <bit>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

namespace continuo {

/// The loading side of the binary form: a Boost archive over bytes that may be anything. Each read is
/// checked against what is left; no container reserves more than the rest of the input; objects may nest
/// `binary_writer::nesting_max` deep.
///
/// What does not fit is thrown as an `error` (it must leave through a user's `serialize`), which `decode`
/// catches; whoever uses a reader directly catches it too. After that the reader is of no more use, and the
/// values read are unspecified.
class binary_reader {
public:
  using is_saving = boost::mpl::false_;
  using is_loading = boost::mpl::true_;

  /// @param bytes outlive the reader.
  explicit binary_reader(std::string_view bytes)
      : begin_(bytes.data()), position_(begin_), end_(begin_ + bytes.size()) {}

  template <class T>
  binary_reader& operator>>(T&& value) {
    load(value);
    return *this;
  }

  template <class T>
  binary_reader& operator&(T&& value) {
    load(value);
    return *this;
  }

  // -- queries --------------------------------------------------------------------
  std::size_t offset() const { return static_cast<std::size_t>(position_ - begin_); }
  std::size_t left() const { return static_cast<std::size_t>(end_ - position_); }

  /// Refuses bytes that nobody read.
  void finish() const {
    if (position_ != end_) {
      refuse_trailing();
    }
  }

  // -- the rest of what Boost asks of an archive -----------------------------------
  template <class T>
  void register_type(const T* = nullptr) {}

  void load_binary(void* bytes, std::size_t size) {
    if (size != 0) {
      std::memcpy(bytes, take(size, "bytes"), size);
    }
  }

  template <class T>
  void reset_object_address(const T*, const T*) {}

private:
  template <class T>
  void load(const boost::serialization::nvp<T>& field) {
    load(field.value());
  }

  template <class T>
  void load(boost::serialization::nvp<T>& field) {
    load(field.value());
  }

  template <class T>
  void load(T& value) {
    detail::check_field_type<T>();
    static_assert(!std::is_const_v<T>, "continuo: a const field cannot be read");
    if constexpr (std::is_same_v<T, bool>) {
      value = load_bool();
    } else if constexpr (std::is_enum_v<T>) {
      detail::check_enum<T>();
      std::underlying_type_t<T> number{};
      load(number);
      if (!detail::is_known<T>(number)) [[unlikely]] {
        refuse_enum(static_cast<long long>(number), sizeof(T));
      }
      value = static_cast<T>(number);
    } else if constexpr (detail::fixed_number<T>) {
      value = load_number<T>();
    } else if constexpr (detail::text_type<T>) {
      const auto size = load_size(1);
      value.assign(position_, size);
      position_ += size;
    } else if constexpr (detail::described<T>) {
      load_object(value, [this](T& object, unsigned version) {
        detail::field_access::serialize(*this, object, version);
      });
    } else if constexpr (detail::is_a<T, std::optional>) {
      if (load_bool()) {
        load(value.emplace());
      } else {
        value.reset();
      }
    } else if constexpr (detail::is_a<T, std::variant>) {
      load_variant(value, std::make_index_sequence<std::variant_size_v<T>>{});
    } else if constexpr (std::is_same_v<T, std::monostate>) {
      // nothing was said
    } else if constexpr (detail::product_type<T>) {
      std::apply([this](auto&... elements) { (this->load(elements), ...); }, value);
    } else if constexpr (detail::is_array<T>) {
      for (auto& element : value) {
        load(element);
      }
    } else if constexpr (detail::duration_type<T>) {
      value = T{load_count<typename T::rep>()};
    } else if constexpr (detail::time_point_type<T>) {
      value = T{typename T::duration{load_count<typename T::rep>()}};
    } else if constexpr (detail::sequence_type<T>) {
      load_sequence(value);
    } else if constexpr (detail::map_type<T> || detail::set_type<T>) {
      load_keyed(value);
    } else {
      load_object(value, [this](T& object, unsigned version) {
        boost::serialization::serialize_adl(*this, object, version);
      });
    }
  }

  // -- parts -----------------------------------------------------------------------
  const char* take(std::size_t size, const char* what) {
    if (left() < size) [[unlikely]] {
      refuse_short(what, size);
    }
    const char* taken = position_;
    position_ += size;
    return taken;
  }

  template <class T>
  T load_number() {
    T value;
    const char* bytes = take(sizeof(T), "a number");
    if constexpr (std::endian::native == std::endian::big) {
      char reversed[sizeof(T)];
      std::reverse_copy(bytes, bytes + sizeof(T), reversed);
      std::memcpy(&value, reversed, sizeof(T));
    } else {
      std::memcpy(&value, bytes, sizeof(T));
    }
    return value;
  }

  bool load_bool() {
    const char byte = *take(1, "a bool");
    if ((byte & ~1) != 0) [[unlikely]] {
      refuse_bool(byte);
    }
    return byte != 0;
  }

  template <class Count>
  Count load_count() {
    if constexpr (std::is_floating_point_v<Count>) {
      return static_cast<Count>(load_number<double>());
    } else {
      const auto count = load_number<std::int64_t>();
      if constexpr (sizeof(Count) < sizeof(count)) {
        if (count < static_cast<std::int64_t>(std::numeric_limits<Count>::min()) ||
            count > static_cast<std::int64_t>(std::numeric_limits<Count>::max())) {
          refuse_count(count);
        }
      }
      return static_cast<Count>(count);
    }
  }

  std::uint64_t load_varint(const char* what) {
    const auto first = static_cast<unsigned char>(*take(1, what));
    return first < 0x80 ? first : load_long_varint(first, what);
  }

  std::uint64_t load_long_varint(unsigned char first, const char* what);

  // How many elements of at least `element_bytes` follow: never more than the rest of the input could hold.
  std::size_t load_size(std::size_t element_bytes) {
    const auto size = load_varint("a size");
    if (size > left() / element_bytes) [[unlikely]] {
      refuse_size(size, element_bytes);
    }
    return static_cast<std::size_t>(size);
  }

  template <class T, class Serialize>
  void load_object(T& value, Serialize serialize) {
    const auto version = load_varint("a class version");
    constexpr auto newest = detail::class_version<T>();
    if (version > newest) [[unlikely]] {
      refuse_version(version, newest);
    }
    if (++nesting_ > detail::nesting_max) [[unlikely]] {
      refuse_nesting();
    }
    serialize(value, static_cast<unsigned>(version));
    --nesting_;
  }

  template <class T, std::size_t... I>
  void load_variant(T& value, std::index_sequence<I...>) {
    const auto index = load_varint("an index");
    if (index >= sizeof...(I)) [[unlikely]] {
      refuse_index(index, sizeof...(I));
    }
    ((index == I ? load(value.template emplace<I>()) : void()), ...);
  }

  template <class T>
  void load_sequence(T& value) {
    using element_type = typename T::value_type;
    detail::check_element_type<element_type>();
    const auto size = load_size(detail::least_bytes<element_type>());
    value.clear();
    if constexpr (detail::block_of_numbers<T>) {
      const char* bytes = take(size * sizeof(element_type), "numbers");
      value.resize(size);
      if (size != 0) {
        std::memcpy(value.data(), bytes, size * sizeof(element_type));
      }
      return;
    } else {
      if constexpr (detail::is_a<T, std::vector>) {
        // An element may be larger in memory than in the bytes: the rest grows as it is really read.
        value.reserve(std::min(size, left() / sizeof(element_type)));
      }
      for (std::size_t read = 0; read < size; ++read) {
        if constexpr (std::is_same_v<T, std::vector<bool>>) {
          value.push_back(load_bool());
        } else {
          load(value.emplace_back());
        }
      }
    }
  }

  // Only the one order that a writer uses is taken, so that equal values are equal bytes.
  template <class T>
  void load_keyed(T& value) {
    detail::check_element_type<typename T::value_type>();
    const auto size = load_size(detail::least_bytes<detail::stored_element<T>>());
    value.clear();
    const typename T::key_type* last = nullptr;
    for (std::size_t read = 0; read < size; ++read) {
      const auto start = offset();
      detail::stored_element<T> element{};
      load(element);
      const auto& key = detail::key_of<T>(element);
      if (last != nullptr && !detail::in_order<T>(value, *last, key)) [[unlikely]] {
        refuse_order(start);
      }
      last = &detail::key_of<T>(*value.insert(value.end(), std::move(element)));
    }
  }

  // -- refusals: out of line, so that the reads above stay small --------------------
  [[noreturn]] void refuse_short(const char* what, std::size_t size) const;
  [[noreturn]] void refuse_bool(char byte) const;
  [[noreturn]] void refuse_enum(long long value, std::size_t size) const;
  [[noreturn]] void refuse_count(std::int64_t count) const;
  [[noreturn]] void refuse_size(std::uint64_t size, std::size_t element_bytes) const;
  [[noreturn]] void refuse_index(std::uint64_t index, std::size_t alternatives) const;
  [[noreturn]] void refuse_order(std::size_t start) const;
  [[noreturn]] void refuse_version(std::uint64_t version, unsigned newest) const;
  [[noreturn]] void refuse_nesting() const;
  [[noreturn]] void refuse_trailing() const;

  const char* begin_;
  const char* position_;
  const char* end_;
  unsigned nesting_ = 0;
};

} // namespace continuo
