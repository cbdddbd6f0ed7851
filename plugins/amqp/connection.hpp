#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/plugin/api/host.hpp"
#include "plugins/amqp/consumer.hpp"
#include "plugins/amqp/figures.hpp"
#include "plugins/amqp/link.hpp"
#include "plugins/amqp/options.hpp"
#include "plugins/amqp/outbox.hpp"
#include "plugins/common/backoff.hpp"
#include "plugins/common/wakeup.hpp"

namespace moonwire::amqp {

/// What a connection needs of the broker. Called on the connection's thread.
struct ConnectionHome {
    /// Calls what the scripts handle by this name.
    std::function<void(const std::string& name, plugin::Values, plugin::Reply)> ask;
    std::function<void(plugin::LogLevel, const std::string& message,
                       std::initializer_list<plugin::LogField>)>
        log;
};

/// A connection to a server that is kept: it comes back, with all its consumers, and what is
/// published meanwhile waits, in order and up to a limit.
///
/// Any thread may call; all work is done on one thread of its own, which waits for the server as
/// long as LinkOptions::timeout says. The owner keeps it until it has ended.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    /// Called once, from any thread: with nothing when the server has the message, else with why
    /// not.
    using Done = std::function<void(const std::string& why)>;

    Connection(ConnectionOptions options, LinkOptions link, std::size_t max_message_bytes,
               ConnectionHome home);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    const ConnectionOptions& options() const noexcept { return options_; }
    /// Begins its thread. Once.
    void start();
    /// Consumes these; one that it has with the same options goes on as it is.
    void consume(std::vector<ConsumerOptions> consumers);
    /// `done` gets "buffer full" beyond the limits, at once.
    void publish(Publication publication, Done done);
    Status status() const;
    /// Takes no more messages, waits for what is under way at most so long, and hangs up. Returns
    /// at once.
    void end(std::chrono::milliseconds grace);
    /// Whether its thread is through.
    bool has_ended() const noexcept { return ended_; }

private:
    using Time = std::chrono::steady_clock::time_point;
    using Task = std::function<void()>;

    void run();
    void turn();
    bool is_through(Time now) const;
    void wait(Time now);
    void run_tasks();
    void post(Task task);
    void connect();
    void lost(const std::string& why, bool refused);
    void set_consumers(const std::vector<ConsumerOptions>& wanted);
    void tend_consumers();
    Channel free_channel() const;
    Consumer* consumer_of(Channel channel) const;
    void pump();
    void read();
    void take(Delivery delivery);
    void take(const Confirm& confirm);
    void take(const Returned& returned);
    void take(const ChannelGone& gone);
    void take(const ConsumerGone& gone);
    void take(const Blocked& blocked);
    void set_state(const char* state, const std::string& detail);
    void show();

    const ConnectionOptions options_;
    const LinkOptions link_options_;
    const ConnectionHome home_;
    std::thread thread_;
    const plugins::Wakeup wakeup_;
    std::atomic<bool> ended_{false};

    mutable std::mutex mutex_;  // guards what follows
    std::deque<Task> tasks_;
    bool closed_ = false;  // takes no more
    std::size_t buffered_ = 0, buffered_bytes_ = 0;
    std::uint64_t dropped_ = 0;
    Status shown_;

    // The thread's own.
    std::unique_ptr<Link> link_;
    Outbox outbox_;
    Figures figures_;
    ConsumerHome consumer_home_;
    std::vector<std::shared_ptr<Consumer>> consumers_;
    plugins::Backoff backoff_;
    const char* state_ = "connecting";
    std::string last_error_;
    Time next_attempt_{}, expired_{};
    std::optional<Time> ending_;  // until when
    std::optional<Time> linked_, first_linked_;
    Time::duration up_before_{0};
    bool can_publish_ = false, blocked_ = false;
    bool more_ = false;            // there is something to do at once
    std::uint64_t published_ = 0;  // on the channel
};

}  // namespace moonwire::amqp
