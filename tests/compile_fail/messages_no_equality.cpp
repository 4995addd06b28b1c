// expect: continuo: this field's type has no operator==
#include <continuo/fields.hpp>

struct amount {
  template <class Archive>
  void serialize(Archive& archive, unsigned) {
    archive& boost::serialization::make_nvp("cents", cents);
  }
  int cents = 0;
};

struct payment {
  amount paid;
  CONTINUO_FIELDS(payment, paid)
};

bool same = payment{} == payment{};
