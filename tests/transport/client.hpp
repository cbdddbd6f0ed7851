#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace moonwire::test {

/// Waits until `condition` holds; false after ten seconds.
bool wait_until(const std::function<bool()>& condition);

struct ClientResponse {
    unsigned status = 0;  // 0: the connection ended first
    std::string head;
    std::string body;
    /// The header's value; empty when there is none.
    std::string header(std::string_view name) const;
};

struct ClientFrame {
    int opcode = -1;  // -1: the connection ended first
    bool fin = false;
    bool compressed = false;  // RSV1
    std::string payload;
    /// Of a close frame.
    unsigned close_code() const;
};

/// A peer over a plain blocking socket, as well or as badly behaved as a test wants it. Reads give
/// up after ten seconds. One thread.
class Client {
public:
    explicit Client(std::uint16_t port, int receive_buffer_bytes = 0);
    /// Over a Unix-domain socket.
    explicit Client(const std::string& path);
    virtual ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// False when the server has closed.
    bool send(std::string_view bytes);
    void end_sending();
    /// Resets the connection.
    void reset();

    ClientResponse get(std::string_view target, std::string_view extra_headers = {});
    /// `to_head`: the response has a length but no body.
    ClientResponse response(bool to_head = false);
    /// Everything until the server closes.
    std::string rest();
    bool ended();

    /// The WebSocket handshake.
    ClientResponse upgrade(std::string_view target = "/", std::string_view extra_headers = {});
    bool send_frame(int opcode, std::string_view payload, bool fin = true, bool masked = true);
    ClientFrame frame();

protected:
    /// What the peer speaks through: as recv and send.
    virtual ssize_t read_some(char* to, std::size_t size);
    virtual ssize_t write_some(const char* from, std::size_t size);
    int fd_ = -1;

private:
    bool fill();
    bool fill_to(std::size_t bytes);

    std::string input_;
};

std::string upgrade_request(std::string_view target = "/", std::string_view extra_headers = {});
std::string client_frame(int opcode, std::string_view payload, bool fin = true, bool masked = true);

}  // namespace moonwire::test
