#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/plugin/api/host.hpp"
#include "plugins/amqp/figures.hpp"
#include "plugins/amqp/link.hpp"
#include "plugins/amqp/options.hpp"
#include "plugins/amqp/outbox.hpp"
#include "plugins/common/backoff.hpp"

namespace moonwire::amqp {

/// What a consumer needs of its connection, which outlives it. The worker's thread, unless said
/// otherwise.
struct ConsumerHome {
    /// Asks the script; the reply comes on any thread.
    std::function<void(const ConsumerOptions&, plugin::Values, plugin::Reply)> ask;
    /// Runs something on the worker's thread. Any thread; drops it when the worker has ended.
    std::function<void(std::function<void()>)> post;
    std::function<void(plugin::LogLevel, const std::string& message, const std::string& queue,
                       const std::string& reason)>
        log;
    Outbox& outbox;
    Figures& figures;
    std::size_t max_message_bytes;
};

/// A queue that is consumed: declares what it needs, gives what comes to the script, and settles it
/// by what the script makes of it. At most `prefetch` messages are in hand at a time.
///
/// The worker's thread. Methods that take a Link throw LinkDown. What goes wrong with its channel
/// only (its queue has gone, or must not be used) it tries again, ever slower.
class Consumer : public std::enable_shared_from_this<Consumer> {
public:
    using Time = std::chrono::steady_clock::time_point;

    Consumer(ConsumerOptions options, ConsumerHome& home)
        : options_(std::move(options)), home_(home) {}

    const ConsumerOptions& options() const noexcept { return options_; }
    /// 0: none.
    Channel channel() const noexcept { return channel_; }
    ConsumerFigures figures() const;

    /// Whether it should be opened at this time; when, if not now.
    bool is_due(Time now) const noexcept { return !channel_ && !ending_ && now >= next_; }
    Time next() const noexcept { return channel_ || ending_ ? Time::max() : next_; }
    /// Declares, binds and consumes over a channel that is free.
    void open(Link& link, Channel channel, Time now);
    void deliver(Link& link, Delivery delivery);
    /// The server closed its channel, or ended it because the queue was deleted.
    void channel_gone(const std::string& why);
    void consumer_gone(Link& link);
    void link_lost();

    /// It is to take no more; what is in hand is still settled.
    void set_ending() noexcept { ending_ = true; }
    bool is_ending() const noexcept { return ending_; }
    /// If it is ending: takes no more from now on; true when nothing is in hand any more, and it is
    /// through. Null: there is no link.
    bool finish(Link* link);

private:
    void declare(Link& link);
    void ensure_queue(Link& link, const std::string& name, const std::string& arguments);
    void settle(std::uint64_t epoch, std::uint64_t tag, const std::shared_ptr<Message>& message,
                const plugin::Answer& answer);
    void failed(std::uint64_t tag, const Message& message, const std::string& error, bool final);
    /// Gives up the channel, for now: what is in hand comes again.
    void start_over(Link* link, const std::string& why);

    const ConsumerOptions options_;
    ConsumerHome& home_;
    Link* link_ = nullptr;  // while there is a channel
    Channel channel_ = 0;
    /// Of the channel: what was in hand on an earlier one has come again, or will.
    std::uint64_t epoch_ = 0;
    std::string queue_;  // its real name
    std::size_t in_hand_ = 0;
    bool ending_ = false, cancelled_ = false;
    std::string error_;
    plugins::Backoff backoff_{std::chrono::seconds(1), std::chrono::seconds(30)};
    Time opened_{}, next_{};
};

}  // namespace moonwire::amqp
