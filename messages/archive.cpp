#include <continuo/archive.hpp>

#include <fmt/format.h>

#include <exception>
#include <new>
#include <stdexcept>

namespace continuo {

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

} // namespace

namespace detail {

// Taken, not referred to: a `serialize` that encodes something itself gets a string of its own.
scratch::scratch() {
  if (auto* kept = kept_scratch()) {
    bytes_.swap(*kept);
    bytes_.clear();
  }
}

scratch::~scratch() {
  if (auto* kept = kept_scratch(); kept != nullptr && bytes_.capacity() <= scratch_bytes_max) {
    kept->swap(bytes_);
  }
}

error reading_error(const std::string& type) {
  const auto about = type.empty() ? std::string{} : type + ": ";
  try {
    throw;
  } catch (const error& thrown) {
    return {thrown.code, about + thrown.message};
  } catch (const std::bad_alloc&) {
    throw; // says nothing about the bytes
  } catch (const std::exception& thrown) {
    return {errc::malformed, about + thrown.what()};
  } catch (...) {
    return {errc::malformed, about + "its serialize threw"};
  }
}

} // namespace detail

// -- what a writer refuses ------------------------------------------------------------

void binary_writer::refuse_enum(long long value) {
  throw std::invalid_argument(
      fmt::format("continuo: an enum holds {}, which its CONTINUO_ENUM does not list", value));
}

void binary_writer::refuse_valueless() {
  throw std::invalid_argument("continuo: a variant lost its value to an exception and cannot be written");
}

void binary_writer::refuse_nesting() {
  throw std::length_error(
      fmt::format("continuo: objects are nested more than {} deep and could not be read back", nesting_max));
}

// -- what a reader refuses --------------------------------------------------------------

std::uint64_t binary_reader::load_long_varint(unsigned char first, const char* what) {
  const auto start = offset() - 1;
  std::uint64_t value = first & 0x7f;
  for (unsigned shift = 7;; shift += 7) {
    const auto byte = static_cast<unsigned char>(*take(1, what));
    // The tenth byte holds the 64th bit only.
    if (shift == 63 && byte > 1) {
      refuse(start, fmt::format("{} that does not fit in 64 bits", what));
    }
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0) {
        refuse(start, fmt::format("{} in more bytes than it takes", what));
      }
      return value;
    }
  }
}

void binary_reader::refuse_short(const char* what, std::size_t size) const {
  refuse(offset(), fmt::format("{} takes {} bytes, but {} are left", what, size, left()));
}

void binary_reader::refuse_bool(char byte) const {
  refuse(offset() - 1,
         fmt::format("a bool is 0 or 1, not {}", static_cast<unsigned>(static_cast<unsigned char>(byte))));
}

void binary_reader::refuse_enum(long long value, std::size_t size) const {
  refuse(offset() - size, fmt::format("{} is none of the enum's values", value));
}

void binary_reader::refuse_count(std::int64_t count) const {
  refuse(offset() - sizeof(count), fmt::format("a count of {} is out of range", count));
}

void binary_reader::refuse_size(std::uint64_t size, std::size_t element_bytes) const {
  refuse(offset(),
         fmt::format("{} elements of at least {} bytes, but {} bytes are left", size, element_bytes, left()));
}

void binary_reader::refuse_index(std::uint64_t index, std::size_t alternatives) const {
  refuse(offset(), fmt::format("alternative {} of a variant that has {}", index, alternatives));
}

void binary_reader::refuse_order(std::size_t start) const {
  refuse(start, "a key that is not in order, or there twice");
}

void binary_reader::refuse_version(std::uint64_t version, unsigned newest) const {
  throw error{errc::newer_version,
              fmt::format("at offset {}: written as class version {}, this program knows up to {}: update it",
                          offset() - 1, version, newest)};
}

void binary_reader::refuse_nesting() const {
  refuse(offset(), fmt::format("objects are nested more than {} deep", detail::nesting_max));
}

void binary_reader::refuse_trailing() const {
  refuse(offset(), fmt::format("{} bytes are left over", left()));
}

} // namespace continuo
