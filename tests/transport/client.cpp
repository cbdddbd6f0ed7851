#include "tests/transport/client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>

namespace moonwire::test {

bool wait_until(const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

std::string ClientResponse::header(std::string_view name) const {
    std::size_t line = head.find("\r\n");
    while (line != std::string::npos) {
        line += 2;
        if (head.size() > line + name.size() && head[line + name.size()] == ':' &&
            strncasecmp(head.data() + line, name.data(), name.size()) == 0) {
            const std::size_t from = head.find_first_not_of(' ', line + name.size() + 1);
            return head.substr(from, head.find("\r\n", line) - from);
        }
        line = head.find("\r\n", line);
    }
    return {};
}

unsigned ClientFrame::close_code() const {
    if (opcode != 8 || payload.size() < 2) return 0;
    return static_cast<unsigned char>(payload[0]) * 256u + static_cast<unsigned char>(payload[1]);
}

Client::Client(std::uint16_t port, int receive_buffer_bytes) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval timeout{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_buffer_bytes > 0)
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                     sizeof receive_buffer_bytes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
}

Client::Client(const std::string& path) {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval timeout{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
}

Client::~Client() {
    if (fd_ >= 0) ::close(fd_);
}

ssize_t Client::read_some(char* to, std::size_t size) { return ::recv(fd_, to, size, 0); }

ssize_t Client::write_some(const char* from, std::size_t size) {
    return ::send(fd_, from, size, MSG_NOSIGNAL);
}

bool Client::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = write_some(bytes.data(), bytes.size());
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void Client::end_sending() { ::shutdown(fd_, SHUT_WR); }

void Client::reset() {
    const linger abort{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    ::close(fd_);
    fd_ = -1;
}

bool Client::fill() {
    char buffer[65536];
    const ssize_t got = read_some(buffer, sizeof buffer);
    if (got <= 0) return false;
    input_.append(buffer, static_cast<std::size_t>(got));
    return true;
}

bool Client::fill_to(std::size_t bytes) {
    while (input_.size() < bytes)
        if (!fill()) return false;
    return true;
}

ClientResponse Client::get(std::string_view target, std::string_view extra_headers) {
    send("GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(extra_headers) +
         "\r\n");
    return response();
}

ClientResponse Client::response(bool to_head) {
    std::size_t end;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos)
        if (!fill()) return {};
    ClientResponse response;
    response.head = input_.substr(0, end + 2);
    input_.erase(0, end + 4);
    response.status = static_cast<unsigned>(std::atoi(response.head.c_str() + 9));
    const std::string length = response.header("content-length");
    const std::size_t size =
        length.empty() || to_head ? 0 : static_cast<std::size_t>(std::stoul(length));
    if (!fill_to(size)) return {};
    response.body = input_.substr(0, size);
    input_.erase(0, size);
    return response;
}

std::string Client::rest() {
    while (fill()) {
    }
    return std::exchange(input_, {});
}

bool Client::ended() {
    char byte;
    if (!input_.empty()) return false;
    const ssize_t got = read_some(&byte, 1);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

std::string upgrade_request(std::string_view target, std::string_view extra_headers) {
    return "GET " + std::string(target) +
           " HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
           std::string(extra_headers) + "\r\n";
}

ClientResponse Client::upgrade(std::string_view target, std::string_view extra_headers) {
    send(upgrade_request(target, extra_headers));
    return response();
}

std::string client_frame(int opcode, std::string_view payload, bool fin, bool masked) {
    std::string frame;
    frame += static_cast<char>((fin ? 0x80 : 0) | opcode);
    const int mask_bit = masked ? 0x80 : 0;
    if (payload.size() < 126) {
        frame += static_cast<char>(mask_bit | static_cast<int>(payload.size()));
    } else {
        const int length_bytes = payload.size() <= 0xffff ? 2 : 8;
        frame += static_cast<char>(mask_bit | (length_bytes == 2 ? 126 : 127));
        for (int i = length_bytes - 1; i >= 0; --i)
            frame += static_cast<char>(payload.size() >> 8 * i & 0xff);
    }
    const char key[4] = {0x11, 0x22, 0x33, 0x44};
    if (masked) frame.append(key, 4);
    for (std::size_t i = 0; i < payload.size(); ++i)
        frame += masked ? static_cast<char>(payload[i] ^ key[i % 4]) : payload[i];
    return frame;
}

bool Client::send_frame(int opcode, std::string_view payload, bool fin, bool masked) {
    return send(client_frame(opcode, payload, fin, masked));
}

ClientFrame Client::frame() {
    if (!fill_to(2)) return {};
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input_[i]); };
    std::size_t size = byte(1) & 0x7f;
    std::size_t header = 2;
    if (size >= 126) {
        const std::size_t length_bytes = size == 126 ? 2 : 8;
        header += length_bytes;
        if (!fill_to(header)) return {};
        size = 0;
        for (std::size_t i = 0; i < length_bytes; ++i) size = size << 8 | byte(2 + i);
    }
    if (!fill_to(header + size)) return {};
    ClientFrame frame{byte(0) & 0x0f, (byte(0) & 0x80) != 0, (byte(0) & 0x40) != 0,
                      input_.substr(header, size)};
    input_.erase(0, header + size);
    return frame;
}

}  // namespace moonwire::test
