#pragma once

#include <continuo/detail/json_writer.hpp>
#include <continuo/result.hpp>

#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace continuo::detail {

/// A place in a JSON document, and the way to it: `$.lines[2].cents`. To a plain Boost type's `serialize`
/// it is a loading archive. What does not fit is thrown as an `error`, as by `binary_reader`.
class json_reader {
public:
  using is_saving = boost::mpl::false_;
  using is_loading = boost::mpl::true_;

  /// Parses all of `text`. Throws where it is no JSON, has a key twice in one object or nests too deep.
  explicit json_reader(std::string_view text);
  ~json_reader();
  json_reader(const json_reader&) = delete;
  json_reader& operator=(const json_reader&) = delete;

  template <class T>
  json_reader& operator>>(T&& field) {
    return *this & field;
  }

  template <class T>
  json_reader& operator&(T&& field) {
    const auto place = fields_++;
    if constexpr (is_a<std::remove_cvref_t<T>, boost::serialization::nvp>) {
      get_field(field.name(), field.value(), false);
    } else {
      get_field(std::to_string(place), field, false);
    }
    return *this;
  }

  template <class T>
  void register_type(const T* = nullptr) {}

  template <class T>
  void get(T& value) {
    check_field_type<T>();
    if constexpr (std::is_same_v<T, bool>) {
      value = get_bool();
    } else if constexpr (std::is_enum_v<T>) {
      get_enum(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      value = static_cast<T>(get_number(static_cast<double>(std::numeric_limits<T>::max())));
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      value = static_cast<T>(get_signed(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(get_unsigned(std::numeric_limits<T>::max()));
    } else if constexpr (text_type<T>) {
      value = get_string();
    } else if constexpr (described<T>) {
      get_object([this, &value] {
        described_fields<T> fields{*this, value};
        field_access::visit<T>(fields);
      });
    } else if constexpr (is_a<T, std::optional>) {
      is_null() ? value.reset() : get(value.emplace());
    } else if constexpr (is_a<T, std::variant>) {
      get_variant(value, std::make_index_sequence<std::variant_size_v<T>>{});
    } else if constexpr (std::is_same_v<T, std::monostate>) {
      get_null();
    } else if constexpr (duration_type<T>) {
      get_duration(value);
    } else if constexpr (time_point_type<T>) {
      get_time(value);
    } else if constexpr (product_type<T>) {
      open_array(std::tuple_size_v<T>);
      std::size_t index = 0;
      std::apply([this, &index](auto&... elements) { (this->get_element(index++, elements), ...); }, value);
    } else if constexpr (is_array<T>) {
      open_array(value.size());
      for (std::size_t index = 0; index < value.size(); ++index) {
        get_element(index, value[index]);
      }
    } else if constexpr (is_json_object<T>) {
      get_map(value);
    } else if constexpr (map_type<T> || set_type<T>) {
      get_keyed(value);
    } else if constexpr (sequence_type<T>) {
      get_sequence(value);
    } else {
      get_object([this, &value] {
        const auto around = std::exchange(fields_, 0);
        boost::serialization::serialize_adl(*this, value, class_version<T>());
        fields_ = around;
      });
    }
  }

private:
  // What a step of the path is: a key, or an index where there is no key.
  struct step {
    std::string_view key;
    std::size_t index = 0;
    bool is_key = false;
    const void* from = nullptr; // the value that it left
  };

  template <class T>
  struct described_fields {
    json_reader& reader;
    T& object;

    template <class Member, class Class>
    void field(const char* name, Member Class::*member, unsigned since) {
      reader.get_field(name, object.*member, since != 0);
    }
    template <class Base>
    void base(const char* name) {
      reader.get_field(name, static_cast<Base&>(object), false);
    }
  };

  template <class GetFields>
  void get_object(GetFields get_fields) {
    open_object();
    auto around = std::exchange(known_, {});
    get_fields();
    close_object();
    known_ = std::move(around);
  }

  template <class T>
  void get_field(std::string_view name, T& value, bool may_be_missing) {
    if (enter_field(name)) {
      get(value);
      leave();
    } else if constexpr (is_a<T, std::optional>) {
      value.reset();
    } else if (!may_be_missing) {
      refuse_missing(name);
    }
  }

  template <class T>
  void get_element(std::size_t index, T& value) {
    enter_element(index);
    get(value);
    leave();
  }

  template <class T>
  void get_enum(T& value) {
    check_enum<T>();
    if constexpr (named_enum<T>) {
      const auto* name = find_string();
      for (const auto& known : enumerators<T>) {
        if (name != nullptr && known.name == *name) {
          value = known.value;
          return;
        }
      }
      std::vector<std::string> names;
      for (const auto& known : enumerators<T>) {
        names.emplace_back(known.name);
      }
      refuse_name(names);
    } else {
      std::underlying_type_t<T> number{};
      get(number);
      value = static_cast<T>(number);
    }
  }

  template <class T, std::size_t... I>
  void get_variant(T& value, std::index_sequence<I...>) {
    get_object([this, &value] {
      const auto& names = alternative_names<T>::all();
      std::size_t chosen = 0;
      if (!enter_field("type")) {
        refuse_missing("type");
      }
      const auto* name = find_string();
      while (chosen < names.size() && (name == nullptr || names[chosen] != *name)) {
        ++chosen;
      }
      if (chosen == names.size()) {
        refuse_name(names);
      }
      leave();
      ((chosen == I ? get_field("value", value.template emplace<I>(), false) : void()), ...);
    });
  }

  template <class T>
  void get_duration(T& value) {
    constexpr auto counted = period_of<T>();
    using rep = typename T::rep;
    if (unit_of(counted).empty()) {
      rep count{};
      get(count);
      value = T{count};
    } else if constexpr (std::is_floating_point_v<rep>) {
      const auto* text = find_string();
      const auto count = text == nullptr ? std::nullopt : read_fractional_duration(*text, counted);
      if (!count) {
        refuse_duration(counted);
      }
      value = T{static_cast<rep>(*count)};
    } else {
      const auto* text = find_string();
      const auto count = text == nullptr ? std::nullopt : read_duration(*text, counted);
      if (!count || !std::in_range<rep>(*count)) {
        refuse_duration(counted);
      }
      value = T{static_cast<rep>(*count)};
    }
  }

  template <class T>
  void get_time(T& value) {
    using rep = typename T::rep;
    using duration = typename T::duration;
    constexpr auto counted = period_of<duration>();
    if constexpr (std::is_integral_v<rep>) {
      if (const auto* text = find_string()) {
        const auto count = read_time(*text, counted);
        if (!count || !std::in_range<rep>(*count)) {
          refuse_time();
        }
        value = T{duration{static_cast<rep>(*count)}};
        return;
      }
      if (!unit_of(counted).empty() && !is_number()) {
        refuse_time();
      }
    }
    rep count{};
    get(count);
    value = T{duration{count}};
  }

  template <class T>
  void get_sequence(T& value) {
    const auto size = open_array();
    value.clear();
    for (std::size_t index = 0; index < size; ++index) {
      if constexpr (std::is_same_v<T, std::vector<bool>>) {
        bool element = false;
        get_element(index, element);
        value.push_back(element);
      } else {
        get_element(index, value.emplace_back());
      }
    }
  }

  template <class T>
  void get_keyed(T& value) {
    const auto size = open_array();
    value.clear();
    for (std::size_t index = 0; index < size; ++index) {
      stored_element<T> element{};
      get_element(index, element);
      if constexpr (unique_keys<T>) {
        if (!value.insert(std::move(element)).second) {
          refuse_twice(index);
        }
      } else {
        value.insert(value.end(), std::move(element));
      }
    }
  }

  template <class T>
  void get_map(T& value) {
    open_object();
    value.clear();
    for (const auto key : keys()) {
      enter_field(key);
      get(value[std::string{key}]);
      leave();
    }
    leave_object();
  }

  // -- the document: `messages/json_reader.cpp` ---------------------------------------
  bool get_bool() const;
  std::int64_t get_signed(std::int64_t least, std::int64_t most) const;
  std::uint64_t get_unsigned(std::uint64_t most) const;
  double get_number(double most) const;
  const std::string& get_string() const;
  void get_null() const;
  bool is_null() const;
  const std::string* find_string() const; ///< null where it is no string
  bool is_number() const;

  /// Moves to the field; false where there is none.
  bool enter_field(std::string_view name);
  void enter_element(std::size_t index);
  void leave();

  void open_object();
  void close_object(); ///< refuses fields that nobody asked for
  void leave_object() { --nesting_; }
  std::size_t open_array() const;
  void open_array(std::size_t size) const;
  std::vector<std::string_view> keys() const;

  std::string path() const;
  [[noreturn]] void refuse(const std::string& expected) const;
  [[noreturn]] void refuse_missing(std::string_view name);
  [[noreturn]] void refuse_twice(std::size_t index);
  [[noreturn]] void refuse_name(const std::vector<std::string>& names) const;
  [[noreturn]] void refuse_duration(period counted) const;
  [[noreturn]] void refuse_time() const;

  struct document;
  std::unique_ptr<document> document_;
  const void* at_ = nullptr; // the value that is being read
  std::vector<step> path_;
  std::vector<std::string> known_; // the fields of the present object that were asked for
  unsigned fields_ = 0;            // of the plain Boost type that is being read
  unsigned nesting_ = 0;
};

} // namespace continuo::detail
