#include "core/transport/websocket_handshake.hpp"

#include <openssl/evp.h>

#include <array>
#include <string>

#include "core/transport/http_message.hpp"

namespace moonwire::transport {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The Sec-WebSocket-Accept of a key.
std::string accept_of(std::string_view key) {
    static EVP_MD* const sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);  // once: it takes a while
    const std::string text = std::string(key).append(kGuid);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, sha1, nullptr);
    std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> base64;
    const int length = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(size));
    return {reinterpret_cast<const char*>(base64.data()), static_cast<std::size_t>(length)};
}

}  // namespace

SharedBytes handshake_answer(const HttpRequest& request, const Headers& headers,
                             std::string_view extensions) {
    std::string head =
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: ";
    head += accept_of(request.header("sec-websocket-key"));
    if (!extensions.empty()) head.append("\r\nSec-WebSocket-Extensions: ").append(extensions);
    for (const auto& [name, value] : headers)
        head.append("\r\n").append(one_line(name)).append(": ").append(one_line(value));
    head += "\r\n\r\n";
    return SharedBytes::copy(head);
}

}  // namespace moonwire::transport
