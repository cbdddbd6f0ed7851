#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/reactor.hpp"
#include "core/transport/frame.hpp"

namespace moonwire::transport {

/// When a queued frame leaves.
enum class Flush : std::uint8_t {
    turn,    // at the end of this loop turn, or of the input it answers: handshakes, heartbeats
    now,     // at once and alone: what follows waits for the window, so that a peer reads it apart
    window,  // may wait up to the coalescing window since the last write: broadcasts
};

/// Why a WebSocket ended, as the layer above needs to tell it.
enum class WebSocketEnd : std::uint8_t {
    closed,     // a closing handshake or an orderly end of the stream
    failed,     // reset, protocol error, timeout
    too_large,  // a message over the limit; the peer was told 1009
    overflow,   // a slow consumer: the send queue went over its limit
    stale,      // a slow consumer: what is queued for it has waited too long
};

/// How a peer is read that sends more than it may: so much, then a pause.
inline constexpr std::size_t kSlowedBytes = 4 * 1024;
inline constexpr Duration kSlowedPause = std::chrono::milliseconds(10);

/// A server-side WebSocket connection. Lives on one reactor; every call is made there.
class WebSocket {
public:
    virtual ~WebSocket() = default;
    virtual Reactor& reactor() = 0;
    /// Queues a frame; one write a turn takes all that is queued. Never calls the handler before
    /// returning: a queue over its limit ends the connection after the turn.
    /// `compress`: as permessage-deflate has it, where that was agreed upon and is worth it.
    virtual void send(const Frame& frame, Flush flush, bool compress = true) = 0;
    /// False while the peer has not taken what was last written: volatile events are dropped.
    virtual bool writable() const = 0;
    virtual std::size_t queued_bytes() const = 0;
    /// From within on_message: this message is more than the peer may send, as are too many pings.
    /// Until a message passes without that, the peer is read in pieces of kSlowedBytes with pauses
    /// between them; what it sends waits in the kernel and, with the kernel's buffers full, in
    /// itself.
    virtual void slow_down() = 0;
    /// Flushes, then a closing handshake with this status code (RFC 6455 section 7.4.1); on_close
    /// follows, at the latest after the closing timeout.
    virtual void close(std::uint16_t code) = 0;
};

/// What the layer above gives to an accepted WebSocket, and shares with it until on_close.
class WebSocketHandler {
public:
    virtual ~WebSocketHandler() = default;
    /// `socket` stays valid until on_close returns.
    virtual void on_open(WebSocket& socket) = 0;
    /// The payload is only valid during the call.
    virtual void on_message(std::string_view payload, bool binary) = 0;
    /// Once, last; also when the handshake failed and on_open never came.
    virtual void on_close(WebSocketEnd end) = 0;
};

}  // namespace moonwire::transport
