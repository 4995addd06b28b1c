#pragma once

#include <continuo/detail/shape.hpp>

#include <boost/core/nvp.hpp>
#include <boost/mpl/bool.hpp>

#include <type_traits>

/// What the `serialize` of a plain Boost type is given, whether it goes to bytes, JSON or text: one class for
/// each direction, so that it is compiled no more often.
namespace continuo::detail {

template <class T>
const shape& shape_of();

template <class T>
inline constexpr bool is_nvp = false;
template <class T>
inline constexpr bool is_nvp<boost::serialization::nvp<T>> = true;

class saving_archive {
public:
  using is_saving = boost::mpl::true_;
  using is_loading = boost::mpl::false_;

  template <class T>
  saving_archive& operator<<(const T& value) {
    return *this & value;
  }

  template <class T>
  saving_archive& operator&(const T& value) {
    if constexpr (is_nvp<T>) {
      save_field(value.name(), shape_of<std::remove_cvref_t<decltype(value.const_value())>>(),
                 &reinterpret_cast<const char&>(value.const_value()));
    } else {
      save_field(nullptr, shape_of<T>(), &reinterpret_cast<const char&>(value));
    }
    return *this;
  }

  template <class T>
  void register_type(const T* = nullptr) {}

  /// In JSON and print an array of numbers.
  virtual void save_binary(const void* bytes, std::size_t size) = 0;

protected:
  ~saving_archive() = default;

private:
  virtual void save_field(const char* name, const shape& of, const void* value) = 0; ///< the name may be null
};

class loading_archive {
public:
  using is_saving = boost::mpl::false_;
  using is_loading = boost::mpl::true_;

  template <class T>
  loading_archive& operator>>(T&& value) {
    return *this & value;
  }

  template <class T>
  loading_archive& operator&(T&& value) {
    if constexpr (is_nvp<std::remove_cvref_t<T>>) {
      load(value.name(), value.value());
    } else {
      load(nullptr, value);
    }
    return *this;
  }

  template <class T>
  void register_type(const T* = nullptr) {}

  template <class T>
  void reset_object_address(const T*, const T*) {}

  virtual void load_binary(void* bytes, std::size_t size) = 0;

protected:
  ~loading_archive() = default;

private:
  template <class T>
  void load(const char* name, T& value) {
    static_assert(!std::is_const_v<T>, "continuo: a const field cannot be read");
    load_field(name, shape_of<T>(), &reinterpret_cast<char&>(value));
  }

  virtual void load_field(const char* name, const shape& of, void* value) = 0; ///< the name may be null
};

} // namespace continuo::detail
