#include <continuo/file_path.hpp>

#include <filesystem>

namespace continuo {

file_path file_path::operator/(std::string_view name) const {
  return std::filesystem::path{text_} / name;
}

} // namespace continuo
