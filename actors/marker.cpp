#include "actors/marker.hpp"

#include "journal/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <mutex>
#include <sys/mman.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace continuo::actors {

/// Cleared to zero in a new file. `busy` is set last and cleared first, so that a torn note is never read.
struct marker::slot {
  std::atomic<std::uint32_t> busy;
  std::uint32_t type_size;
  std::uint32_t key_size;
  std::uint32_t index;
  std::uint64_t store;
  std::uint64_t revision;
  std::atomic<std::uint32_t> guilty; // its thread has ended the process
  std::uint32_t unused;
  char text[976]; // type, then key

  static constexpr std::uint32_t free = 0;
  static constexpr std::uint32_t claimed = 1;
  static constexpr std::uint32_t noted = 2;

  /// A page that holds nothing is not written.
  void clear() {
    if (busy.load() != free || guilty.load() != 0) {
      busy.store(free);
      guilty.store(0);
    }
  }
};

namespace {

/// The note that this thread has, for those who learn on it that the process ends.
thread_local marker::slot* noted_here = nullptr;

/// Every slot of every open marker, for an end that none of them has to do with.
std::mutex open_mutex;
std::vector<marker*> open_markers;

// -- the end of the process -------------------------------------------------------------------

constexpr std::array fatal_signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGABRT};
std::array<struct sigaction, 65> handlers_before{};

pid_t watched_process = 0; // a child that was forked shares the file, and its end says nothing

void blame_this_thread() {
  if (noted_here != nullptr && ::getpid() == watched_process) {
    noted_here->guilty.store(1, std::memory_order_release);
  }
}

void act_by_default(int signal) {
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  ::sigemptyset(&by_default.sa_mask);
  ::sigaction(signal, &by_default, nullptr);
}

/// Only what may be done in a signal's handler (POSIX, "Signal Concepts").
void on_fatal(int signal, siginfo_t* info, void* context) {
  blame_this_thread();
  const auto& before = handlers_before[static_cast<std::size_t>(signal)];
  const auto is_fault = info->si_code > 0; // it comes again when this returns; what somebody sent does not
  const auto takes_info = (before.sa_flags & SA_SIGINFO) != 0;
  if (!takes_info && before.sa_handler == SIG_IGN) {
    if (is_fault) { // which nobody can ignore
      act_by_default(signal);
    }
    return;
  }
  if (!takes_info && before.sa_handler == SIG_DFL) {
    act_by_default(signal);
    if (!is_fault) {
      ::raise(signal);
    }
    return;
  }
  if ((static_cast<unsigned>(before.sa_flags) & static_cast<unsigned>(SA_RESETHAND)) != 0) {
    act_by_default(signal); // as the kernel would have done before the call
  }
  if (takes_info) {
    before.sa_sigaction(signal, info, context);
  } else {
    before.sa_handler(signal);
  }
}

void on_exit_of_process() {
  if (::getpid() != watched_process) {
    return;
  }
  if (noted_here != nullptr) {
    blame_this_thread();
    return;
  }
  const std::lock_guard lock{open_mutex};
  for (auto* one : open_markers) {
    one->forgive();
  }
}

void watch_the_end() {
  static std::once_flag once;
  std::call_once(once, [] {
    watched_process = ::getpid();
    struct sigaction ours {};
    ours.sa_sigaction = on_fatal;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&ours.sa_mask);
    for (const auto signal : fatal_signals) {
      ::sigaction(signal, &ours, &handlers_before[static_cast<std::size_t>(signal)]);
    }
    std::atexit(on_exit_of_process);
    std::at_quick_exit(on_exit_of_process);
  });
}

