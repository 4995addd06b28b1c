#define CAF_SUITE messages_boost_archives

#include <caf/test/dsl.hpp>

#include "tests/messages/every_field.hpp"

#include <continuo/boost_archives.hpp>

#include <boost/archive/text_iarchive.hpp>
#include <boost/archive/text_oarchive.hpp>
#include <boost/archive/xml_iarchive.hpp>
#include <boost/archive/xml_oarchive.hpp>

#include <sstream>

namespace {

// XML 1.0 has no character below the space but tab and line breaks.
samples::every_field for_xml() {
  auto value = samples::filled();
  value.text = "a \"quoted\" & <marked> text";
  return value;
}

template <class Output, class T>
std::string written(const T& value) {
  std::ostringstream out;
  {
    Output archive{out};
    archive << boost::serialization::make_nvp("value", value);
  }
  return out.str();
}

template <class Input, class T>
T read(const std::string& text) {
  std::istringstream in{text};
  Input archive{in};
  T value;
  archive >> boost::serialization::make_nvp("value", value);
  return value;
}

} // namespace

// The same order as two releases of a program knew it.
namespace earlier {

struct order {
  std::string id;
  CONTINUO_FIELDS(order, id)
};

} // namespace earlier

namespace later {

struct order {
  std::string id;
  std::string currency = "EUR";
  CONTINUO_FIELDS(order, id, CONTINUO_SINCE(2, currency))
};

} // namespace later

CAF_TEST(a field of every kind goes through the XML archive of Boost) {
  const auto value = for_xml();
  const auto text = written<boost::archive::xml_oarchive>(value);
  CAF_CHECK(text.find("<int8>-128</int8>") != std::string::npos);
  CAF_CHECK((read<boost::archive::xml_iarchive, samples::every_field>(text) == value));
}

CAF_TEST(a field of every kind goes through the text archive of Boost) {
  const auto value = samples::filled();
  const auto text = written<boost::archive::text_oarchive>(value);
  CAF_CHECK((read<boost::archive::text_iarchive, samples::every_field>(text) == value));
}

CAF_TEST(the archives of Boost know the class version) {
  const auto text = written<boost::archive::xml_oarchive>(later::order{"o-1", "USD"});
  CAF_CHECK(text.find("version=\"2\"") != std::string::npos);
  CAF_CHECK_EQUAL((read<boost::archive::xml_iarchive, later::order>(text)), (later::order{"o-1", "USD"}));
  const auto old = written<boost::archive::xml_oarchive>(earlier::order{"o-1"});
  CAF_CHECK_EQUAL((read<boost::archive::xml_iarchive, later::order>(old)), (later::order{"o-1", "EUR"}));
}
