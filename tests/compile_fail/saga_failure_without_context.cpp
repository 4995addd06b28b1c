// expect: continuo: a saga handles a failure in `void on(const continuo::failure<Command>&,
// continuo::saga_context&)`
#include <continuo/saga.hpp>

struct paid {
  CONTINUO_FIELDS(paid)
};
struct refunded {
  CONTINUO_FIELDS(refunded)
};
struct refund {
  using reply = refunded;
  CONTINUO_FIELDS(refund)
};
struct pay {
  using reply = paid;
  CONTINUO_FIELDS(pay)
};
struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};
struct cancelled {
  std::string id;
  CONTINUO_FIELDS(cancelled, id)
};
struct overdue {
  CONTINUO_FIELDS(overdue)
};

class order : public continuo::saga<order> {
public:
  static void define(continuo::saga_definition<order>& saga) {
    saga.starts_on<placed>(&placed::id);
    saga.on<cancelled>(&cancelled::id, continuo::unknown_instance::discard);
    saga.calls<pay>().undone_by([](const pay&, const paid*) { return refund{}; });
    saga.timer<overdue>();
  }
  void on(const placed&, continuo::saga_context&) {}
  void on(const paid&, continuo::saga_context&) {}
  void on(const cancelled&, continuo::saga_context&) {}
  void on(const overdue&, continuo::saga_context&) {}
  void on(const continuo::failure<pay>&) {}
  CONTINUO_FIELDS(order)
};

continuo::detail::saga_type described() {
  return order::describe();
}
