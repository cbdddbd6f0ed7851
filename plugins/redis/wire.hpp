#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/plugin/api/adapter.hpp"

namespace moonwire::redis {

/// What is published: bytes on a channel.
struct Publication {
    std::string channel, payload;
};

/// What came in, as far as this node has to do with it.
struct Received {
    enum class Kind {
        broadcast,
        join,
        leave,
        disconnect,
        server_emit,
        own,       // said by this node, which has done it
        question,  // asks for answers, which an adapter does not give; nothing is to be done
    };
    static constexpr int kKinds = 7;
    Kind kind = Kind::own;
    plugin::ClusterMessage message = {};  // of the first five
};

/// "broadcast", "own", …
std::string_view name_of(Received::Kind kind);

/// The form that @socket.io/redis-adapter (classic) and @socket.io/redis-emitter give messages.
/// Immutable: any thread.
///
/// Broadcasts are msgpack on `KEY#NSP#`, or `KEY#NSP#ROOM#` for one room; all else is a request,
/// JSON or msgpack, on `KEY-request#NSP#`. Node's own joins, leaves and disconnections are done by
/// each node that hears them, the sender too; this node has done its part when it publishes.
class Wire {
public:
    /// `uid` tells this node from others; `names` are namespaces' names in Redis, each with the
    /// other one that it has here.
    Wire(std::string key, std::string uid, const std::map<std::string, std::string>& names = {});

    /// Throws std::runtime_error for JSON that can't be said, with why.
    Publication write(const plugin::ClusterMessage& message) const;
    /// Throws std::runtime_error for what is malformed, with why.
    Received read(std::string_view channel, std::string_view payload) const;

    /// What to subscribe to, with PSUBSCRIBE: all namespaces' channels.
    std::string broadcast_pattern() const;
    std::string request_pattern() const;

private:
    Received read_broadcast(std::string_view channel, std::string_view payload) const;
    Received read_request(std::string_view nsp, std::string_view payload) const;
    std::string name_outside(const std::string& nsp) const;
    std::string name_here(std::string_view nsp) const;

    const std::string broadcasts_, requests_, uid_;  // the channels up to the namespace
    std::map<std::string, std::string, std::less<>> here_, outside_;
};

/// Six letters and digits by chance, as Node's adapters have.
std::string new_uid();

}  // namespace moonwire::redis
