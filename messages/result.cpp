#include <continuo/result.hpp>

namespace continuo {

namespace {

struct properties {
  std::string_view name;
  bool retryable;
  int http_status;
  int exit_code;
};

// One row for each code, without a default, so that the compiler names the one that is missing.
properties properties_of(errc code) {
  switch (code) {
  case errc::malformed:
    return {"malformed", false, 400, 0};
  case errc::unknown_type:
    return {"unknown_type", false, 404, 0};
  case errc::newer_version:
    return {"newer_version", false, 400, 3};
  case errc::invalid_definition:
    return {"invalid_definition", false, 400, 2};
  case errc::invalid_configuration:
    return {"invalid_configuration", false, 503, 2};
  case errc::not_found:
    return {"not_found", false, 404, 0};
  case errc::conflict:
    return {"conflict", false, 409, 0};
  case errc::overloaded:
    return {"overloaded", true, 429, 0};
  case errc::timed_out:
    return {"timed_out", true, 503, 0};
  case errc::unavailable:
    return {"unavailable", true, 503, 0};
  case errc::corrupt:
    return {"corrupt", false, 503, 3};
  case errc::storage_failed:
    return {"storage_failed", false, 503, 4};
  case errc::storage_full:
    return {"storage_full", false, 503, 4};
  case errc::identity:
    return {"identity", false, 503, 5};
  case errc::in_use:
    return {"in_use", false, 503, 6};
  case errc::address_in_use:
    return {"address_in_use", false, 503, 7};
  case errc::handler_failed:
    return {"handler_failed", true, 503, 0};
  }
  return {"unknown", false, 503, 0}; // a number that is no code
}

} // namespace

std::string_view to_string(errc code) {
  return properties_of(code).name;
}

bool is_retryable(errc code) {
  return properties_of(code).retryable;
}

int http_status(errc code) {
  return properties_of(code).http_status;
}

int exit_code(errc code) {
  return properties_of(code).exit_code;
}

} // namespace continuo
