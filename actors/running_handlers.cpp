#include "actors/running_handlers.hpp"

namespace continuo::actors {

namespace {

constexpr unsigned slow_after = 2;
constexpr unsigned said_again_after = 60;

} // namespace

running_handlers::entry::entry(running_handlers& in, const instance_id& of, std::string_view message_type)
    : in_(&in), of_(&of), message_type_(message_type) {
  if (in_->before_each_ != nullptr) {
    in_->before_each_();
  }
  const std::lock_guard lock{in_->mutex_};
  next_ = in_->first_;
  if (next_ != nullptr) {
    next_->before_ = this;
  }
  in_->first_ = this;
}

running_handlers::entry::~entry() {
  const std::lock_guard lock{in_->mutex_};
  (before_ == nullptr ? in_->first_ : before_->next_) = next_;
  if (next_ != nullptr) {
    next_->before_ = before_;
  }
}

std::vector<running_handlers::slow> running_handlers::look() {
  std::vector<slow> found;
  const std::lock_guard lock{mutex_};
  for (auto* one = first_; one != nullptr; one = one->next_) {
    const auto looks = one->seen_++;
    if (looks == slow_after || (looks != 0 && looks % said_again_after == 0)) {
      found.push_back({*one->of_, std::string{one->message_type_}, looks});
    }
  }
  return found;
}

} // namespace continuo::actors
