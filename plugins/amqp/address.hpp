#pragma once

#include <string>

namespace moonwire::amqp {

/// Where a RabbitMQ server is and as whom to log in. Immutable once parsed: any thread.
struct Address {
    std::string host, vhost = "/";
    int port = 5672;
    bool tls = false;
    std::string user = "guest", password = "guest";

    /// "amqps://host:5671/vhost": what may be logged and shown, without user and password.
    std::string shown() const;
};

/// Reads "amqp://user:password@host:port/vhost" or "amqps://…", with %-escapes. What is not given
/// is as RabbitMQ has it: guest, guest, 5672 or 5671, the virtual host "/". Throws
/// std::runtime_error, whose text has nothing of the URL, for that may hold a password.
Address parse_address(const std::string& url);

}  // namespace moonwire::amqp
