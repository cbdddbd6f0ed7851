// The floor that servers are measured against: the least that a server written with epoll must do
// for the benchmark's events. It hard-codes the protocol, checks nothing, allocates and looks up as
// little as it can, and writes each message to each receiver at once. Not a server to be used.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

struct Connection {
    int fd = -1;
    bool upgraded = false;
    bool waits_for_writable = false;
    std::string in = {}, out = {};  // what is incomplete, and what the kernel did not take
    std::vector<Connection*>* room = nullptr;
};

int poller;
std::unordered_map<std::string, std::vector<Connection*>> rooms;
char buffer[256 * 1024];

void watch(Connection& connection, int operation, bool writable) {
    epoll_event event{};
    event.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.ptr = &connection;
    ::epoll_ctl(poller, operation, connection.fd, &event);
    connection.waits_for_writable = writable;
}

void write(Connection& connection, std::string_view bytes) {
    if (connection.out.empty()) {
        const ssize_t sent = ::send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        bytes.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
    }
    if (bytes.empty()) return;
    connection.out += bytes;
    if (!connection.waits_for_writable) watch(connection, EPOLL_CTL_MOD, true);
}

void flush(Connection& connection) {
    const ssize_t sent =
        ::send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent > 0) connection.out.erase(0, static_cast<std::size_t>(sent));
    if (connection.out.empty()) watch(connection, EPOLL_CTL_MOD, false);
}

/// An unmasked text frame; valid until the next.
std::string_view framed(std::string_view head, std::string_view body) {
    static std::string frame;
    const std::size_t size = head.size() + body.size();
    frame.assign(1, '\x81');
    if (size < 126) {
        frame += static_cast<char>(size);
    } else if (size <= 0xffff) {
        frame += '\x7e';
        frame += static_cast<char>(size >> 8);
        frame += static_cast<char>(size);
    } else {
        frame += '\x7f';
        for (int shift = 56; shift >= 0; shift -= 8)
            frame += static_cast<char>(std::uint64_t{size} >> shift);
    }
    frame += head;
    frame += body;
    return frame;
}

void handle(Connection& connection, std::string_view packet) {
    static constexpr std::string_view kPublish = "42[\"pub\",\"";
    if (packet == "40") return write(connection, framed("40{\"sid\":\"0\"}", ""));
    if (packet.starts_with(kPublish)) {
        packet.remove_prefix(kPublish.size());
        const auto room = rooms.find(std::string(packet.substr(0, packet.find('"'))));
        if (room == rooms.end()) return;
        const std::string_view frame =
            framed("42[\"msg\",", packet.substr(packet.find(',') + 1));
        for (Connection* member : room->second) write(*member, frame);
    } else if (packet.starts_with("42")) {  // 42<id>["echo",<payload>] or join
        const auto bracket = packet.find('[');
        const std::string_view id = packet.substr(2, bracket - 2);
        const std::string_view payload = packet.substr(packet.find(',') + 1);
        if (packet.substr(bracket).starts_with("[\"join\"")) {
            const std::string name(payload.substr(1, payload.find('"', 1) - 1));
            connection.room = &rooms[name];
            connection.room->push_back(&connection);
        }
        static std::string head;
        head.assign("43").append(id).append("[");
        write(connection, framed(head, payload));
    }
}

/// Returns how many bytes it took.
std::size_t take_frame(Connection& connection, char* bytes, std::size_t size) {
    if (size < 6) return 0;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    std::size_t header = 2, length = byte(1) & 0x7f;
    if (length >= 126) {
        const std::size_t digits = length == 126 ? 2 : 8;
        length = 0;
        for (std::size_t i = 0; i < digits; ++i) length = length << 8 | byte(2 + i);
        header += digits;
    }
    header += 4;
    if (size < header + length) return 0;
    const char* const mask = bytes + header - 4;
    char* const payload = bytes + header;
    for (std::size_t i = 0; i < length; ++i) payload[i] ^= mask[i % 4];
    if ((byte(0) & 0x0f) == 1) handle(connection, {payload, length});
    return header + length;
}

std::size_t upgrade(Connection& connection, std::string_view request) {
    const auto end = request.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    constexpr std::string_view kKey = "Sec-WebSocket-Key: ";
    const auto key = request.find(kKey) + kKey.size();
    const std::string text = std::string(request.substr(key, request.find('\r', key) - key)) +
                             "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char hash[SHA_DIGEST_LENGTH], accept[64];
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash);
    EVP_EncodeBlock(accept, hash, sizeof hash);
    write(connection,
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: " + std::string(reinterpret_cast<char*>(accept)) + "\r\n\r\n" +
              std::string(framed("0{\"sid\":\"0\",\"upgrades\":[],\"pingInterval\":25000,"
                                 "\"pingTimeout\":20000,\"maxPayload\":1000000}", "")));
    connection.upgraded = true;
    return end + 4;
}

void end(Connection* connection) {
    ::close(connection->fd);
    if (connection->room) std::erase(*connection->room, connection);
    delete connection;
}

void read(Connection* connection) {
    const ssize_t got = ::recv(connection->fd, buffer, sizeof buffer, 0);
    if (got <= 0) return end(connection);
    char* bytes = buffer;
    std::size_t size = static_cast<std::size_t>(got), used = 0;
    std::string whole;
    if (!connection->in.empty()) {
        whole = std::move(connection->in).append(buffer, size);
        connection->in.clear();
        bytes = whole.data();
        size = whole.size();
    }
    if (!connection->upgraded) used = upgrade(*connection, {bytes, size});
    while (connection->upgraded) {
        const std::size_t frame = take_frame(*connection, bytes + used, size - used);
        if (frame == 0) break;
        used += frame;
    }
    if (used < size) connection->in.assign(bytes + used, size - used);
}

}  // namespace

int main(int argc, char** argv) {
    int port = 0;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
            port = std::atoi(argv[++i]);
        } else {
            std::fprintf(stderr, "unsupported: %s\n", argv[i]);
            return 3;
        }
    }
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);

    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    const int one = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
        ::listen(listener, 4096) < 0) {
        std::perror("floor");
        return 1;
    }
    poller = ::epoll_create1(0);
    Connection accepting{.fd = listener};
    watch(accepting, EPOLL_CTL_ADD, false);
    std::puts("listening");
    std::fflush(stdout);

    epoll_event events[512];
    for (;;) {
        const int count = ::epoll_wait(poller, events, 512, -1);
        for (int i = 0; i < count; ++i) {
            auto* const connection = static_cast<Connection*>(events[i].data.ptr);
            if (connection == &accepting) {
                const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
                if (fd < 0) continue;
                ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                watch(*new Connection{.fd = fd}, EPOLL_CTL_ADD, false);
                continue;
            }
            if (events[i].events & EPOLLOUT) flush(*connection);
            if (events[i].events & ~EPOLLOUT) read(connection);
        }
    }
}
