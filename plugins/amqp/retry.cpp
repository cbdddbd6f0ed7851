#include "plugins/amqp/retry.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "plugins/amqp/fields.hpp"

namespace moonwire::amqp {
namespace {

constexpr std::size_t kMaxErrorBytes = 1000;

/// Cut between two characters.
std::string shortened(const std::string& text) {
    std::size_t size = std::min(text.size(), kMaxErrorBytes);
    while (size < text.size() && size > 0 && (text[size] & 0xC0) == 0x80) --size;
    return text.substr(0, size);
}

/// The headers with what tells of the failure. Headers that are too full for that stay as they are.
std::string told(const Message& message, const std::string& error,
                 const std::function<std::string(std::string)>& more) {
    try {
        std::string headers = with_field(message.headers, kExchangeHeader, message.exchange);
        headers = with_field(headers, kRoutingKeyHeader, message.routing_key);
        return more(with_field(headers, kErrorHeader, shortened(error)));
    } catch (const std::runtime_error&) {
        return message.headers;
    }
}

}  // namespace

std::string retry_queue(const std::string& queue, const ConsumerOptions& options) {
    return queue + ".retry." + std::to_string(options.retry_delay.count());
}

std::string retry_arguments(const std::string& queue, const ConsumerOptions& options) {
    std::string arguments = with_field({}, "x-message-ttl", options.retry_delay.count());
    arguments = with_field(arguments, "x-dead-letter-exchange", "");
    return with_field(arguments, "x-dead-letter-routing-key", queue);
}

int retries_of(const Message& message) {
    const auto number = number_field(message.headers, kRetriesHeader).value_or(0);
    return static_cast<int>(std::clamp<std::int64_t>(number, 0, 1'000'000));
}

void restore_origin(Message& message) {
    if (auto key = text_field(message.headers, kRoutingKeyHeader)) {
        message.routing_key = *std::move(key);
        message.exchange = text_field(message.headers, kExchangeHeader).value_or("");
    }
}

Fate decide(const Message& message, const std::string& queue, const ConsumerOptions& options,
            const std::string& error, bool final) {
    const int retries = retries_of(message);
    Fate fate{Fate::Kind::drop, message};
    // It has had its time in the queue; in the next one it would count again.
    fate.message.expiration.clear();
    fate.message.persistent = true;
    if (!final && retries < options.retries) {
        fate.kind = Fate::Kind::retry;
        fate.message.headers = told(message, error, [&](const std::string& headers) {
            return with_field(headers, kRetriesHeader, retries + 1);
        });
        fate.message.exchange.clear();
        fate.message.routing_key = retry_queue(queue, options);
        return fate;
    }
    if (!options.dead_letters()) return {Fate::Kind::drop};
    fate.kind = Fate::Kind::dead_letter;
    fate.message.headers = told(message, error, [&](const std::string& headers) {
        return with_field(with_field(without_field(headers, kRetriesHeader), kQueueHeader, queue),
                          kTriesHeader, retries + 1);
    });
    fate.message.exchange = options.dead_letter_exchange;
    // Without a key of its own it keeps the one it came with.
    if (options.dead_letter_exchange.empty() || !options.dead_letter.empty())
        fate.message.routing_key = options.dead_letter;
    return fate;
}

}  // namespace moonwire::amqp
