#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/function.hpp"
#include "core/socketio/packet.hpp"
#include "core/socketio/socket.hpp"

namespace moonwire::socketio {

/// Why middleware did not let a client in: CONNECT_ERROR `{"message":…,"data":…}`.
struct Refusal {
    std::string message;
    std::string data_json;  // empty: no data member
    std::string code{};     // as in the data; for the broker's own records
};

/// Called once, on the namespace's reactor, now or later: nothing admits the client (on_connect then
/// runs before the call returns).
using ConnectDecision = Function<void(std::optional<Refusal>)>;

/// What a namespace's events mean: the seam that the script layer implements.
///
/// Every call comes from the loop of the namespace's reactor. All children of a parameterised
/// namespace share one handler. Nothing here throws.
class NamespaceHandler {
public:
    virtual ~NamespaceHandler() = default;

    /// Middleware. `auth_json` is an object ("{}" if the client sent none); invalid JSON is the
    /// handler's to refuse (socket->reject_input()). A client that leaves meanwhile makes the
    /// decision moot; on_disconnect is not called for it.
    virtual void on_connecting(const SocketPtr& socket, std::string_view auth_json,
                               ConnectDecision decide) = 0;
    /// The client is in; its CONNECT answer is on its way before anything emitted here.
    virtual void on_connect(const SocketPtr& socket) = 0;
    /// `payload.json` is the whole `["event",...]` array. Returns false, having done nothing, if it
    /// is not valid JSON: the connection is then closed ("parse error").
    virtual bool on_event(const SocketPtr& socket, std::string_view event, Payload payload,
                          Acknowledgement acknowledgement) = 0;
    /// The rooms are still there; what is emitted to them still goes out.
    virtual void on_disconnecting(const SocketPtr& socket, std::string_view reason) = 0;
    /// With recovery the socket may be away only (`socket->is_away()`): on_resume or on_expired
    /// tells how that ended.
    virtual void on_disconnect(const SocketPtr& socket, std::string_view reason) = 0;
    /// The client of `before` has returned as `socket`, which from now on stands for it. on_connect
    /// follows; before it on_connecting if middleware is not skipped.
    virtual void on_resume(const SocketPtr& before, const SocketPtr& socket,
                           std::string_view auth_json) = 0;
    /// The client did not return in time.
    virtual void on_expired(const SocketPtr& socket) = 0;
    /// A `server_emit`: `payload.json` is `["event",...]`.
    virtual void on_server_event(std::string_view event, Payload payload) = 0;
};

}  // namespace moonwire::socketio
