#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace moonwire::test {

/// One accepted connection, blocking, as well or as badly behaved as a test wants it.
class RawPeer {
public:
    explicit RawPeer(int fd) : fd_(fd) {}
    ~RawPeer() { ::close(fd_); }
    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;

    /// Everything up to the end of the next request's headers; empty when the client has closed.
    std::string request() {
        for (;;) {
            if (const auto end = input_.find("\r\n\r\n"); end != std::string::npos) {
                std::string head = input_.substr(0, end + 4);
                input_.erase(0, end + 4);
                return head;
            }
            char bytes[4096];
            const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
            if (got <= 0) return {};
            input_.append(bytes, static_cast<std::size_t>(got));
        }
    }
    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

private:
    const int fd_;
    std::string input_;
};

/// A server on a port of its own whose connections are served one after another, on its thread.
class RawServer {
public:
    explicit RawServer(std::function<void(RawPeer&)> serve) : serve_(std::move(serve)) {
        fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
        ::listen(fd_, 16);
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port = ntohs(address.sin_port);
        thread_ = std::thread([this] { loop(); });
    }
    ~RawServer() {
        stopping_ = true;
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        ::close(fd_);
    }

    std::uint16_t port = 0;
    std::atomic<int> accepted{0};
    std::atomic<int> ended{0};

private:
    void loop() {
        while (!stopping_) {
            const int fd = ::accept(fd_, nullptr, nullptr);
            if (fd < 0) continue;
            ++accepted;
            {
                RawPeer peer(fd);
                serve_(peer);
            }
            ++ended;
        }
    }

    const std::function<void(RawPeer&)> serve_;
    int fd_ = -1;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace moonwire::test
