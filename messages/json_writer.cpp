#include "messages/shapes.hpp"

#include <continuo/detail/time_text.hpp>
#include <continuo/json.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

namespace continuo::detail {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd"; // U+FFFD

bool is_continuation(unsigned char byte) {
  return (byte & 0xc0) == 0x80;
}

// How many bytes the character at the front takes; 0 where they are no UTF-8 (overlong forms, surrogates and
// values over U+10FFFF included).
std::size_t character_bytes(std::string_view text) {
  const auto byte = [text](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : static_cast<unsigned char>(0);
  };
  const auto first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xc2 && first <= 0xdf) {
    return is_continuation(byte(1)) ? 2 : 0;
  }
  if (first >= 0xe0 && first <= 0xef) {
    const auto lowest = first == 0xe0 ? 0xa0 : 0x80;
    const auto highest = first == 0xed ? 0x9f : 0xbf;
    return byte(1) >= lowest && byte(1) <= highest && is_continuation(byte(2)) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const auto lowest = first == 0xf0 ? 0x90 : 0x80;
    const auto highest = first == 0xf4 ? 0x8f : 0xbf;
    return byte(1) >= lowest && byte(1) <= highest && is_continuation(byte(2)) && is_continuation(byte(3))
               ? 4
               : 0;
  }
  return 0;
}

void append_escaped(std::string& out, char character) {
  switch (character) {
  case '"':
    out += "\\\"";
    break;
  case '\\':
    out += "\\\\";
    break;
  case '\n':
    out += "\\n";
    break;
  case '\r':
    out += "\\r";
    break;
  case '\t':
    out += "\\t";
    break;
  default:
    if (static_cast<unsigned char>(character) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(character));
    } else {
      out += character;
    }
  }
}

template <class Number>
void append_number(std::string& out, Number value) {
  if (!std::isfinite(value)) {
    out += "null"; // JSON has no word for it
    return;
  }
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  const std::string_view text{digits, static_cast<std::size_t>(end - digits)};
  out += text;
  if (text.find_first_of(".e") == text.npos) {
    out += ".0"; // an integer would lose the sign of -0.0
  }
}

/// Appends compact JSON to a string; to a plain Boost type's `serialize` it is a saving archive.
class json_writer final : public saving_archive {
public:
  explicit json_writer(std::string& out) : out_(out) {}

  void put(const shape& of, const void* value) {
    switch (of.what) {
    case form::boolean:
      out_ += as<bool>(value) ? "true" : "false";
      break;
    case form::float32:
      append_number(out_, as<float>(value));
      break;
    case form::float64:
      append_number(out_, as<double>(value));
      break;
    case form::uint64:
      out_ += std::to_string(static_cast<std::uint64_t>(integer_at(of.what, value)));
      break;
    case form::text:
      put_string(as<std::string>(value));
      break;
    case form::object:
      enter_object();
      for (const auto& one : fields(of)) {
        put_field(one.name, *one.of, field_at(one, value));
      }
      leave_object();
      break;
    case form::base:
      put(*of.base->of, of.base->up(const_cast<void*>(value)));
      break;
    case form::enumeration:
      put_enumeration(*of.enumeration, value);
      break;
    case form::optional:
      if (const void* held = of.optional->get(value)) {
        put(*of.optional->of, held);
      } else {
        put_null();
      }
      break;
    case form::variant:
      put_variant(*of.variant, value);
      break;
    case form::nothing:
      put_null();
      break;
    case form::duration:
      put_duration(*of.count, value);
      break;
    case form::time_point:
      put_time(*of.count, value);
      break;
    case form::product:
      open('[');
      for (std::size_t index = 0; index < of.product->size; ++index) {
        put_element(*of.product->elements[index], of.product->get(value, index));
      }
      close(']');
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
        separate();
        out_ += flag ? "true" : "false";
      }
      close(']');
      break;
    case form::map:
    case form::set:
      put_keyed(of, value);
      break;
    case form::custom: {
      enter_object();
      const auto around = std::exchange(fields_, 0);
      of.custom->save(*this, const_cast<void*>(value), of.custom->version);
      fields_ = around;
      leave_object();
      break;
    }
    default:
      out_ += std::to_string(integer_at(of.what, value));
    }
  }

