#pragma once

#include <continuo/detail/description.hpp>

#include <boost/core/nvp.hpp>
#include <boost/serialization/base_object.hpp>

/// The `serialize` that CONTINUO_FIELDS gives a type for Boost's own archives. Continuo's do not call it.
namespace continuo::detail {

template <class Archive, class T>
struct boost_fields {
  Archive& archive;
  T& object;
  unsigned version;

  template <class Member, class Class>
  struct listed_field {
    const char* name;
    Member Class::*member;
    unsigned since;
  };
  template <class Base>
  struct listed_base {
    const char* name;
  };

  template <class Member, class Class>
  auto field(const char* name, Member Class::*member, std::size_t, unsigned since) const {
    return listed_field<Member, Class>{name, member, since};
  }
  template <class, class Base>
  auto base(const char* name) const {
    return listed_base<Base>{name};
  }
  template <class... Elements>
  void operator()(const Elements&... elements) const {
    (serialize(elements), ...);
  }

private:
  template <class Member, class Class>
  void serialize(const listed_field<Member, Class>& listed) const {
    if (version >= listed.since) {
      archive& boost::serialization::make_nvp(listed.name, object.*listed.member);
    }
  }
  template <class Base>
  void serialize(const listed_base<Base>& listed) const {
    archive& boost::serialization::make_nvp(listed.name, boost::serialization::base_object<Base>(object));
  }
};

template <class Archive, class T>
void serialize_fields(Archive& archive, T& object, unsigned version) {
  field_access::visit<T>(boost_fields<Archive, T>{archive, object, version});
}

} // namespace continuo::detail
