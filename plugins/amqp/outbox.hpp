#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "plugins/amqp/message.hpp"

namespace moonwire::amqp {

/// Messages on their way to the server, from the call until it confirms them, in order.
///
/// Those that wait and those that were sent and are not confirmed yet are all in here, so that a
/// lost connection loses none: what was not confirmed is sent again over the next one, in the same
/// order, before the rest. (A server may have had it already: its message id says so.) How many
/// there are at most is for the owner to see to. One thread.
class Outbox {
public:
    using Time = std::chrono::steady_clock::time_point;
    /// Called once: with nothing when the server has confirmed the message, else with why not.
    using Done = std::function<void(const std::string& why)>;
    struct Item {
        Message message;
        Done done;
        Time deadline = Time::max();
        /// Means something only over the connection it was given for: dropped when that is lost.
        bool fleeting = false;
        std::string returned = {};
    };

    /// So many may be unconfirmed at a time.
    static constexpr std::size_t kWindow = 500;

    void add(Item item) { waiting_.push_back(std::move(item)); }
    /// The message to send next; null if there is none, or the window is full. After it was sent
    /// `sent` must be called.
    const Message* next() const;
    /// The server numbers the messages of a channel from 1 on.
    void sent(std::uint64_t number);
    /// The next message can't be sent at all.
    void refuse_next(const std::string& why);

    /// The server's word: on this message, or on all up to it.
    void confirmed(std::uint64_t number, bool all_up_to_it, bool accepted);
    /// The message found no queue; its confirm is still to come.
    void returned(const Message& message, const std::string& why);
    /// The server closed the channel because of something that was sent. If only one message was
    /// under way it is at fault; else they are sent again one by one to find which.
    void channel_closed(const std::string& why);
    void disconnected();

    /// Gives up those whose time has come: "timeout".
    void expire(Time now);
    void fail_all(const std::string& why);

    std::size_t waiting() const noexcept { return waiting_.size(); }
    std::size_t unconfirmed() const noexcept { return unconfirmed_.size(); }

private:
    struct Sent {
        std::uint64_t number;
        Item item;
    };
    void take_back();

    std::deque<Item> waiting_;
    std::deque<Sent> unconfirmed_;
    std::size_t one_by_one_ = 0;  // so many are to be sent alone
    bool alone_ = false;          // what was sent last is to be
};

}  // namespace moonwire::amqp
