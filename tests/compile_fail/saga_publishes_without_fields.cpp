// expect: continuo: an event needs CONTINUO_FIELDS
#include <continuo/saga.hpp>

struct paid {
  CONTINUO_FIELDS(paid)
};
struct pay {
  using reply = paid;
  CONTINUO_FIELDS(pay)
};
struct placed {
  std::string id;
  CONTINUO_FIELDS(placed, id)
};
struct bare {
  using reply = paid;
  std::string id;
};

class order : public continuo::saga<order> {
public:
  static void define(continuo::saga_definition<order>& saga) {
    saga.starts_on<placed>(&placed::id);
    saga.calls<pay>().nothing_to_undo();
  }
  void on(const placed&, continuo::saga_context& context) { context.publish(bare{}); }
  void on(const paid&, continuo::saga_context&) {}
  void on(const bare&, continuo::saga_context&) {}
  CONTINUO_FIELDS(order)
};

continuo::detail::saga_type described() {
  return order::describe();
}
