#pragma once

#include "nodes/http/channel.hpp"

#include <continuo/cluster.hpp>
#include <continuo/result.hpp>

#include <chrono>
#include <memory>

namespace continuo::http {

/// The certificate that an HTTPS server shows: TLS 1.2 or newer. One thread at a time.
class shown_certificate {
public:
  /// Reads it. `errc::invalid_configuration` where that fails.
  static result<std::unique_ptr<shown_certificate>> read(const http_certificate& files);

  /// As it is, looked at once a second at most; or as it was when it could be read last.
  tls_context current();

private:
  shown_certificate(http_certificate files, tls_context first);

  http_certificate files_;
  tls_context context_;
  std::chrono::steady_clock::time_point read_at_;
};

} // namespace continuo::http
