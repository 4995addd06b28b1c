#include "messages/shapes.hpp"

#include <continuo/detail/archives.hpp>
#include <continuo/detail/time_text.hpp>

#include <boost/core/demangle.hpp>
#include <fmt/format.h>

#include <charconv>
#include <map>
#include <mutex>
#include <ostream>
#include <set>

namespace continuo::detail {

namespace {

template <class Number>
void append_shortest(std::string& out, Number value) {
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, end);
}

std::string demangled(const shape& of) {
  return boost::core::demangle(of.cpp->name());
}

std::string type_names(std::span<const shape* const> shapes) {
  std::string names;
  for (const auto* one : shapes) {
    names += (names.empty() ? "" : ", ") + type_name(*one);
  }
  return names;
}

/// To a plain Boost type's `serialize` it is a saving archive.
class printer final : public saving_archive {
public:
  explicit printer(std::string& out) : out_(out) {}

  void put(const shape& of, const void* value) {
    switch (of.what) {
    case form::boolean:
      out_ += as<bool>(value) ? "true" : "false";
      break;
    // Each in the fewest digits that give it back, which are fewer for a float.
    case form::float32:
      append_shortest(out_, as<float>(value));
      break;
    case form::float64:
      append_shortest(out_, as<double>(value));
      break;
    case form::uint64:
      out_ += std::to_string(static_cast<std::uint64_t>(integer_at(of.what, value)));
      break;
    case form::text:
      put_string(as<std::string>(value));
      break;
    case form::object:
      put_object(of, value);
      break;
    case form::base:
      put(*of.base->of, of.base->up(const_cast<void*>(value)));
      break;
    case form::enumeration:
      if (const auto& known = *of.enumeration; known.named) {
        out_ += enumerator_name(known.names, known.size, integer_at(known.underlying->what, value));
      } else {
        put(*known.underlying, value);
      }
      break;
    case form::optional:
      if (const void* held = of.optional->get(value)) {
        put(*of.optional->of, held);
      } else {
        out_ += "none";
      }
      break;
    case form::variant: {
      std::size_t index = 0;
      if (const void* held = of.variant->get(value, index)) {
        put(*of.variant->alternatives[index], held);
      } else {
        out_ += "valueless";
      }
      break;
    }
    case form::nothing:
      out_ += "nothing";
      break;
    case form::duration:
      put_count(*of.count, value);
      break;
    case form::time_point:
      put_time(*of.count, value);
      break;
    case form::product:
      open('(');
      for (std::size_t index = 0; index < of.product->size; ++index) {
        put_element(*of.product->elements[index], of.product->get(value, index));
      }
      close(')');
      break;
    case form::array:
      open('[');
      for (std::size_t index = 0; index < of.array->size; ++index) {
        put_element(*of.array->of, static_cast<const char*>(value) + index * of.array->element_bytes);
      }
      close(']');
      break;
    case form::sequence:
      open('[');
      for_each(*of.sequence, value, [&](const void* element) { put_element(*of.sequence->of, element); });
      close(']');
      break;
    case form::flags:
      open('[');
      for (const bool flag : as<std::vector<bool>>(value)) {
        put_element(shape_of<bool>(), &flag);
      }
      close(']');
      break;
    case form::map:
    case form::set:
      open('{');
      for_each(*of.keyed, value, [&](const void* key, const void* mapped) {
        put_element(*of.keyed->key, key);
        if (mapped != nullptr) {
          out_ += ": ";
          put(*of.keyed->mapped, mapped);
        }
      });
      close('}');
      break;
    case form::custom:
      put_custom(of, value);
      break;
    default:
      out_ += std::to_string(integer_at(of.what, value));
    }
  }

private:
  void save_field(const char* name, const shape& of, const void* value) override {
    separate();
    if (name != nullptr) {
      out_ += name;
      out_ += ": ";
    }
    put(of, value);
  }

  void save_binary(const void* bytes, std::size_t size) override {
    separate();
    open('[');
    for (std::size_t index = 0; index < size; ++index) {
      put_element(shape_of<std::uint8_t>(), static_cast<const char*>(bytes) + index);
    }
    close(']');
  }

