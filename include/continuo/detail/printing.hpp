#pragma once

#include <continuo/detail/time_text.hpp>
#include <continuo/detail/type_name.hpp>

#include <boost/core/nvp.hpp>
#include <boost/mpl/bool.hpp>
#include <boost/serialization/serialization.hpp>

#include <iosfwd>
#include <string>
#include <string_view>

/// Values as people read them in logs and failed tests: `make_payment{order_id: "o-1", cents: 4200}`.
/// Nothing reads it back.
namespace continuo::detail {

std::ostream& write_to(std::ostream& out, std::string_view text);

/// A Boost archive that saves to such text.
class printer {
public:
  using is_saving = boost::mpl::true_;
  using is_loading = boost::mpl::false_;

  explicit printer(std::string& out) : out_(out) {}

  template <class T>
  printer& operator<<(const T& value) {
    return *this & value;
  }

  // Reached from a type's `serialize`: one field of it.
  template <class T>
  printer& operator&(const T& field) {
    separate();
    if constexpr (is_a<T, boost::serialization::nvp>) {
      out_ += field.name();
      out_ += ": ";
      put(field.const_value());
    } else {
      put(field);
    }
    return *this;
  }

  template <class T>
  void register_type(const T* = nullptr) {}

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      out_ += value ? "true" : "false";
    } else if constexpr (named_enum<T>) {
      put_name(enumerator_name(value));
    } else if constexpr (std::is_enum_v<T>) {
      put(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      put_number(value);
    } else if constexpr (std::is_integral_v<T>) {
      out_ += std::to_string(+value);
    } else if constexpr (text_type<T>) {
      put_string(value);
    } else if constexpr (described<T>) {
      put_fields(value, field_access::name<T>(),
                 [this](T& object) { field_access::serialize(*this, object, class_version<T>()); });
    } else if constexpr (is_a<T, std::optional>) {
      value ? put(*value) : put_name("none");
    } else if constexpr (is_a<T, std::variant>) {
      value.valueless_by_exception()
          ? put_name("valueless")
          : std::visit([this](const auto& alternative) { this->put(alternative); }, value);
    } else if constexpr (std::is_same_v<T, std::monostate>) {
      put_name("nothing");
    } else if constexpr (duration_type<T>) {
      out_ += duration_text(written_count(value.count()), period_of<T>());
    } else if constexpr (time_point_type<T>) {
      put_time(value);
    } else if constexpr (product_type<T>) {
      std::apply([this](const auto&... elements) { this->put_elements('(', ')', elements...); }, value);
    } else if constexpr (map_type<T> || set_type<T>) {
      put_keyed(value);
    } else if constexpr (sequence_type<T> || is_array<T>) {
      open('[');
      for (const auto& element : value) {
        separate();
        put_element(element);
      }
      close(']');
    } else {
      put_other(value);
    }
  }

private:
  template <class T>
  void put_element(const T& element) {
    if constexpr (std::is_same_v<T, std::vector<bool>::const_reference>) {
      put(static_cast<bool>(element));
    } else {
      put(element);
    }
  }

  template <class... Ts>
  void put_elements(char opening, char closing, const Ts&... elements) {
    open(opening);
    ((separate(), put(elements)), ...);
    close(closing);
  }

  template <class T>
  void put_keyed(const T& value) {
    open('{');
    const auto put_one = [this](const auto& element) {
      separate();
      if constexpr (map_type<T>) {
        put(element.first);
        out_ += ": ";
        put(element.second);
      } else {
        put(element);
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
    close('}');
  }

  template <class T>
  void put_time(const T& value) {
    if constexpr (std::is_integral_v<typename T::rep>) {
      const auto count = static_cast<std::int64_t>(value.time_since_epoch().count());
      if (const auto text = time_text(count, period_of<typename T::duration>()); !text.empty()) {
        out_ += text;
        return;
      }
    }
    out_ += duration_text(written_count(value.time_since_epoch().count()), period_of<typename T::duration>());
  }

  // A plain Boost type: as it prints itself, else by its fields.
  template <class T>
  void put_other(const T& value) {
    if constexpr (requires {
                    { to_string(value) } -> std::convertible_to<std::string_view>;
                  }) {
      out_ += std::string_view{to_string(value)};
    } else {
      put_fields(value, last_name(demangled(typeid(T)).c_str()), [this](T& object) {
        boost::serialization::serialize_adl(*this, object, class_version<T>());
      });
    }
  }

  template <class T, class Serialize>
  void put_fields(const T& value, std::string_view name, Serialize serialize) {
    out_ += name;
    open('{');
    serialize(const_cast<T&>(value));
    close('}');
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
      out_ += ", ";
    }
    first_ = false;
  }

  void put_name(std::string_view name) { out_ += name; }
  void put_number(float value);
  void put_number(double value);
  void put_string(std::string_view value);

  std::string& out_;
  bool first_ = true; // nothing stands yet between the innermost brackets
};

template <class T>
std::string print(const T& value) {
  std::string text;
  printer{text}.put(value);
  return text;
}

} // namespace continuo::detail
