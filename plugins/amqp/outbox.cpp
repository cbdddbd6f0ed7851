#include "plugins/amqp/outbox.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace moonwire::amqp {

const Message* Outbox::next() const {
    const std::size_t window = one_by_one_ > 0 || alone_ ? 1 : kWindow;
    if (waiting_.empty() || unconfirmed_.size() >= window) return nullptr;
    return &waiting_.front().message;
}

void Outbox::sent(std::uint64_t number) {
    unconfirmed_.push_back({number, std::move(waiting_.front())});
    waiting_.pop_front();
    alone_ = one_by_one_ > 0;
    if (alone_) --one_by_one_;
}

void Outbox::refuse_next(const std::string& why) {
    const Done done = std::move(waiting_.front().done);
    waiting_.pop_front();
    done(why);
}

void Outbox::confirmed(std::uint64_t number, bool all_up_to_it, bool accepted) {
    // What is called may add to this.
    std::vector<Item> settled;
    for (auto each = unconfirmed_.begin(); each != unconfirmed_.end() && each->number <= number;) {
        if (all_up_to_it || each->number == number) {
            settled.push_back(std::move(each->item));
            each = unconfirmed_.erase(each);
        } else {
            ++each;
        }
    }
    for (const Item& item : settled)
        item.done(accepted ? item.returned : "the server refused the message");
}

void Outbox::returned(const Message& message, const std::string& why) {
    const auto is_it = [&](const Sent& sent) {
        const Message& each = sent.item.message;
        return sent.item.returned.empty() && each.message_id == message.message_id &&
               each.routing_key == message.routing_key && each.exchange == message.exchange;
    };
    const auto found = std::find_if(unconfirmed_.begin(), unconfirmed_.end(), is_it);
    if (found != unconfirmed_.end()) found->item.returned = why;
}

void Outbox::channel_closed(const std::string& why) {
    if (unconfirmed_.size() == 1) {
        const Item item = std::move(unconfirmed_.front().item);
        unconfirmed_.clear();
        return item.done(why);
    }
    const std::size_t count = unconfirmed_.size();
    take_back();
    one_by_one_ += count;
}

void Outbox::disconnected() {
    take_back();
    one_by_one_ = 0;
    alone_ = false;
    std::deque<Item> all = std::exchange(waiting_, {});
    std::vector<Item> dropped;
    for (Item& item : all) {
        if (item.fleeting) dropped.push_back(std::move(item));
        else waiting_.push_back(std::move(item));
    }
    for (const Item& item : dropped) item.done("disconnected");
}

void Outbox::take_back() {
    while (!unconfirmed_.empty()) {
        Item item = std::move(unconfirmed_.back().item);
        unconfirmed_.pop_back();
        item.returned.clear();
        waiting_.push_front(std::move(item));
    }
}

void Outbox::expire(Time now) {
    std::vector<Item> expired;
    const auto take = [&](Item& item) {
        if (item.deadline > now) return false;
        expired.push_back(std::move(item));
        return true;
    };
    std::erase_if(waiting_, take);
    std::erase_if(unconfirmed_, [&](Sent& sent) { return take(sent.item); });
    for (const Item& item : expired) item.done("timeout");
}

void Outbox::fail_all(const std::string& why) {
    take_back();
    for (const std::deque<Item> all = std::exchange(waiting_, {}); const Item& item : all)
        item.done(why);
}

}  // namespace moonwire::amqp