  void put_object(const shape& of, const void* value) {
    if (of.object->print != nullptr) {
      of.object->print(out_, value);
      return;
    }
    out_ += of.name;
    open('{');
    for (const auto& one : fields(of)) {
      save_field(one.name, *one.of, field_at(one, value));
    }
    close('}');
  }

  // As it prints itself, else by its fields.
  void put_custom(const shape& of, const void* value) {
    if (of.custom->print != nullptr) {
      of.custom->print(out_, value);
      return;
    }
    out_ += last_name(demangled(of).c_str());
    open('{');
    of.custom->save(*this, const_cast<void*>(value), of.custom->version);
    close('}');
  }

  void put_element(const shape& of, const void* element) {
    separate();
    put(of, element);
  }

  void put_count(const count_shape& of, const void* value) {
    out_ += is_floating(of.of->what) ? duration_text(floating_at(of.of->what, value), of.counted)
                                     : duration_text(integer_at(of.of->what, value), of.counted);
  }

  void put_time(const count_shape& of, const void* value) {
    if (!is_floating(of.of->what)) {
      if (const auto text = time_text(integer_at(of.of->what, value), of.counted); !text.empty()) {
        out_ += text;
        return;
      }
    }
    put_count(of, value);
  }

  void put_string(std::string_view value) {
    out_ += '"';
    for (const char character : value) {
      const auto byte = static_cast<unsigned char>(character);
      if (character == '"' || character == '\\') {
        out_ += '\\';
        out_ += character;
      } else if (character == '\n') {
        out_ += "\\n";
      } else if (byte < 0x20 || byte == 0x7f) {
        out_ += fmt::format("\\x{:02x}", static_cast<unsigned>(byte));
      } else {
        out_ += character;
      }
    }
    out_ += '"';
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

  std::string& out_;
  bool first_ = true; // nothing stands yet between the innermost brackets
};

} // namespace

std::string print(const shape& of, const void* value) {
  std::string text;
  printer{text}.put(of, value);
  return text;
}

std::ostream& print_to(std::ostream& out, const shape& of, const void* value) {
  return out << print(of, value);
}

// -- names of types -------------------------------------------------------------------

std::string type_name(const shape& of) {
  switch (of.what) {
  case form::base:
    return type_name(*of.base->of);
  case form::optional:
    return fmt::format("{}<{}>", of.name, type_name(*of.optional->of));
  case form::variant:
    return fmt::format("{}<{}>", of.name, type_names({of.variant->alternatives, of.variant->size}));
  case form::product:
    return fmt::format("{}<{}>", of.name, type_names({of.product->elements, of.product->size}));
  case form::array:
    return fmt::format("{}<{}, {}>", of.name, type_name(*of.array->of), of.array->size);
  case form::sequence:
    return fmt::format("{}<{}>", of.name, type_name(*of.sequence->of));
  case form::flags:
    return fmt::format("{}<bool>", of.name);
  case form::map:
    return fmt::format("{}<{}, {}>", of.name, type_name(*of.keyed->key), type_name(*of.keyed->mapped));
  case form::set:
    return fmt::format("{}<{}>", of.name, type_name(*of.keyed->key));
  default:
    return of.name.empty() ? demangled(of) : std::string{of.name};
  }
}

const std::vector<std::string>& alternative_names(const variant_shape& of) {
  static std::mutex mutex;
  static auto& known =
      *new std::map<const variant_shape*, std::vector<std::string>>; // used until the very end
  const std::lock_guard lock{mutex};
  if (const auto found = known.find(&of); found != known.end()) {
    return found->second;
  }
  std::vector<std::string> names; // kept when all of it is there: each of these lines may find no memory
  for (std::size_t index = 0; index < of.size; ++index) {
    names.push_back(type_name(*of.alternatives[index]));
  }
  if (std::set<std::string>(names.begin(), names.end()).size() < names.size()) {
    for (std::size_t index = 0; index < names.size(); ++index) {
      names[index] = std::to_string(index);
    }
  }
  return known.try_emplace(&of, std::move(names)).first->second;
}

} // namespace continuo::detail
