#pragma once

#include "messages/frames.hpp"
#include "messages/shapes.hpp"

#include <continuo/result.hpp>

#include <cstddef>
#include <string_view>
#include <utility>

namespace continuo::messages {

/// The longest name of a message's type.
constexpr std::size_t type_bytes_max = 1'024;

/// The longest question of one node to another.
constexpr std::size_t question_bytes_max = 16u << 20;

/// Whether what another node says keeps the bounds that hold for everybody: lengths of names and keys, which
/// are printable (`key_bytes_max`, `name_bytes_max`), and numbers of entries. `errc::malformed` says which
/// does not.
result<void> check_bounds(const frame& said);

/// Entries of lists and maps in what another node says, all of them together: an empty one takes a few bytes,
/// and hundreds once it is read. Of a frame, a question or the head of an answer, and of a page of a list.
constexpr std::size_t elements_max = 100'000;
constexpr std::size_t page_elements_max = 1'000'000;

/// As `decode`, of bytes that another node has sent: `errc::malformed` as well where they have more entries.
template <class T>
result<T> decode_from_peer(std::string_view bytes, std::size_t elements = elements_max) {
  result<T> read{tl::in_place};
  if (auto good = detail::decode_bounded(detail::shape_of<T>(), detail::address(*read), bytes, elements);
      !good) {
    read = tl::unexpected(std::move(good.error()));
  }
  return read;
}

/// What another node says, within these bounds: what is read of it takes little more memory than the bytes.
/// `errc::malformed`, or `errc::newer_version`, as `decode`.
result<frame> read_frame(std::string_view bytes);

} // namespace continuo::messages
