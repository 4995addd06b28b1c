#pragma once

#include <continuo/detail/time_text.hpp>
#include <continuo/detail/type_name.hpp>

#include <boost/core/nvp.hpp>
#include <boost/mpl/bool.hpp>
#include <boost/serialization/serialization.hpp>

#include <string>
#include <string_view>

namespace continuo::detail {

/// How a variant's alternative is named in JSON: by its type's name, or by its index where two have the
/// same name.
template <class Variant>
struct alternative_names;
template <class... Ts>
struct alternative_names<std::variant<Ts...>> {
  static const std::vector<std::string>& all() {
    static const auto names = [] {
      std::vector<std::string> made{type_name<Ts>()...};
      if (std::set<std::string>(made.begin(), made.end()).size() < made.size()) {
        for (std::size_t index = 0; index < made.size(); ++index) {
          made[index] = std::to_string(index);
        }
      }
      return made;
    }();
    return names;
  }
};

/// Maps of strings are objects, all others arrays of [key, value].
template <class T>
inline constexpr bool is_json_object = false;
template <map_type T>
inline constexpr bool is_json_object<T> = text_type<typename T::key_type>&& unique_keys<T>;

/// Appends compact JSON to a string; to a plain Boost type's `serialize` it is a saving archive.
class json_writer {
public:
  using is_saving = boost::mpl::true_;
  using is_loading = boost::mpl::false_;

  explicit json_writer(std::string& out) : out_(out) {}

  template <class T>
  json_writer& operator<<(const T& field) {
    return *this & field;
  }

  // A field without a name goes by its place.
  template <class T>
  json_writer& operator&(const T& field) {
    const auto place = fields_++;
    if constexpr (is_a<T, boost::serialization::nvp>) {
      put_field(field.name(), field.const_value());
    } else {
      put_field(std::to_string(place).c_str(), field);
    }
    return *this;
  }

  template <class T>
  void register_type(const T* = nullptr) {}

  template <class T>
  void put(const T& value) {
    check_field_type<T>();
    if constexpr (std::is_same_v<T, bool>) {
      out_ += value ? "true" : "false";
    } else if constexpr (std::is_enum_v<T>) {
      put_enum(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      put_number(value);
    } else if constexpr (std::is_integral_v<T>) {
      out_ += std::to_string(+value);
    } else if constexpr (text_type<T>) {
      put_string(value);
    } else if constexpr (described<T>) {
      enter_object();
      described_fields<T> fields{*this, value};
      field_access::visit<T>(fields);
      leave_object();
    } else if constexpr (is_a<T, std::optional>) {
      static_assert(!is_a<typename T::value_type, std::optional>,
                    "continuo: an optional of an optional cannot be told apart in JSON");
      value ? put(*value) : put_null();
    } else if constexpr (is_a<T, std::variant>) {
      put_variant(value);
    } else if constexpr (std::is_same_v<T, std::monostate>) {
      put_null();
    } else if constexpr (duration_type<T>) {
      put_duration(value);
    } else if constexpr (time_point_type<T>) {
      put_time(value);
    } else if constexpr (product_type<T>) {
      open('[');
      std::apply([this](const auto&... elements) { (this->put_element(elements), ...); }, value);
      close(']');
    } else if constexpr (map_type<T> || set_type<T>) {
      put_keyed(value);
    } else if constexpr (sequence_type<T> || is_array<T>) {
      open('[');
      for (const auto& element : value) {
        put_element<typename T::value_type>(element);
      }
      close(']');
    } else {
      enter_object();
      const auto around = std::exchange(fields_, 0);
      boost::serialization::serialize_adl(*this, const_cast<T&>(value), class_version<T>());
      fields_ = around;
      leave_object();
    }
  }

private:
  template <class T>
  struct described_fields {
    json_writer& writer;
    const T& object;

    template <class Member, class Class>
    void field(const char* name, Member Class::*member, unsigned) {
      writer.put_field(name, object.*member);
    }
    template <class Base>
    void base(const char* name) {
      writer.put_field(name, static_cast<const Base&>(object));
    }
  };

  template <class T>
  void put_field(const char* name, const T& value) {
    put_key(name);
    put(value);
  }

  template <class T>
  void put_element(const T& element) {
    separate();
    put(element);
  }

  template <class T>
  void put_enum(T value) {
    const auto number = static_cast<std::underlying_type_t<T>>(value);
    if constexpr (named_enum<T>) {
      if (is_known<T>(number)) {
        put_string(enumerator_name(value));
        return;
      }
    }
    put(number);
  }

  template <class T>
  void put_variant(const T& value) {
    if (value.valueless_by_exception()) {
      put_null();
      return;
    }
    open('{');
    put_field("type", alternative_names<T>::all()[value.index()]);
    std::visit([this](const auto& alternative) { this->put_field("value", alternative); }, value);
    close('}');
  }

  template <class T>
  void put_duration(const T& value) {
    constexpr auto counted = period_of<T>();
    const auto count = written_count(value.count());
    if (unit_of(counted).empty()) {
      put(count);
    } else {
      put_string(duration_text(count, counted));
    }
  }

  template <class T>
  void put_time(const T& value) {
    const auto since = value.time_since_epoch();
    if constexpr (std::is_integral_v<typename T::rep>) {
      const auto text =
          time_text(static_cast<std::int64_t>(since.count()), period_of<typename T::duration>());
      if (!text.empty()) {
        put_string(text);
        return;
      }
    }
    put(since.count());
  }

  template <class T>
  void put_keyed(const T& value) {
    open(is_json_object<T> ? '{' : '[');
    const auto put_one = [this](const auto& element) {
      if constexpr (is_json_object<T>) {
        this->put_key(element.first);
        put(element.second);
      } else {
        this->put_element(element);
      }
    };
    if constexpr (unordered<T>) {
      for (const auto* element : in_key_order(value)) {
        put_one(*element);
      }
    } else {
      for (const auto& element : value) {
        put_one(element);
      }
    }
    close(is_json_object<T> ? '}' : ']');
  }

  void open(char bracket) {
    out_ += bracket;
    first_ = true;
  }

  void close(char bracket) {
    out_ += bracket;
    first_ = false;
  }

  void separate() {
    if (!first_) {
      out_ += ',';
    }
    first_ = false;
  }

  void enter_object();
  void leave_object();
  void put_key(std::string_view key);
  void put_null() { out_ += "null"; }
  void put_number(double value);
  void put_number(float value);
  void put_string(std::string_view value);

  std::string& out_;
  bool first_ = true;
  unsigned fields_ = 0; // of the plain Boost type that is being written
  unsigned nesting_ = 0;
};

} // namespace continuo::detail
