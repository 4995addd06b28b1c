#include "actors/marker.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace continuo::actors {

/// Cleared to zero in a new file. `busy` is set last and cleared first, so that a torn note is never read.
struct marker::slot {
  std::atomic<std::uint32_t> busy;
  std::uint32_t type_size;
  std::uint32_t key_size;
  std::uint32_t index;
  std::uint64_t store;
  std::uint64_t revision;
  char text[480]; // type, then key; a longer pair is not noted

  static constexpr std::uint32_t free = 0;
  static constexpr std::uint32_t claimed = 1;
  static constexpr std::uint32_t noted = 2;
};

result<std::unique_ptr<marker>> marker::open(const std::string& path) {
  constexpr auto bytes = sizeof(slot) * slots_max;
  const auto refuse = [&](const char* what) {
    return fail(errc::storage_failed, fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
  };
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    return refuse("cannot open");
  }
  if (::ftruncate(file, bytes) != 0) {
    ::close(file);
    return refuse("cannot resize");
  }
  void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (mapped == MAP_FAILED) {
    return refuse("cannot map");
  }
  std::unique_ptr<marker> opened{new marker{static_cast<slot*>(mapped)}};
  for (std::size_t i = 0; i < slots_max; ++i) {
    auto& entry = opened->slots_[i];
    if (entry.busy.load() == slot::noted && entry.type_size + entry.key_size <= sizeof(entry.text)) {
      opened->found_.push_back({{std::string{entry.text, entry.type_size},
                                 std::string{entry.text + entry.type_size, entry.key_size}},
                                {entry.store, entry.revision, entry.index}});
    }
    entry.busy.store(slot::free);
  }
  return opened;
}

marker::~marker() {
  ::munmap(slots_, sizeof(slot) * slots_max);
}

marker::note::note(marker* in, const instance_id& instance, const message_id& message)
    : in_(in), slot_(slots_max) {
  if (in_ == nullptr || instance.type.size() + instance.key.size() > sizeof(slot::text)) {
    in_ = nullptr;
    return;
  }
  static thread_local const auto hint = std::hash<std::thread::id>{}(std::this_thread::get_id());
  for (std::size_t tried = 0; tried < slots_max; ++tried) {
    const auto candidate = (hint + tried) % slots_max;
    auto expected = slot::free;
    if (in_->slots_[candidate].busy.compare_exchange_strong(expected, slot::claimed)) {
      slot_ = candidate;
      break;
    }
  }
  if (slot_ == slots_max) { // more threads than slots: this one goes without a note
    in_ = nullptr;
    return;
  }
  auto& entry = in_->slots_[slot_];
  entry.type_size = static_cast<std::uint32_t>(instance.type.size());
  entry.key_size = static_cast<std::uint32_t>(instance.key.size());
  std::memcpy(entry.text, instance.type.data(), instance.type.size());
  std::memcpy(entry.text + instance.type.size(), instance.key.data(), instance.key.size());
  entry.store = message.store;
  entry.revision = message.revision;
  entry.index = message.index;
  entry.busy.store(slot::noted, std::memory_order_release);
}

marker::note::~note() {
  if (in_ != nullptr) {
    in_->slots_[slot_].busy.store(slot::free, std::memory_order_release);
  }
}

} // namespace continuo::actors
