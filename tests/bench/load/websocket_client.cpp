#include <zlib.h>

#include <cstring>
#include <stdexcept>

#include "tests/bench/load/client.hpp"

namespace bench {
namespace {

/// For servers that reset their compressor with each message: one serves all connections.
std::string_view inflate_message(std::string_view compressed) {
    static z_stream stream = [] {
        z_stream made{};
        if (inflateInit2(&made, -15) != Z_OK) throw std::runtime_error("inflateInit2 failed");
        return made;
    }();
    static std::string in, out(1 << 20, '\0');
    in.assign(compressed).append("\0\0\xff\xff", 4);  // RFC 7692 section 7.2.2
    inflateReset(&stream);
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    inflate(&stream, Z_SYNC_FLUSH);
    return {out.data(), out.size() - stream.avail_out};
}

/// Messages are read whole from one frame each, as every server here sends them, and written
/// masked with zeros, which costs the server what any mask does.
class WebSocketClient final : public Client, private Stream {
public:
    WebSocketClient(Loop& loop, const Endpoint& endpoint, ClientListener& listener)
        : Client(listener), Stream(loop, endpoint) {}

    void connect() override { open(); }
    void close() override { Stream::close(); }
    void send(std::string_view packet) override {
        static std::string message;
        message.assign("4").append(packet);
        send_engine_packet(message);
    }

private:
    void send_engine_packet(std::string_view packet) override { send_frame(0x81, packet); }

    void send_frame(unsigned char first, std::string_view payload) {
        static std::string frame;
        frame.assign(1, static_cast<char>(first));
        const std::size_t size = payload.size();
        if (size < 126) {
            frame += static_cast<char>(0x80 | size);
        } else if (size <= 0xffff) {
            frame += static_cast<char>(0x80 | 126);
            frame += static_cast<char>(size >> 8);
            frame += static_cast<char>(size);
        } else {
            frame += static_cast<char>(0x80 | 127);
            for (int shift = 56; shift >= 0; shift -= 8)
                frame += static_cast<char>(std::uint64_t{size} >> shift);
        }
        frame.append(4, '\0').append(payload);
        write(frame);
    }

    void on_connected() override {
        in_handshake_ = true;
        std::string request =
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        if (endpoint_.deflate)
            request += "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                       "client_no_context_takeover\r\n";
        write(request + "\r\n");
    }

    void on_bytes(std::string_view bytes) override {
        if (!rest_.empty()) {
            rest_ += bytes;
            std::string whole = std::move(rest_);
            rest_.clear();
            const std::size_t used = take(whole);
            if (is_open() && used < whole.size()) rest_.assign(whole, used);
        } else {
            const std::size_t used = take(bytes);
            if (is_open() && used < bytes.size()) rest_ = bytes.substr(used);
        }
    }

    /// Returns how many bytes it took: whole messages.
    std::size_t take(std::string_view bytes) {
        std::size_t used = 0;
        if (in_handshake_) {
            const auto end = bytes.find("\r\n\r\n");
            if (end == std::string_view::npos) return 0;
            if (!bytes.starts_with("HTTP/1.1 101")) {
                lost("refused: " + std::string(bytes.substr(0, bytes.find('\r'))));
                return bytes.size();
            }
            in_handshake_ = false;
            used = end + 4;
        }
        while (is_open()) {
            const std::size_t frame = take_frame(bytes.substr(used));
            if (frame == 0) break;
            used += frame;
        }
        return used;
    }

    std::size_t take_frame(std::string_view bytes) {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
        if (bytes.size() < 2) return 0;
        std::size_t header = 2, size = byte(1) & 0x7f;
        if (size >= 126) {
            const std::size_t digits = size == 126 ? 2 : 8;
            if (bytes.size() < 2 + digits) return 0;
            size = 0;
            for (std::size_t i = 0; i < digits; ++i) size = size << 8 | byte(2 + i);
            header += digits;
        }
        if (bytes.size() < header + size) return 0;
        const std::string_view payload = bytes.substr(header, size);
        switch (byte(0) & 0x0f) {
            case 8: lost("the server closed the WebSocket"); break;
            case 9: send_frame(0x8a, payload); break;
            case 10: break;
            default: on_engine_packet(byte(0) & 0x40 ? inflate_message(payload) : payload);
        }
        return header + size;
    }

    void lost(const std::string& why) {
        Stream::close();
        listener_.on_lost(*this, why);
    }
    void on_lost(const std::string& why) override { listener_.on_lost(*this, why); }

    bool in_handshake_ = false;
    std::string rest_;  // a message that has not come whole
};

}  // namespace

std::unique_ptr<Client> make_websocket_client(Loop& loop, const Endpoint& endpoint,
                                              ClientListener& listener) {
    return std::make_unique<WebSocketClient>(loop, endpoint, listener);
}

}  // namespace bench
