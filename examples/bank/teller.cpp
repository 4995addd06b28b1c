#include "teller.hpp"

#include "messages.hpp"
#include "transfer.hpp"

#include <fmt/core.h>

#include <deque>
#include <future>
#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace bank_transfers {

using continuo::client;
using continuo::result;
using continuo::saga_result;

namespace {

constexpr std::size_t at_a_time = 500;

transfer_requested random_transfer(std::mt19937_64& random, std::size_t count, std::string id) {
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  const auto from = below(count);
  const auto to = (from + 1 + below(count - 1)) % count; // another one
  const bool lost = below(10) == 0;
  return {std::move(id), account_name(from + 1), lost ? "nobody" : account_name(to + 1),
          static_cast<std::int64_t>(1 + below(5'000))};
}

/// A transfer that was asked for, and its end.
struct under_way {
  continuo::publication asked;
  std::future<result<saga_result>> end;
};

/// Waits for the end of the first of these and counts it.
result<void> await_first(std::deque<under_way>& transfers, transfer_counts& counts) {
  auto first = std::move(transfers.front());
  transfers.pop_front();
  if (const auto& asked = first.asked.get(); !asked) {
    return tl::unexpected(asked.error());
  }
  const auto end = first.end.get();
  if (!end) {
    return tl::unexpected(end.error());
  }
  ++(end->status == continuo::instance_status::completed ? counts.completed : counts.undone);
  return {};
}

} // namespace

std::string account_name(std::size_t number) {
  return fmt::format("account-{}", number);
}

result<void> open_accounts(const client& client, std::size_t count, std::int64_t cents) {
  std::vector<std::future<result<account_opened>>> opened;
  for (std::size_t number = 1; number <= count; ++number) {
    opened.push_back(client.send(open_account{account_name(number), cents}));
  }
  for (auto& answer : opened) {
    // Declined: it exists already.
    if (auto account = answer.get(); !account && account.error().code != continuo::errc::conflict) {
      return tl::unexpected(account.error());
    }
  }
  return {};
}

result<std::int64_t> total(const client& client, std::size_t count) {
  std::vector<std::future<result<balance>>> balances;
  for (std::size_t number = 1; number <= count; ++number) {
    balances.push_back(client.send(read_balance{account_name(number)}));
  }
  std::int64_t sum = 0;
  for (auto& answer : balances) {
    auto found = answer.get();
    if (!found) {
      return tl::unexpected(found.error());
    }
    sum += found->cents;
  }
  return sum;
}

result<void> settle(const client& client) {
  const auto transfers =
      client.list(continuo::message_name<transfer>(), std::nullopt, std::numeric_limits<std::size_t>::max())
          .get();
  if (!transfers) {
    return tl::unexpected(transfers.error());
  }
  std::vector<std::future<result<saga_result>>> ends;
  for (const auto& view : *transfers) {
    if (!is_terminal(view.status)) {
      ends.push_back(client.result_of(view.instance));
    }
  }
  for (auto& end : ends) {
    if (const auto ended = end.get(); !ended) {
      return tl::unexpected(ended.error());
    }
  }
  return {};
}

result<transfer_counts> move_money(const client& client, std::size_t count, std::size_t transfers,
                                   std::uint64_t seed, const std::string& batch) {
  std::mt19937_64 random{seed};
  transfer_counts counts;
  std::deque<under_way> waiting; // bounded, and with it the memory that this takes
  for (std::size_t number = 1; number <= transfers || !waiting.empty();) {
    if (number <= transfers && waiting.size() < at_a_time) {
      const auto request = random_transfer(random, count, fmt::format("{}-{}", batch, number++));
      // The end may be asked for before the transfer has begun, so nothing waits here for the disk.
      waiting.push_back({client.publish(request, {.wait_for_room = true}),
                         client.result_of<transfer>(request.transfer_id)});
    } else if (auto ended = await_first(waiting, counts); !ended) {
      return tl::unexpected(ended.error());
    }
  }
  return counts;
}

} // namespace bank_transfers
