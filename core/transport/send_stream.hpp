#pragma once

#include <algorithm>
#include <boost/asio/associator.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
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

/// The AsyncStream that Beast's WebSocket runs on: it reads the socket, but what it writes
/// (handshake, pongs, close frames) is copied to the send queue, among the frames that bypass
/// Beast, and completes without waiting. Lives inside a WebSocketConnection, on its reactor.
class SendStream {
public:
    using executor_type = Executor;

    /// `input`: bytes that were read before the upgrade and come first.
    SendStream(Socket& socket, SendQueue& queue, Counter& bytes_in, std::string input)
        : socket_(socket), queue_(queue), bytes_in_(bytes_in), input_(std::move(input)) {}

    executor_type get_executor() noexcept { return socket_.get_executor(); }

    template <typename Buffers, typename Handler>
    auto async_read_some(const Buffers& buffers, Handler&& handler) {
        return boost::asio::async_initiate<Handler, void(boost::system::error_code, std::size_t)>(
            [this](auto&& handler, const Buffers& buffers) {
                using H = std::decay_t<decltype(handler)>;
                if (input_.empty()) {
                    socket_.async_read_some(
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
        stream.socket_.close(ignored);
    }

private:
    void enqueue(SharedBytes bytes);

    template <typename Handler>
    void complete(Handler&& handler, std::size_t bytes) {
        boost::asio::post(get_executor(),
                          boost::beast::bind_front_handler(std::forward<Handler>(handler),
                                                           boost::system::error_code(), bytes));
    }

    Socket& socket_;
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
