#include "messages/application.hpp"
#include "messages/shapes.hpp"

#include <continuo/archive.hpp>
#include <continuo/ids.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <stdexcept>
#include <vector>

namespace continuo::detail {

namespace {

// What a thread keeps between two calls of `encode`; a larger string is given back to the system.
constexpr std::size_t scratch_bytes_max = 65'536;

// Survives the string below, so that what encodes at the very end of a thread finds out that it is gone.
thread_local bool scratch_is_gone = false;

struct scratch_holder {
  std::string kept;
  ~scratch_holder() { scratch_is_gone = true; }
};

std::string* kept_scratch() {
  if (scratch_is_gone) {
    return nullptr;
  }
  thread_local scratch_holder holder;
  return &holder.kept;
}

[[noreturn]] void refuse(std::size_t offset, const std::string& what) {
  throw error{errc::malformed, fmt::format("at offset {}: {}", offset, what)};
}

// Copies a number between memory and the bytes.
inline void copy_number(void* to, const void* from, std::size_t size) {
  if constexpr (std::endian::native == std::endian::big) {
    std::reverse_copy(static_cast<const char*>(from), static_cast<const char*>(from) + size,
                      static_cast<char*>(to));
  } else {
    std::memcpy(to, from, size);
  }
}

// A message_id's first byte, and the room to write it in whole numbers.
constexpr unsigned revision_mask = 0x0f;
constexpr unsigned index_shift = 4;
constexpr unsigned index_mask = 0x07;
constexpr unsigned has_store = 0x80;
constexpr std::size_t id_bytes_max = 1 + 3 * sizeof(std::uint64_t);

inline unsigned bytes_of(std::uint64_t number) {
  return (static_cast<unsigned>(std::bit_width(number)) + 7) / 8;
}

// What the loops below do for each of their elements; a call for each number would cost more than the number.
#define CONTINUO_INLINE [[gnu::always_inline]] inline

// -- writing ----------------------------------------------------------------------------

class writer final : public saving_archive {
public:
  // The string is taken, not referred to: a `serialize` that encodes something itself gets one of its own.
  writer() {
    if (auto* kept = kept_scratch()) {
      buffer_.swap(*kept);
    }
    begin_ = at_ = buffer_.data();
    end_ = begin_ + buffer_.size();
  }

  ~writer() {
    if (auto* kept = kept_scratch(); kept != nullptr && buffer_.size() <= scratch_bytes_max) {
      kept->swap(buffer_);
    }
  }

  std::string_view written() const { return {begin_, static_cast<std::size_t>(at_ - begin_)}; }

  CONTINUO_INLINE void save(const shape& of, const void* value) {
    switch (of.what) {
    case form::boolean:
      put_byte(as<bool>(value) ? '\1' : '\0');
      break;
    case form::int8:
    case form::uint8:
      put_byte(as<char>(value));
      break;
    case form::int16:
    case form::uint16:
      put_number<2>(value);
      break;
    case form::int32:
    case form::uint32:
    case form::float32:
      put_number<4>(value);
      break;
    case form::int64:
    case form::uint64:
    case form::float64:
      put_number<8>(value);
      break;
    case form::text:
      put_varint(as<std::string>(value).size());
      save_binary(as<std::string>(value).data(), as<std::string>(value).size());
      break;
    case form::object:
      save_object(*of.object, value);
      break;
    default:
      save_compound(of, value);
    }
  }

  void save_binary(const void* bytes, std::size_t size) override {
    make_room(size);
    if (size != 0) {
      std::memcpy(at_, bytes, size);
    }
    at_ += size;
  }

private:
  void save_field(const char*, const shape& of, const void* value) override { save(of, value); }

  // A function of its own, small enough to keep what it needs in registers: most of all calls go here.
  [[gnu::noinline]] void save_object(const object_shape& of, const void* value) {
    if (of.is_message_id) {
      save_id(as<message_id>(value));
      return;
    }
    enter(of.version);
    for (const auto *one = of.fields, *end = one + of.size; one != end; ++one) {
      save(*one->of, field_at(*one, value));
    }
    --nesting_;
  }

