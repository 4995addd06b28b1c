#include "messages/application.hpp"

#include <exception>

namespace continuo {

namespace {

thread_local unsigned application_depth = 0;

} // namespace

std::string what_was_thrown() {
  try {
    throw;
  } catch (const error& thrown) { // as readers of archives do
    return thrown.message;
  } catch (const std::exception& thrown) {
    const auto* what = thrown.what(); // whose it is, it may be anything
    return what == nullptr ? "it threw an exception without words" : what;
  } catch (...) {
    return "it threw something that is no std::exception";
  }
}

bool in_application() {
  return application_depth > 0;
}

detail::application_scope::application_scope() {
  ++application_depth;
}

detail::application_scope::~application_scope() {
  --application_depth;
}

} // namespace continuo
