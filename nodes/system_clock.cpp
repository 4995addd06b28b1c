#include "nodes/system_clock.hpp"

#include <ctime>
#include <fstream>
#include <functional>
#include <string>

namespace continuo::nodes {

namespace {

/// Linux gives each boot a random id. Where it does not, every start counts as a boot of its own.
std::uint64_t boot_id() {
  std::ifstream file{"/proc/sys/kernel/random/boot_id"};
  std::string text;
  if (std::getline(file, text) && !text.empty()) {
    std::uint64_t id = 1469598103934665603ULL; // FNV-1a: the same on every machine and in every build
    for (const char c : text) {
      id = (id ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    }
    return id == 0 ? 1 : id; // 0 is no boot
  }
  return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
}

class machine_clock : public actors::clock {
public:
  engine::moment now() const override {
    timespec since_boot{};
    ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
    return {std::chrono::system_clock::now(),
            {std::chrono::seconds{since_boot.tv_sec} + std::chrono::nanoseconds{since_boot.tv_nsec}},
            boot_};
  }

private:
  std::uint64_t boot_ = boot_id();
};

} // namespace

std::shared_ptr<const actors::clock> system_clock() {
  return std::make_shared<machine_clock>();
}

} // namespace continuo::nodes
