#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "plugins/amqp/address.hpp"
#include "plugins/amqp/message.hpp"

namespace moonwire::amqp {

/// A queue that a script consumes.
struct ConsumerOptions {
    std::string id;     // what the script handles its messages by
    std::string queue;  // empty: one of its own, which goes with the connection
    std::uint16_t prefetch = 20;
    std::string arguments;  // of the queue, if it has to be declared; as of fields.hpp
    std::string exchange, exchange_type = "topic";
    std::vector<std::string> bind;  // keys, of the exchange's
    int retries = 3;                // 0: a failed message goes at once
    std::chrono::milliseconds retry_delay{5000};
    std::string dead_letter_exchange,
        dead_letter;  // a queue, or a key of the exchange; empty: none

    bool dead_letters() const { return !dead_letter.empty() || !dead_letter_exchange.empty(); }
    bool operator==(const ConsumerOptions&) const = default;
};

/// A connection that scripts of a namespace want.
struct ConnectionOptions {
    std::string name, url;
    Address address;  // what the url says
    std::size_t buffer = 10'000, buffer_bytes = 64u << 20;
    std::chrono::milliseconds reconnection_delay{1000}, reconnection_delay_max{30'000};
    std::vector<ConsumerOptions> consumers;

    /// Whether a connection by those options does for these, too, but for its consumers.
    bool same_connection(const ConnectionOptions& other) const {
        return url == other.url && buffer == other.buffer && buffer_bytes == other.buffer_bytes &&
               reconnection_delay == other.reconnection_delay &&
               reconnection_delay_max == other.reconnection_delay_max;
    }
};

/// What a script publishes, and how long it waits for that; 0: as long as it takes.
struct Publication {
    std::string connection;
    Message message;
    std::chrono::milliseconds timeout{0};
};

// These read what scripts gave, JSON objects, and throw std::runtime_error, whose text says what is
// wrong with which option: `prefetch: expected a whole number from 1 to 10000`.

/// `{name, url, …, consumers = [{queue, …}]}`
ConnectionOptions read_connection(const std::string& json);
/// `{id, queue, …}`
ConsumerOptions read_consumer(const std::string& json);
/// `[connection, exchange, routing_key, body, {…}, {content_type, message_id}]`, the latter for
/// what the options don't say; the body is bytes, an attachment.
Publication read_publication(const std::string& json, std::vector<std::string> attachments);

}  // namespace moonwire::amqp
