#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "http.hpp"
#include "values.hpp"

namespace moonwire::plugin {

/// Which server to be a client of, and how hard to try.
struct ClientOptions {
    std::string url;  // http, https, ws or wss, a host, perhaps a port and a query
    std::string path = "/socket.io/";
    std::string nsp = "/";
    std::string auth_json = {};  // an object; empty: none
    HttpHeaders headers = {};
    bool websocket = true, polling = true;  // both: by polling where WebSocket fails
    bool insecure = false;  // believe any certificate ([http] ca_file says which else)
    std::chrono::milliseconds timeout{20'000};  // until the namespace has answered
    std::optional<unsigned> attempts = 10;      // to come back, in a row; none: for ever
    std::chrono::milliseconds delay{1000}, delay_max{30'000};    // doubled, give or take half
    std::size_t queue_events = 10'000, queue_bytes = 16u << 20;  // while it is away
    bool drop_oldest = false;  // when that is full; false: refuse the new
};

/// How a connection fares.
struct ClientStatus {
    std::string state;                              // as ClientListener::on_state
    double uptime_seconds = 0, uptime_percent = 0;  // of this connection; since the first one
    unsigned attempts = 0;                          // since the last connection
    std::uint64_t reconnections = 0, queued = 0, sent = 0, received = 0;
    std::uint64_t dropped = 0;  // for want of room in the queue
    std::uint64_t failed = 0;   // calls without an answer
    std::string last_error = {};
};

/// What a connection tells, one call at a time, on its reactor, which it must not block.
struct ClientListener {
    /// "connected"; "connecting" (again, because it was told to); "disconnected": lost, or put out
    /// by the server; "refused" by the namespace; "gave_up"; "closed", which is the last.
    std::function<void(std::string_view state, const std::string& detail)> on_state;
    /// `acknowledge` is null unless the server asked; any thread, once, now or later.
    std::function<void(std::string event, Values arguments,
                       std::function<void(Values)> acknowledge)>
        on_event;
};

/// A Socket.IO client of the broker's, with one namespace of another server: it comes back when its
/// connection is lost, and keeps what is to be sent meanwhile; what the server refuses or puts out
/// stays so until `reconnect`, as in the official client.
///
/// All clients share a thread of their own, on which the listener is called; everything here may be
/// called on any thread and returns at once. Whoever lets go of it closes it.
class Client {
public:
    virtual ~Client() = default;
    /// `arguments.json` must be a valid array, the name none of the protocol's own. False if the
    /// queue is full.
    virtual bool emit(std::string_view event, Values arguments) = 0;
    /// The answer is the acknowledgement's values, or nothing: "timeout", "disconnected", "queue
    /// full", "too many calls", "closed". On the clients' thread, once.
    virtual void call(std::string_view event, Values arguments, std::chrono::milliseconds timeout,
                      Reply reply) = 0;
    virtual void status(std::function<void(ClientStatus)> done) = 0;
    /// Leaves, if it is connected, and connects anew, at once, with all attempts left.
    virtual void reconnect() = 0;
    /// Sends what is queued, if it is connected, for two seconds at most, and ends; "closed"
    /// follows.
    virtual void close() = 0;
};

}  // namespace moonwire::plugin
