#pragma once

#include <amqp.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>

#include "plugins/amqp/address.hpp"
#include "plugins/amqp/message.hpp"

namespace moonwire::amqp {

/// The connection is gone, or never was; the text says why.
struct LinkDown : std::runtime_error {
    using runtime_error::runtime_error;
    bool refused = false;  // the server answered, and won't have us
};
/// The server closed a channel over what was asked there; the text says why.
struct ChannelClosed : std::runtime_error {
    ChannelClosed(std::uint16_t code, const std::string& why) : runtime_error(why), code(code) {}
    std::uint16_t code;  // 404: there is no such queue or exchange
};

/// How to connect, beside where to.
struct LinkOptions {
    std::string name;  // shown among the server's connections
    std::chrono::seconds heartbeat{30};
    std::chrono::seconds timeout{5};  // to connect, and then to log in, and for each answer
    std::string ca_file;              // PEM; empty: the system's authorities
    std::string certificate, key;     // PEM files, if the server asks for them
    bool insecure = false;            // takes any certificate
};

// What comes from the server.
using Channel = amqp_channel_t;
struct Delivery {
    Channel channel;
    std::uint64_t tag;
    bool redelivered;
    Message message;
};
struct Confirm {
    Channel channel;
    std::uint64_t tag;
    bool multiple, accepted;
};
struct Returned {
    Message message;
    std::string why;
};
struct ChannelGone {
    Channel channel;
    std::string why;
};
/// The server ended a consumer: its queue was deleted.
struct ConsumerGone {
    Channel channel;
};
/// The server takes no messages for now (it runs out of memory or disk), or does again.
struct Blocked {
    bool blocked;
    std::string why;
};
using Incoming = std::variant<Delivery, Confirm, Returned, ChannelGone, ConsumerGone, Blocked>;

/// A connection to a server, logged in, over librabbitmq. Calls that ask the server something wait
/// for its answer. One thread. Every method throws LinkDown when the connection is lost (a peer's
/// silence over two heartbeats counts), after which it can only be destroyed; those that name a
/// channel throw ChannelClosed when the server closes it, which must then be opened anew.
class Link {
public:
    /// Connects and logs in.
    Link(const Address& address, const LinkOptions& options);
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    /// Says that the connection is going to be closed, if the server reads; does not wait for it to
    /// answer. What is not acknowledged goes back to its queue either way.
    void say_goodbye();

    /// Readable when something comes.
    int descriptor() const;
    /// What has come; nothing when there is no more for now. Also keeps the heartbeat going: to be
    /// called at least every second.
    std::optional<Incoming> next();

    void open(Channel channel);
    void close(Channel channel);
    /// From now on the server confirms what is published on the channel.
    void select_confirms(Channel channel);
    /// How many it sends without an acknowledgement.
    void set_prefetch(Channel channel, std::uint16_t count);

    // Passive: that it is there, else ChannelClosed with 404. `arguments` as of fields.hpp.
    void declare_exchange(Channel channel, const std::string& name, const std::string& type,
                          bool passive);
    void declare_queue(Channel channel, const std::string& name, const std::string& arguments,
                       bool durable, bool exclusive, bool passive);
    void bind(Channel channel, const std::string& queue, const std::string& exchange,
              const std::string& key);
    void consume(Channel channel, const std::string& queue);
    /// Ends the consumer of the channel; what is under way still comes.
    void cancel(Channel channel);

    void publish(Channel channel, const Message& message);
    void ack(Channel channel, std::uint64_t tag);
    void reject(Channel channel, std::uint64_t tag, bool requeue);

private:
    struct Destroy {
        void operator()(amqp_connection_state_t state) const { amqp_destroy_connection(state); }
    };

    void connect(const Address& address, const LinkOptions& options);
    void login(const Address& address, const LinkOptions& options);
    void check(const char* what, int status) const;
    void check_reply(const char* what, Channel channel);
    std::optional<Incoming> read(const amqp_frame_t& frame);
    Message read_message(Channel channel);

    std::unique_ptr<amqp_connection_state_t_, Destroy> state_;
};

}  // namespace moonwire::amqp