  void save_id(const message_id& id) {
    const auto revision_bytes = bytes_of(id.revision);
    const auto index_bytes = bytes_of(id.index);
    make_room(id_bytes_max);
    *at_++ = static_cast<char>(revision_bytes | index_bytes << index_shift | (id.store != 0 ? has_store : 0));
    // The whole number each time: what is too much of it is written over.
    const auto index = std::uint64_t{id.index};
    copy_number(at_, &id.revision, sizeof(id.revision));
    at_ += revision_bytes;
    copy_number(at_, &index, sizeof(index));
    at_ += index_bytes;
    copy_number(at_, &id.store, sizeof(id.store));
    at_ += id.store != 0 ? sizeof(id.store) : 0;
  }

  [[gnu::noinline]] void save_compound(const shape& of, const void* value) {
    switch (of.what) {
    case form::base:
      save(*of.base->of, of.base->up(const_cast<void*>(value)));
      break;
    case form::enumeration:
      save_enumeration(*of.enumeration, value);
      break;
    case form::optional: {
      const void* held = of.optional->get(value);
      put_byte(held != nullptr ? '\1' : '\0');
      if (held != nullptr) {
        save(*of.optional->of, held);
      }
      break;
    }
    case form::variant:
      save_variant(*of.variant, value);
      break;
    case form::duration:
    case form::time_point:
      save_count(*of.count->of, value);
      break;
    case form::product:
      for (std::size_t index = 0; index < of.product->size; ++index) {
        save(*of.product->elements[index], of.product->get(value, index));
      }
      break;
    case form::array:
      save_elements(*of.array->of, value, of.array->size, of.array->element_bytes);
      break;
    case form::sequence:
      save_sequence(*of.sequence, value);
      break;
    case form::flags: {
      const auto& flags = as<std::vector<bool>>(value);
      put_varint(flags.size());
      for (const bool flag : flags) {
        put_byte(flag ? '\1' : '\0');
      }
      break;
    }
    case form::map:
    case form::set:
      put_varint(of.keyed->size(value));
      for_each(*of.keyed, value, [&](const void* key, const void* mapped) {
        save(*of.keyed->key, key);
        if (mapped != nullptr) {
          save(*of.keyed->mapped, mapped);
        }
      });
      break;
    case form::custom:
      // Boost's serialize is one function for both directions, so it takes its object without const.
      enter(of.custom->version);
      of.custom->save(*this, const_cast<void*>(value), of.custom->version);
      --nesting_;
      break;
    default: // std::monostate has nothing to say, the others do not come here
      break;
    }
  }

  [[gnu::noinline]] void save_enumeration(const enumeration_shape& of, const void* value) {
    if (const auto number = integer_at(of.underlying->what, value); !is_known(of, number)) [[unlikely]] {
      throw std::invalid_argument(
          fmt::format("continuo: an enum holds {}, which its CONTINUO_ENUM does not list", number));
    }
    save(*of.underlying, value);
  }

  [[gnu::noinline]] void save_variant(const variant_shape& of, const void* value) {
    std::size_t index = 0;
    const void* held = of.get(value, index);
    if (held == nullptr) {
      throw std::invalid_argument("continuo: a variant lost its value to an exception and cannot be written");
    }
    put_varint(index);
    save(*of.alternatives[index], held);
  }

  [[gnu::noinline]] void save_count(const shape& of, const void* value) {
    if (is_floating(of.what)) {
      const auto count = floating_at(of.what, value);
      put_number<8>(&count);
    } else {
      const auto count = integer_at(of.what, value);
      put_number<8>(&count);
    }
  }

