#pragma once

#include <string>

#include "core/base/function.hpp"
#include "core/transport/http.hpp"

namespace moonwire::engineio {

/// What a guard says to a handshake.
struct Verdict {
    bool allowed = true;
    std::string message;         // of a refusal; empty: "Forbidden"
    transport::Headers headers;  // for the handshake's answer
};

/// May refuse handshakes, and may take its time: the application's word. Asked on the request's
/// reactor, never for requests of sessions that there are already. Must outlive the engine.
class HandshakeGuard {
public:
    virtual ~HandshakeGuard() = default;
    /// Whether there is anything to ask at present. Any thread, cheap.
    virtual bool active() const = 0;
    /// Calls `decide` once, on whichever thread. A request that has waited too long is refused
    /// without it.
    virtual void check(const transport::HttpRequest& request, Function<void(Verdict)> decide) = 0;
};

}  // namespace moonwire::engineio