/// A stack on which a thread that has used up its own can still say so.
class alternate_stack {
public:
  alternate_stack() {
    stack_t present{};
    if (::sigaltstack(nullptr, &present) == 0 && (present.ss_flags & SS_DISABLE) != 0) {
      memory_ = std::make_unique<char[]>(bytes);
      stack_t mine{};
      mine.ss_sp = memory_.get();
      mine.ss_size = bytes;
      ::sigaltstack(&mine, nullptr);
    }
  }
  ~alternate_stack() {
    if (memory_) {
      stack_t none{};
      none.ss_flags = SS_DISABLE;
      ::sigaltstack(&none, nullptr);
    }
  }
  alternate_stack(const alternate_stack&) = delete;
  alternate_stack& operator=(const alternate_stack&) = delete;

private:
  static constexpr std::size_t bytes = 64 << 10;
  std::unique_ptr<char[]> memory_;
};

} // namespace

result<std::unique_ptr<marker>> marker::open(const std::string& path) {
  constexpr auto bytes = sizeof(slot) * slots_max;
  const auto refuse = [&](const char* what) {
    return fail(errno == ENOSPC ? errc::storage_full : errc::storage_failed,
                fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
  };
  const auto file = journal::open_file(path, journal::file_use::change);
  if (!file) {
    return tl::unexpected(file.error());
  }
  struct stat before {};
  if (::fstat(file->get(), &before) != 0 ||
      (before.st_size != 0 && static_cast<std::size_t>(before.st_size) != bytes &&
       ::ftruncate(file->get(), 0) != 0)) { // notes of another layout say nothing
    return refuse("cannot clear");
  }
  // Its blocks at once: a note in a page that the disk has no room for would end the process.
  if (const auto trouble = ::posix_fallocate(file->get(), 0, bytes); trouble != 0) {
    errno = trouble;
    return refuse("cannot resize");
  }
  void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->get(), 0);
  if (mapped == MAP_FAILED) {
    return refuse("cannot map");
  }
  std::unique_ptr<marker> opened{new marker{static_cast<slot*>(mapped)}};
  auto& found = opened->found_;
  for (std::size_t i = 0; i < slots_max; ++i) {
    auto& entry = opened->slots_[i];
    if (entry.busy.load() == slot::noted && entry.type_size + entry.key_size <= sizeof(entry.text)) {
      found.push_back({{std::string{entry.text, entry.type_size},
                        std::string{entry.text + entry.type_size, entry.key_size}},
                       {entry.store, entry.revision, entry.index},
                       entry.guilty.load() != 0});
    }
    entry.clear();
  }
  const auto is_proven = [](const suspect& one) { return one.proven; };
  if (std::any_of(found.begin(), found.end(), is_proven)) {
    std::erase_if(found, std::not_fn(is_proven));
  }
  watch_the_end();
  const std::lock_guard lock{open_mutex};
  open_markers.push_back(opened.get());
  return opened;
}

void marker::forgive() {
  for (std::size_t i = 0; i < slots_max; ++i) {
    if (slots_[i].guilty.load() == 0) {
      slots_[i].clear();
    }
  }
}

marker::~marker() {
  {
    const std::lock_guard lock{open_mutex};
    std::erase(open_markers, this);
  }
  ::munmap(slots_, sizeof(slot) * slots_max);
}

marker::note::note(marker* in, const instance_id& instance, const message_id& message)
    : in_(in), slot_(slots_max) {
  static_assert(name_bytes_max + 1 + name_bytes_max + key_bytes_max <= sizeof(slot::text)); // NAME@NODE, key
  if (in_ == nullptr || instance.type.size() + instance.key.size() > sizeof(slot::text)) {
    in_ = nullptr; // of an older program: no name and no key is longer
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
  static thread_local const alternate_stack stack;
  before_ = std::exchange(noted_here, &entry);
}

marker::note::~note() {
  if (in_ != nullptr) {
    noted_here = static_cast<slot*>(before_);
    in_->slots_[slot_].guilty.store(0, std::memory_order_relaxed); // where a signal was survived
    in_->slots_[slot_].busy.store(slot::free, std::memory_order_release);
  }
}

} // namespace continuo::actors