  [[gnu::noinline]] void save_sequence(const sequence_shape& of, const void* value) {
    const auto elements = of.view(value);
    put_varint(elements.size);
    if (of.block) {
      save_binary(elements.data, elements.size * of.element_bytes);
    } else if (of.each == nullptr) {
      save_elements(*of.of, elements.data, elements.size, of.element_bytes);
    } else {
      for_each(of, value, [&](const void* element) { save(*of.of, element); });
    }
  }

  void save_elements(const shape& of, const void* first, std::size_t size, std::size_t element_bytes) {
    const auto* at = static_cast<const char*>(first);
    for (; size > 0; --size, at += element_bytes) {
      save(of, at);
    }
  }

  // -- parts ---------------------------------------------------------------------
  void enter(unsigned version) {
    if (++nesting_ > nesting_max) [[unlikely]] {
      refuse_nesting();
    }
    put_varint(version);
  }

  [[noreturn, gnu::noinline]] static void refuse_nesting() {
    throw std::length_error(fmt::format(
        "continuo: objects are nested more than {} deep and could not be read back", nesting_max));
  }

  CONTINUO_INLINE void put_byte(char byte) {
    make_room(1);
    *at_++ = byte;
  }

  template <std::size_t Size>
  CONTINUO_INLINE void put_number(const void* number) {
    make_room(Size);
    copy_number(at_, number, Size);
    at_ += Size;
  }

  CONTINUO_INLINE void put_varint(std::uint64_t value) {
    make_room(10);
    while (value >= 0x80) {
      *at_++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *at_++ = static_cast<char>(value);
  }

  CONTINUO_INLINE void make_room(std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) < size) [[unlikely]] {
      grow(size);
    }
  }

