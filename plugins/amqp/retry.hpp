#pragma once

#include <string>

#include "plugins/amqp/message.hpp"
#include "plugins/amqp/options.hpp"

namespace moonwire::amqp {

/// What becomes of a message that could not be handled.
///
/// A retry is a message of its own: a copy that counts retries in its headers goes to a queue
/// beside the consumer's, where nobody reads; its time to live over, the server puts it back. All
/// of it is in the server, so a retry survives whichever process dies. The message that failed is
/// acknowledged only when the server has confirmed the copy.
struct Fate {
    enum class Kind { retry, dead_letter, drop };
    Kind kind = Kind::drop;
    Message message = {};  // the copy to publish; nothing for drop
};

// Headers that copies carry.
inline constexpr const char* kRetriesHeader = "x-moonwire-retries";
inline constexpr const char* kErrorHeader = "x-moonwire-error";  // why, of the last time
// Of a dead letter, which counts from nothing if it is put back: where it failed, and how often.
inline constexpr const char* kQueueHeader = "x-moonwire-queue";
inline constexpr const char* kTriesHeader = "x-moonwire-tries";
// Where the message was published to at first.
inline constexpr const char* kExchangeHeader = "x-moonwire-exchange";
inline constexpr const char* kRoutingKeyHeader = "x-moonwire-routing-key";

/// The queue where a consumer's messages wait for their next try. `queue` is the queue's real name.
std::string retry_queue(const std::string& queue, const ConsumerOptions& options);
/// Its arguments, as of fields.hpp.
std::string retry_arguments(const std::string& queue, const ConsumerOptions& options);

/// How often the message was tried again so far.
int retries_of(const Message& message);
/// Gives a message that was tried before the exchange and the key that it had at first.
void restore_origin(Message& message);

/// `message` as restore_origin left it; `final`: trying again is no use.
Fate decide(const Message& message, const std::string& queue, const ConsumerOptions& options,
            const std::string& error, bool final = false);

}  // namespace moonwire::amqp
