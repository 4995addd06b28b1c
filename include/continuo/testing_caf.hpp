#pragma once

#include <continuo/testing.hpp>

#include <caf/test/unit_test.hpp>

#include <exception>
#include <string>
#include <type_traits>

/// For tests in CAF's framework. Its runner (0.17) knows no exceptions: one that leaves a test ends the process,
/// and the tests behind it never run. With this header such a test fails, its text is shown, and the next one
/// runs. Include it in each file whose tests use the kit, above the first test; that is all.
///
/// It holds for all tests of the file, with a fixture or without.
template <class Test>
requires std::is_class_v<Test>
class caf::test::test_impl<Test> : public caf::test::test {
public:
  using caf::test::test::test;

  void run_test_impl() override {
    try {
      Test body;
      body.run_test_impl();
    } catch (const std::exception& thrown) {
      fails_with(thrown.what());
    } catch (...) {
      fails_with("something that is no std::exception");
    }
  }

private:
  void fails_with(const std::string& what) {
    logger::instance().error() << term::red << "     THROWN: " << what << term::reset << '\n'
                               << "     " << term::blue << engine::last_check_file() << term::yellow << ":"
                               << term::cyan << engine::last_check_line() << term::reset
                               << detail::fill(engine::last_check_line()) << "had last successful check" << '\n';
    fail(false);
  }
};
