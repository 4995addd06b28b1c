#pragma once

#include <continuo/detail/language.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace continuo {

namespace detail {

/// A `std::filesystem::path`, without its header.
template <class T>
concept file_system_path = std::same_as<typename T::string_type, std::string> && requires(const T& path) {
  typename T::format;
  { path.native() } -> std::same_as<const std::string&>;
};

} // namespace detail

/// Names a file or a folder. It comes of a `std::filesystem::path`, or of text, and becomes one wherever one
/// is asked for; its header, which takes a compiler longer than all of Continuo's, is for those to include
/// who use it.
class file_path {
public:
  file_path() = default;
  file_path(std::string path) : text_(std::move(path)) {}
  file_path(std::string_view path) : text_(path) {}
  file_path(const char* path) : text_(path) {}
  template <detail::file_system_path Path>
  file_path(const Path& path) : text_(path.native()) {}

  template <detail::file_system_path Path>
  operator Path() const {
    return Path{text_};
  }

  // -- queries ----------------------------------------------------------------
  bool empty() const { return text_.empty(); }
  const std::string& string() const { return text_; }
  const char* c_str() const { return text_.c_str(); }

  /// The file of this name in this folder.
  file_path operator/(std::string_view name) const;

  friend bool operator==(const file_path&, const file_path&) = default;

  // -- updates ----------------------------------------------------------------
  void clear() { text_.clear(); }

private:
  std::string text_;
};

} // namespace continuo
