#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace moonwire::transport {

/// Takes apart what a client sends over a WebSocket (RFC 6455 section 5): frames, in whatever
/// pieces they come, become whole messages and control frames.
///
/// A frame that comes whole is handed on from where it was read, unmasked in place; only what is
/// incomplete is kept, and grows with what has come, not with what a header announces. Between
/// messages nothing is held. A codec: it knows no connection. One thread.
class FrameReader {
public:
    enum class Kind : std::uint8_t { message, ping, pong, close, fault };
    struct Event {
        Kind kind = Kind::fault;
        bool binary = false;      // message; text is not checked to be UTF-8
        bool compressed = false;  // message: as RFC 7692 section 7.2 has it
        /// close: the peer's status code, 1005 without one. fault: the code that tells the peer what
        /// it did wrong, 1002 or 1009; nothing can be read after it.
        std::uint16_t code = 0;
        std::string_view payload;  // valid until the next call; of a close: the reason
    };

    /// `max_message`: bytes on the wire, 1009 beyond it. `deflate`: compressed messages were agreed
    /// upon.
    FrameReader(std::size_t max_message, bool deflate) noexcept
        : max_message_(max_message), deflate_(deflate) {}

    /// Takes what is next from the front of `bytes`, which it changes; nothing when it has taken all
    /// and more is needed.
    std::optional<Event> next(std::span<char>& bytes);

private:
    static constexpr std::size_t kMaxHeaderBytes = 14;
    enum Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
    struct Frame {
        std::uint8_t opcode = 0;
        bool fin = false;
        std::array<char, 4> mask{};
        std::uint64_t size = 0;
        std::uint64_t left = 0;  // of its payload
        bool is_control() const { return opcode >= 8; }
    };

    /// Reads a header; false when it is incomplete, and kept.
    bool take_header(std::span<char>& bytes);
    /// The code to end with, if the header may not come here; else starts its message.
    std::uint16_t begin_frame(unsigned char first, unsigned char second, std::size_t length_bytes);
    static Event control_event(const Frame& frame, std::string_view payload);
    Event fault(std::uint16_t code);

    const std::size_t max_message_;
    const bool deflate_;
    bool in_frame_ = false;
    bool in_message_ = false;
    bool message_binary_ = false;
    bool message_compressed_ = false;
    std::uint8_t header_bytes_ = 0;  // of an incomplete header
    std::uint16_t fault_ = 0;
    std::array<char, kMaxHeaderBytes> header_{};
    Frame frame_;
    std::string message_;  // its payload so far
    std::string control_;  // an incomplete control frame's: it may come between a message's frames
};

}  // namespace moonwire::transport
