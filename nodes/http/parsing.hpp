#pragma once

#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>

#include <cstddef>

namespace continuo::http {

/// Gives a parser of Beast's what is there: first the header, and where that was read, the body. No error
/// where bytes are missing. Whether it took any.
///
/// A last chunk, with which each chunked body ends, has 5 bytes at least and begins with a 0. Fewer are kept
/// for later: where they come in pieces, Beast 1.74 ends the process by an assertion, unless those are left
/// out.
template <class Parser>
bool put(Parser& parser, boost::beast::flat_buffer& bytes, boost::beast::error_code& failed) {
  constexpr std::size_t last_chunk_bytes = 5;
  failed = {};
  const auto is_body = parser.is_header_done();
  if (bytes.size() == 0 || parser.is_done()) {
    return false;
  }
  const auto begins = *static_cast<const char*>(bytes.data().data());
  if (is_body && parser.chunked() && begins == '0' && bytes.size() < last_chunk_bytes) {
    return false;
  }
  // Not both at once: where a piece of the body comes with the header, Beast 1.74 forgets that the length
  // that it announces is over the limit.
  parser.eager(is_body);
  const auto taken = parser.put(bytes.data(), failed);
  bytes.consume(taken);
  if (failed == boost::beast::http::error::need_more) {
    failed = {};
  }
  return taken > 0;
}

} // namespace continuo::http
