#pragma once

#include <algorithm>
#include <boost/asio/associator.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/role.hpp>
#include <cstddef>
#include <string>
#include <utility>

#include "core/transport/send_queue.hpp"

namespace moonwire::transport {

/// Passes a read's completion on, counting its bytes; whatever else a handler is associated with
/// (executor, allocator, cancellation) is the wrapped handler's.
template <typename Handler>
struct CountedRead {
    Handler handler;
    Counter* bytes_in;
    void operator()(boost::system::error_code error, std::size_t bytes) {
        bytes_in->add(bytes);
        std::move(handler)(error, bytes);
    }
};

/// One read of a TLS channel, as an asynchronous operation: waits for the kernel, without a buffer,
/// until there is something to decrypt.
struct TlsRead {
    Link& link;
    Counter& bytes_in;
    boost::asio::mutable_buffer buffer;
    bool waited = false;

    template <typename Self>
    void operator()(Self& self, boost::system::error_code error = {}) {
        // A socket that was closed meanwhile may have left its descriptor to another connection.
        if (!error && !link.socket.is_open()) error = boost::asio::error::operation_aborted;
        if (error) return self.complete(error, 0);
        if (!std::exchange(waited, true)) {
            if (link.tls->ready()) boost::asio::post(link.socket.get_executor(), std::move(self));
            else link.socket.async_wait(Socket::wait_read, std::move(self));
            return;
        }
        const auto read = link.tls->read(static_cast<char*>(buffer.data()), buffer.size());
        bytes_in.add(read.bytes);
        using Status = TlsChannel::Status;
        switch (read.status) {
            case Status::done: return self.complete({}, read.bytes);
            case Status::wait_read:
                return link.socket.async_wait(Socket::wait_read, std::move(self));
            case Status::wait_write:
                return link.socket.async_wait(Socket::wait_write, std::move(self));
            case Status::ended: return self.complete(boost::asio::error::eof, 0);
            case Status::failed: return self.complete(boost::asio::error::connection_reset, 0);
        }
    }
};

/// The AsyncStream that Beast's WebSocket runs on: it reads the link, but what it writes
/// (handshake, pongs, close frames) is copied to the send queue, among the frames that bypass
/// Beast, and completes without waiting. Lives inside a WebSocketConnection, on its reactor.
class SendStream {
public:
    using executor_type = Executor;

    /// `input`: bytes that were read before the upgrade and come first.
    SendStream(Link& link, SendQueue& queue, Counter& bytes_in, std::string input)
        : link_(link), queue_(queue), bytes_in_(bytes_in), input_(std::move(input)) {}

    executor_type get_executor() noexcept { return link_.socket.get_executor(); }

    template <typename Buffers, typename Handler>
    auto async_read_some(const Buffers& buffers, Handler&& handler) {
        return boost::asio::async_initiate<Handler, void(boost::system::error_code, std::size_t)>(
            [this](auto&& handler, const Buffers& buffers) {
                using H = std::decay_t<decltype(handler)>;
                if (input_.empty() && link_.tls) {
                    boost::asio::async_compose<H, void(boost::system::error_code, std::size_t)>(
                        TlsRead{link_, bytes_in_, first_of(buffers)}, handler, link_.socket);
                    return;
                }
                if (input_.empty()) {
                    link_.socket.async_read_some(
                        buffers,
                        CountedRead<H>{std::forward<decltype(handler)>(handler), &bytes_in_});
                    return;
                }
                const std::size_t copied =
                    boost::asio::buffer_copy(buffers, boost::asio::buffer(input_));
                input_.erase(0, copied);
                if (input_.empty()) input_ = std::string();
                complete(std::forward<decltype(handler)>(handler), copied);
            },
            handler, buffers);
    }

    template <typename Buffers, typename Handler>
    auto async_write_some(const Buffers& buffers, Handler&& handler) {
        return boost::asio::async_initiate<Handler, void(boost::system::error_code, std::size_t)>(
            [this](auto&& handler, const Buffers& buffers) {
                SharedBytes bytes = SharedBytes::allocate(boost::asio::buffer_size(buffers));
                boost::asio::buffer_copy(boost::asio::buffer(bytes.mutable_data(), bytes.size()),
                                         buffers);
                const std::size_t size = bytes.size();
                enqueue(std::move(bytes));
                complete(std::forward<decltype(handler)>(handler), size);
            },
            handler, buffers);
    }

    /// The connection ends the socket itself, once the queue has been written.
    friend void teardown(boost::beast::role_type, SendStream&, boost::system::error_code& error) {
        error = {};
    }
    template <typename Handler>
    friend void async_teardown(boost::beast::role_type, SendStream& stream, Handler&& handler) {
        boost::asio::post(stream.get_executor(),
                          boost::beast::bind_front_handler(std::forward<Handler>(handler),
                                                           boost::system::error_code()));
    }
    friend void beast_close_socket(SendStream& stream) {
        boost::system::error_code ignored;
        stream.link_.socket.close(ignored);
    }

private:
    void enqueue(SharedBytes bytes);

    template <typename Buffers>
    static boost::asio::mutable_buffer first_of(const Buffers& buffers) {
        const auto end = boost::asio::buffer_sequence_end(buffers);
        for (auto i = boost::asio::buffer_sequence_begin(buffers); i != end; ++i)
            if (boost::asio::mutable_buffer buffer = *i; buffer.size() > 0) return buffer;
        return {};
    }

    template <typename Handler>
    void complete(Handler&& handler, std::size_t bytes) {
        boost::asio::post(get_executor(),
                          boost::beast::bind_front_handler(std::forward<Handler>(handler),
                                                           boost::system::error_code(), bytes));
    }

    Link& link_;
    SendQueue& queue_;
    Counter& bytes_in_;
    std::string input_;
    bool in_handshake_ = true;
};

}  // namespace moonwire::transport

template <template <typename, typename> class Associator, typename Handler, typename Default>
struct boost::asio::associator<Associator, moonwire::transport::CountedRead<Handler>, Default>
    : Associator<Handler, Default> {
    static typename Associator<Handler, Default>::type get(
        const moonwire::transport::CountedRead<Handler>& wrapper) noexcept {
        return Associator<Handler, Default>::get(wrapper.handler);
    }
    static auto get(const moonwire::transport::CountedRead<Handler>& wrapper,
                    const Default& fallback) noexcept
        -> decltype(Associator<Handler, Default>::get(wrapper.handler, fallback)) {
        return Associator<Handler, Default>::get(wrapper.handler, fallback);
    }
};
