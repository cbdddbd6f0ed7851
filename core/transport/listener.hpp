#pragma once

#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "core/transport/worker.hpp"

namespace moonwire::transport {

/// The listening socket. Accepts on reactor 0, each connection straight onto the reactor whose turn
/// it is. Out of descriptors it pauses and tries again. Beyond `max_connections` a few more are
/// answered 503, the rest closed at once.
class Listener : public std::enable_shared_from_this<Listener> {
public:
    explicit Listener(const std::vector<std::unique_ptr<Worker>>& workers);

    /// Binds; the port, or why not. Any thread, once.
    Result<std::uint16_t> open();
    /// The rest is called on reactor 0, or while no reactor runs.
    void start() { accept(); }
    void close();

private:
    using Tcp = boost::asio::ip::tcp;

    void accept();
    void on_accepted(boost::system::error_code error, Socket socket, Worker& worker);

    const std::vector<std::unique_ptr<Worker>>& workers_;
    Worker& home_;
    boost::asio::basic_socket_acceptor<Tcp, Executor> acceptor_;
    Tcp::endpoint peer_;
    std::size_t next_ = 0;
    std::shared_ptr<std::atomic<std::size_t>> open_connections_;
    bool troubled_ = false;  // the last accept failed, and that was logged
};

}  // namespace moonwire::transport
