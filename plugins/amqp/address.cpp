#include "plugins/amqp/address.hpp"

#include <amqp.h>

#include <algorithm>
#include <stdexcept>

namespace moonwire::amqp {

std::string Address::shown() const {
    // An IPv6 address has its brackets again.
    const bool brackets = host.find(':') != host.npos;
    return std::string(tls ? "amqps" : "amqp") + "://" + (brackets ? "[" + host + "]" : host) +
           ":" + std::to_string(port) + "/" + (vhost == "/" ? "" : vhost);
}

Address parse_address(const std::string& url) {
    const bool known = url.starts_with("amqp://") || url.starts_with("amqps://");
    if (!known) throw std::runtime_error("the url must begin with amqp:// or amqps://");
    std::string text = url;  // the library writes into it and points there
    amqp_connection_info info{};
    if (text.find('\0') != text.npos || amqp_parse_url(text.data(), &info) != AMQP_STATUS_OK)
        throw std::runtime_error(
            "the url is malformed: expected amqp://user:password@host:port/vhost, with %-escapes "
            "for special characters");
    Address address;
    address.host = info.host;
    if (address.host.empty()) throw std::runtime_error("the url names no host");
    if (info.port < 1 || info.port > 65'535)
        throw std::runtime_error("the url's port must be from 1 to 65535");
    address.port = info.port;
    address.tls = info.ssl != 0;
    address.user = info.user;
    address.password = info.password;
    if (info.vhost[0]) address.vhost = info.vhost;
    return address;
}

}  // namespace moonwire::amqp