private:
  // A field without a name goes by its place.
  void save_field(const char* name, const shape& of, const void* value) override {
    const auto place = fields_++;
    put_field(name != nullptr ? std::string_view{name} : std::to_string(place), of, value);
  }

  void save_binary(const void* bytes, std::size_t size) override {
    put_key(std::to_string(fields_++));
    open('[');
    for (std::size_t index = 0; index < size; ++index) {
      put_element(shape_of<std::uint8_t>(), static_cast<const char*>(bytes) + index);
    }
    close(']');
  }

  void put_field(std::string_view name, const shape& of, const void* value) {
    put_key(name);
    put(of, value);
  }

  void put_element(const shape& of, const void* element) {
    separate();
    put(of, element);
  }

  void put_enumeration(const enumeration_shape& of, const void* value) {
    const auto number = integer_at(of.underlying->what, value);
    if (of.named && is_known(of, number)) {
      put_string(enumerator_name(of.names, of.size, number));
    } else {
      put(*of.underlying, value);
    }
  }

  void put_variant(const variant_shape& of, const void* value) {
    std::size_t index = 0;
    const void* held = of.get(value, index);
    if (held == nullptr) {
      put_null();
      return;
    }
    open('{');
    put_key("type");
    put_string(alternative_names(of)[index]);
    put_field("value", *of.alternatives[index], held);
    close('}');
  }

  void put_duration(const count_shape& of, const void* value) {
    const auto has_unit = !unit_of(of.counted).empty();
    if (is_floating(of.of->what)) {
      const auto count = floating_at(of.of->what, value);
      has_unit ? put_string(duration_text(count, of.counted)) : append_number(out_, count);
    } else {
      const auto count = integer_at(of.of->what, value);
      has_unit ? put_string(duration_text(count, of.counted)) : void(out_ += std::to_string(count));
    }
  }

  void put_time(const count_shape& of, const void* value) {
    if (!is_floating(of.of->what)) {
      if (const auto text = time_text(integer_at(of.of->what, value), of.counted); !text.empty()) {
        put_string(text);
        return;
      }
    }
    put(*of.of, value);
  }

  void put_keyed(const shape& of, const void* value) {
    const bool is_object = is_json_object(of);
    open(is_object ? '{' : '[');
    for_each(*of.keyed, value, [&](const void* key, const void* mapped) {
      if (is_object) {
        put_field(as<std::string>(key), *of.keyed->mapped, mapped);
      } else if (mapped == nullptr) {
        put_element(*of.keyed->key, key);
      } else {
        separate();
        open('[');
        put_element(*of.keyed->key, key);
        put_element(*of.keyed->mapped, mapped);
        close(']');
      }
    });
    close(is_object ? '}' : ']');
  }

  // -- parts ---------------------------------------------------------------------
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

  void enter_object() {
    if (++nesting_ > nesting_max) {
      throw std::length_error(fmt::format(
          "continuo: objects are nested more than {} deep and could not be read back", nesting_max));
    }
    open('{');
  }

  void leave_object() {
    close('}');
    --nesting_;
  }

  void put_key(std::string_view key) {
    separate();
    put_string(key);
    out_ += ':';
  }

  void put_null() { out_ += "null"; }

  void put_string(std::string_view value) {
    out_ += '"';
    while (!value.empty()) {
      const auto size = character_bytes(value);
      if (size == 0) {
        out_ += replacement;
      } else if (size == 1) {
        append_escaped(out_, value.front());
      } else {
        out_ += value.substr(0, size);
      }
      value.remove_prefix(size == 0 ? 1 : size);
    }
    out_ += '"';
  }

  std::string& out_;
  bool first_ = true;
  unsigned fields_ = 0; // of the plain Boost type that is being written
  unsigned nesting_ = 0;
};

} // namespace

std::string shaped_to_json(const shape& of, const void* value) {
  std::string text;
  json_writer{text}.put(of, value);
  return text;
}

} // namespace continuo::detail
