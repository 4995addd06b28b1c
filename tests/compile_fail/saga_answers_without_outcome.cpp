// expect: continuo: the saga needs a handler `outcome<Command::reply> on(const Command&,
// continuo::saga_context&)`
#include <continuo/saga.hpp>

struct changed {
  CONTINUO_FIELDS(changed)
};
struct change {
  using reply = changed;
  std::string id;
  CONTINUO_FIELDS(change, id)
};

class order : public continuo::saga<order> {
public:
  static void define(continuo::saga_definition<order>& saga) { saga.answers<change>(&change::id); }
  void on(const change&, continuo::saga_context&) {}
  CONTINUO_FIELDS(order)
};

auto description = order::describe();
