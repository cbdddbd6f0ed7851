#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/bench/load/loop.hpp"

namespace bench {

/// Where the server is, and how it is spoken to.
struct Endpoint {
    std::uint16_t port = 0;  // of 127.0.0.1
    SSL_CTX* tls = nullptr;  // none: plain TCP
    bool deflate = false;
};

/// A client's TCP or TLS connection; non-blocking. What can't be written at once is kept and
/// written later, without a limit: an open-loop sender never waits.
class Stream : public Pollable {
public:
    Stream(Loop& loop, const Endpoint& endpoint) : loop_(loop), endpoint_(endpoint) {}
    virtual ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// Throws if there is no socket to be had.
    void open();
    void close();
    bool is_open() const { return fd_ >= 0; }

protected:
    void write(std::string_view bytes);

    virtual void on_connected() = 0;
    /// Valid during the call.
    virtual void on_bytes(std::string_view bytes) = 0;
    /// The connection is gone by then.
    virtual void on_lost(const std::string& why) = 0;

    Loop& loop_;
    const Endpoint& endpoint_;

private:
    enum class State : std::uint8_t { connecting, handshaking, connected };

    void on_ready(std::uint32_t events) final;
    void shake_hands();
    void read();
    void flush();
    void lose(const std::string& why);
    void watch(bool writable);

    int fd_ = -1;
    SSL* ssl_ = nullptr;
    State state_ = State::connecting;
    bool watching_writable_ = false;
    std::string out_;
};

}  // namespace bench
