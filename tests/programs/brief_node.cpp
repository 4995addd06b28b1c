// A program that ends while its node is at its end: the node is destroyed in a callback, which nobody waits
// for, and `main` returns at once. Its argument is the data directory.
#include <continuo/archive.hpp>
#include <continuo/node.hpp>

#include <future>
#include <memory>
#include <string>

using namespace continuo;

namespace {

struct met {
  std::string key;
  CONTINUO_FIELDS(met, key)
};

class meeting : public saga<meeting> {
public:
  static void define(saga_definition<meeting>& saga) { saga.starts_on<met>(&met::key); }
  void on(const met&, saga_context& context) { context.complete(); }
  CONTINUO_FIELDS(meeting)
};

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    return 2;
  }
  auto here = std::make_unique<node>(node_config::embedded(argv[1]));
  here->host<meeting>();
  if (!here->start()) {
    return 3;
  }
  std::promise<bool> done;
  here->client().publish("met", encode(met{"k"}), {}, [&](const result<accepted>& taken) {
    here.reset();
    done.set_value(taken.has_value());
  });
  return done.get_future().get() ? 0 : 4;
}
