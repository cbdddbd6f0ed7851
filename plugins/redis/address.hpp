#pragma once

#include <string>

namespace moonwire::redis {

/// Where a Redis server is and as whom to log in. Immutable once parsed: any thread.
struct Address {
    std::string host = {};
    int port = 6379;
    std::string path = {};  // of a Unix socket, instead of a host
    std::string user = {}, password = {};

    /// "redis://host:6379" or "unix:///path": what may be logged, without user and password.
    std::string shown() const;
};

/// Reads "redis://user:password@host:port/database" or "unix://user:password@/path?db=0", with
/// %-escapes in user and password. A database must be a number and means nothing: channels belong
/// to none. Throws std::runtime_error, whose text has nothing of the URL, for that may hold a
/// password.
Address parse_address(const std::string& url);

}  // namespace moonwire::redis