  [[gnu::noinline]] void grow(std::size_t size) {
    const auto used = written().size();
    buffer_.resize(std::max({used + size, 2 * used, std::size_t{1'024}}));
    begin_ = buffer_.data();
    at_ = begin_ + used;
    end_ = begin_ + buffer_.size();
  }

  std::string buffer_;
  char* begin_;
  char* at_;
  char* end_;
  unsigned nesting_ = 0;
};

// -- reading -----------------------------------------------------------------------------

// Each read is checked against what is left; no container reserves more than the rest of the input. What does
// not fit is thrown as an `error`: it must leave through a user's `serialize`.
class reader final : public loading_archive {
public:
  reader(std::string_view bytes, std::size_t offset, std::size_t elements = static_cast<std::size_t>(-1))
      : begin_(bytes.data()), at_(begin_ + offset), end_(begin_ + bytes.size()), elements_left_(elements) {}

  std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  CONTINUO_INLINE void load(const shape& of, void* value) {
    switch (of.what) {
    case form::boolean:
      as<bool>(value) = take_bool();
      break;
    case form::int8:
    case form::uint8:
      as<char>(value) = *take(1, "a number");
      break;
    case form::int16:
    case form::uint16:
      copy_number(value, take(2, "a number"), 2);
      break;
    case form::int32:
    case form::uint32:
    case form::float32:
      copy_number(value, take(4, "a number"), 4);
      break;
    case form::int64:
    case form::uint64:
    case form::float64:
      copy_number(value, take(8, "a number"), 8);
      break;
    case form::text: {
      const auto size = take_size(1);
      auto& text = as<std::string>(value);
      text.clear(); // appending to an empty string takes fewer steps than assigning to any
      text.append(at_, size);
      at_ += size;
      break;
    }
    case form::object:
      load_object(*of.object, value);
      break;
    default:
      load_compound(of, value);
    }
  }

  void load_binary(void* bytes, std::size_t size) override {
    if (size != 0) {
      std::memcpy(bytes, take(size, "bytes"), size);
    }
  }

private:
  // Only the one order that a writer uses is taken, so that equal values are equal bytes.
  class elements final : public element_source {
  public:
    elements(reader& from, const keyed_shape& of) : from_(from), of_(of) { ordered = true; }

    void read(void* key, void* mapped) override {
      start_ = from_.offset();
      from_.load(*of_.key, key);
      if (mapped != nullptr) {
        from_.load(*of_.mapped, mapped);
      }
    }

    [[noreturn]] void refuse() override {
      detail::refuse(start_, "a key that is not in order, or there twice");
    }

  private:
    reader& from_;
    const keyed_shape& of_;
    std::size_t start_ = 0;
  };

  void load_field(const char*, const shape& of, void* value) override { load(of, value); }

  // A function of its own, small enough to keep what it needs in registers: most of all calls go here.
  [[gnu::noinline]] void load_object(const object_shape& of, void* value) {
    if (of.is_message_id) {
      as<message_id>(value) = take_id();
      return;
    }
    const auto version = enter(of.version);
    for (const auto *one = of.fields, *end = one + of.size; one != end; ++one) {
      if (version >= one->since) {
        load(*one->of, field_at(*one, value));
      }
    }
    --nesting_;
  }

  [[gnu::noinline]] void load_compound(const shape& of, void* value) {
    switch (of.what) {
    case form::base:
      load(*of.base->of, of.base->up(value));
      break;
    case form::enumeration:
      load_enumeration(*of.enumeration, value);
      break;
    case form::optional:
      if (take_bool()) {
        load(*of.optional->of, of.optional->emplace(value));
      } else {
        of.optional->reset(value);
      }
      break;
    case form::variant:
      load_variant(*of.variant, value);
      break;
    case form::duration:
    case form::time_point:
      load_count(*of.count->of, value);
      break;
    case form::product:
      for (std::size_t index = 0; index < of.product->size; ++index) {
        load(*of.product->elements[index], const_cast<void*>(of.product->get(value, index)));
      }
      break;
    case form::array: {
      auto* element = static_cast<char*>(value);
      for (std::size_t read = 0; read < of.array->size; ++read, element += of.array->element_bytes) {
        load(*of.array->of, element);
      }
      break;
    }
    case form::sequence:
      load_sequence(*of.sequence, value);
      break;
    case form::flags: {
      auto& flags = as<std::vector<bool>>(value);
      const auto size = take_count(1);
      flags.clear();
      flags.reserve(size);
      for (std::size_t read = 0; read < size; ++read) {
        flags.push_back(take_bool());
      }
      break;
    }
    case form::map:
    case form::set: {
      elements source{*this, *of.keyed};
      of.keyed->fill(value, take_count(of.keyed->least_bytes), source);
      break;
    }
    case form::custom: {
      const auto version = enter(of.custom->version);
      of.custom->load(*this, value, version);
      --nesting_;
      break;
    }
    default: // nothing was said of std::monostate, the others do not come here
      break;
    }
  }

  [[gnu::noinline]] void load_enumeration(const enumeration_shape& of, void* value) {
    const auto size = number_bytes(of.underlying->what);
    std::uint64_t bytes = 0; // no number has more
    if (of.underlying->what == form::boolean) {
      const bool read = take_bool();
      std::memcpy(&bytes, &read, sizeof read);
    } else {
      copy_number(&bytes, take(size, "a number"), size);
    }
    const auto number = integer_at(of.underlying->what, &bytes);
    if (!is_known(of, number)) [[unlikely]] {
      // Bytes that come this far have passed their checksum, so a newer program has more values.
      throw error{errc::newer_version,
                  fmt::format("at offset {}: {} is none of the enum's values: a program that has more of "
                              "them wrote it, so update this one",
                              offset() - size, number)};
    }
    std::memcpy(value, &bytes, size);
  }

  [[gnu::noinline]] void load_variant(const variant_shape& of, void* value) {
    const auto index = take_varint("an index");
    if (index >= of.size) [[unlikely]] {
      detail::refuse(offset(), fmt::format("alternative {} of a variant that has {}", index, of.size));
    }
    load(*of.alternatives[index], of.emplace(value, index));
  }

  [[gnu::noinline]] void load_count(const shape& of, void* value) {
    if (is_floating(of.what)) {
      double count = 0;
      copy_number(&count, take(8, "a number"), 8);
      set_floating(of.what, value, count);
    } else {
      std::int64_t count = 0;
      copy_number(&count, take(8, "a number"), 8);
      if (number_bytes(of.what) < sizeof(count) && !in_range(of.what, count)) [[unlikely]] {
        detail::refuse(offset() - sizeof(count), fmt::format("a count of {} is out of range", count));
      }
      set_integer(of.what, value, count);
    }
  }

  [[gnu::noinline]] void load_sequence(const sequence_shape& of, void* value) {
    const auto size = take_count(of.least_bytes);
    if (of.block) {
      const auto bytes = size * of.element_bytes;
      const auto* from = take(bytes, "numbers");
      void* to = of.resize(value, size);
      if (bytes != 0) {
        std::memcpy(to, from, bytes);
      }
      return;
    }
    // An element may be larger in memory than in the bytes: the rest grows as it is really read.
    of.clear(value, std::min(size, left() / of.element_bytes));
    for (std::size_t read = 0; read < size; ++read) {
      load(*of.of, of.grow(value));
    }
  }

  // -- parts -----------------------------------------------------------------------
  // Of an object: reads its class version.
  unsigned enter(unsigned newest) {
    const auto version = take_varint("a class version");
    if (version > newest) [[unlikely]] {
      refuse_version(version, newest);
    }
    if (++nesting_ > nesting_max) [[unlikely]] {
      refuse_nesting();
    }
    return static_cast<unsigned>(version);
  }

  CONTINUO_INLINE const char* take(std::size_t size, const char* what) {
    if (left() < size) [[unlikely]] {
      refuse_short(what, size);
    }
    const char* taken = at_;
    at_ += size;
    return taken;
  }

  /// A number of so many bytes.
  std::uint64_t take_short(unsigned size) {
    std::uint64_t number = 0;
    const auto* bytes = take(size, "a message id");
    for (unsigned at = 0; at < size; ++at) {
      number |= std::uint64_t{static_cast<unsigned char>(bytes[at])} << (8 * at);
    }
    return number;
  }

  message_id take_id() {
    const auto start = offset();
    const auto head = static_cast<unsigned char>(*take(1, "a message id"));
    const auto revision_bytes = head & revision_mask;
    const auto index_bytes = head >> index_shift & index_mask;
    if (revision_bytes > sizeof(message_id::revision) || index_bytes > sizeof(message_id::index))
        [[unlikely]] {
      detail::refuse(start, "a message id of numbers that are too long");
    }
    message_id id;
    id.revision = take_short(revision_bytes);
    id.index = static_cast<std::uint32_t>(take_short(index_bytes));
    id.store = take_short((head & has_store) != 0 ? sizeof(id.store) : 0);
    if (bytes_of(id.revision) != revision_bytes || bytes_of(id.index) != index_bytes ||
        (id.store != 0) != ((head & has_store) != 0)) [[unlikely]] {
      detail::refuse(start, "a message id in more bytes than it takes");
    }
    return id;
  }

  CONTINUO_INLINE bool take_bool() {
    const char byte = *take(1, "a bool");
    if ((byte & ~1) != 0) [[unlikely]] {
      refuse_bool(byte);
    }
    return byte != 0;
  }

  CONTINUO_INLINE std::uint64_t take_varint(const char* what) {
    const auto first = static_cast<unsigned char>(*take(1, what));
    return first < 0x80 ? first : take_long_varint(first, what);
  }

  [[gnu::noinline]] std::uint64_t take_long_varint(unsigned char first, const char* what) {
    const auto start = offset() - 1;
    std::uint64_t value = first & 0x7f;
    for (unsigned shift = 7;; shift += 7) {
      const auto byte = static_cast<unsigned char>(*take(1, what));
      // The tenth byte holds the 64th bit only.
      if (shift == 63 && byte > 1) {
        detail::refuse(start, fmt::format("{} that does not fit in 64 bits", what));
      }
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte == 0) {
          detail::refuse(start, fmt::format("{} in more bytes than it takes", what));
        }
        return value;
      }
    }
  }

  // How many elements of at least `element_bytes` follow: never more than the rest of the input could hold.
  CONTINUO_INLINE std::size_t take_size(std::size_t element_bytes) {
    const auto size = take_varint("a size");
    if (element_bytes == 1 ? size > left() : size > left() / element_bytes) [[unlikely]] {
      refuse_size(size, element_bytes);
    }
    return static_cast<std::size_t>(size);
  }

  // The same of what takes more memory than bytes.
  std::size_t take_count(std::size_t element_bytes) {
    const auto size = take_size(element_bytes);
    if (size > elements_left_) [[unlikely]] {
      detail::refuse(offset(), "more elements of lists and maps than are allowed in all");
    }
    elements_left_ -= size;
    return size;
  }

  // -- refusals: out of line, so that the reads above stay small --------------------
  [[noreturn, gnu::noinline]] void refuse_short(const char* what, std::size_t size) const {
    detail::refuse(offset(), fmt::format("{} takes {} bytes, but {} are left", what, size, left()));
  }

  [[noreturn, gnu::noinline]] void refuse_bool(char byte) const {
    detail::refuse(offset() - 1, fmt::format("a bool is 0 or 1, not {}",
                                             static_cast<unsigned>(static_cast<unsigned char>(byte))));
  }

  [[noreturn, gnu::noinline]] void refuse_size(std::uint64_t size, std::size_t element_bytes) const {
    detail::refuse(offset(), fmt::format("{} elements of at least {} bytes, but {} bytes are left", size,
                                         element_bytes, left()));
  }

  [[noreturn, gnu::noinline]] void refuse_nesting() const {
    detail::refuse(offset(), fmt::format("objects are nested more than {} deep", nesting_max));
  }

  [[noreturn, gnu::noinline]] void refuse_version(std::uint64_t version, unsigned newest) const {
    throw error{
        errc::newer_version,
        fmt::format("at offset {}: written as class version {}, this program knows up to {}: update it",
                    offset() - 1, version, newest)};
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  std::size_t elements_left_;
  unsigned nesting_ = 0;
};

#undef CONTINUO_INLINE

} // namespace

error reading_error(const std::string& type) {
  const auto about = type.empty() ? std::string{} : type + ": ";
  try {
    throw;
  } catch (const error& thrown) {
    return {thrown.code, about + thrown.message};
  } catch (const std::bad_alloc&) {
    throw; // says nothing about the bytes
  } catch (...) {
    return {errc::malformed, about + what_was_thrown()};
  }
}

std::string encode_shaped(const shape& of, const void* value) {
  writer out;
  out.save(of, value);
  return std::string{out.written()};
}

void encode_shaped_to(std::string& out, const shape& of, const void* value) {
  writer bytes;
  bytes.save(of, value);
  out += bytes.written();
}

std::size_t decode_shaped_part(const shape& of, void* value, std::string_view bytes, std::size_t offset) {
  reader in{bytes, offset};
  in.load(of, value);
  return in.offset();
}

result<void> decode_shaped(const shape& of, void* value, std::string_view bytes) {
  return decode_bounded(of, value, bytes, static_cast<std::size_t>(-1));
}

result<void> decode_bounded(const shape& of, void* value, std::string_view bytes, std::size_t elements) {
  try {
    reader in{bytes, 0, elements};
    in.load(of, value);
    if (in.left() != 0) {
      refuse(in.offset(), fmt::format("{} bytes are left over", in.left()));
    }
    return {};
  } catch (...) {
    return tl::unexpected(reading_error(type_name(of)));
  }
}

} // namespace continuo::detail
