#include "tests/bench/load/stream.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace bench {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

/// One address has some 28 000 ports, and a closed connection keeps its port for a minute.
in_addr_t next_source_address() {
    static std::uint32_t next = 0;
    return htonl(INADDR_LOOPBACK + 1 + next++ % 32);
}

char* read_buffer() {
    static thread_local std::string buffer(kReadBytes, '\0');
    return buffer.data();
}

}  // namespace

Stream::~Stream() { close(); }

void Stream::open() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
    const int one = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ::setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = next_source_address();
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(endpoint_.port);
    state_ = State::connecting;
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 &&
        errno != EINPROGRESS)
        throw std::system_error(errno, std::generic_category(), "connect");
    watching_writable_ = true;
    loop_.add(fd_, EPOLLIN | EPOLLOUT, *this);
}

void Stream::close() {
    if (ssl_) SSL_free(std::exchange(ssl_, nullptr));
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    out_.clear();
}

void Stream::lose(const std::string& why) {
    close();
    on_lost(why);
}

void Stream::watch(bool writable) {
    if (writable == watching_writable_) return;
    watching_writable_ = writable;
    loop_.change(fd_, writable ? EPOLLIN | EPOLLOUT : EPOLLIN, *this);
}

void Stream::on_ready(std::uint32_t events) {
    if (fd_ < 0) return;
    if (state_ == State::connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) return lose(std::strerror(error));
        state_ = State::connected;
        watch(false);
        if (!endpoint_.tls) return on_connected();
        state_ = State::handshaking;
        ssl_ = SSL_new(endpoint_.tls);
        SSL_set_fd(ssl_, fd_);
        SSL_set_connect_state(ssl_);
    }
    if (state_ == State::handshaking) return shake_hands();
    if (events & EPOLLOUT) flush();
    if (fd_ >= 0 && (events & ~EPOLLOUT)) read();
}

void Stream::shake_hands() {
    const int done = SSL_do_handshake(ssl_);
    if (done == 1) {
        state_ = State::connected;
        watch(false);
        return on_connected();
    }
    const int error = SSL_get_error(ssl_, done);
    if (error == SSL_ERROR_WANT_WRITE) watch(true);
    else if (error == SSL_ERROR_WANT_READ) watch(false);
    else lose("TLS handshake failed");
}

void Stream::read() {
    char* const buffer = read_buffer();
    if (!ssl_) {
        const ssize_t got = ::recv(fd_, buffer, kReadBytes, 0);
        if (got > 0) return on_bytes({buffer, static_cast<std::size_t>(got)});
        if (got == 0) return lose("closed by the server");
        if (errno != EAGAIN && errno != EINTR) lose(std::strerror(errno));
        return;
    }
    while (fd_ >= 0) {
        const int got = SSL_read(ssl_, buffer, kReadBytes);
        if (got > 0) {
            on_bytes({buffer, static_cast<std::size_t>(got)});
            continue;
        }
        const int error = SSL_get_error(ssl_, got);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            lose("closed by the server");
        return;
    }
}

void Stream::write(std::string_view bytes) {
    if (fd_ < 0) return;
    out_ += bytes;
    if (!watching_writable_) flush();
}

void Stream::flush() {
    std::size_t done = 0;
    while (done < out_.size()) {
        ssize_t sent;
        bool wait;
        if (ssl_) {
            sent = SSL_write(ssl_, out_.data() + done, static_cast<int>(out_.size() - done));
            wait = sent <= 0 && SSL_get_error(ssl_, static_cast<int>(sent)) == SSL_ERROR_WANT_WRITE;
        } else {
            sent = ::send(fd_, out_.data() + done, out_.size() - done, MSG_NOSIGNAL);
            wait = sent < 0 && errno == EAGAIN;
        }
        if (sent <= 0 && !wait) return lose("can't write");
        if (sent <= 0) break;
        done += static_cast<std::size_t>(sent);
    }
    out_.erase(0, done);
    watch(!out_.empty());
}

}  // namespace bench
