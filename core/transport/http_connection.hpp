#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/transport/connection.hpp"
#include "core/transport/http_message.hpp"

namespace moonwire::transport {

class Exchange;

/// An HTTP/1.1 connection: reads requests one after another, hands each to the handler on the
/// reactor that must serve it, and writes its response before it looks at the next.
///
/// Lives on one reactor at a time: a request for another reactor takes the connection there, as a
/// new object. Bad or late input is answered (400, 408, 413, 431, 505) and the connection closed.
class HttpConnection final : public Connection {
public:
    /// Starts on an accepted connection, on the worker's reactor. `refused`: its first request is
    /// answered 503.
    static void start(Worker& worker, Link link, bool refused);

    HttpConnection(Worker& worker, Link link);

    Worker& worker() { return worker_; }
    void end_now() override;

private:
    friend class Exchange;
    enum class Phase : std::uint8_t {
        idle,  // between requests
        head,  // a request has begun
        body,
        pending,  // the handler has it
        writing,  // its response is on the way
        closed,
    };
    /// A connection between two reactors, with the request that took it there.
    struct Parcel;
    static void arrive(Worker& worker, Parcel parcel);

    void on_readable() override;
    void on_deadline() override;
    void on_queue_sent() override;
    void on_queue_failed(SendQueue::Failure failure) override;

    void on_ended();
    void parse();
    void on_more_needed();
    void on_parsed();
    void reject(unsigned status);
    void report_too_large();
    void move_to(Worker& target, HttpRequest request);
    void deliver(std::shared_ptr<Exchange> exchange);
    void wait_for_input();
    void answer(const HttpResponse& response);
    /// For Exchange, which has checked that this is still its request.
    void upgrade(const HttpRequest& request, std::shared_ptr<WebSocketHandler> handler,
                 const Headers& headers);
    void drop();
    void abandon();

    std::unique_ptr<RequestParser> parser_;  // only while a request is being read
    std::string input_;                      // read, not yet parsed
    std::weak_ptr<Exchange> exchange_;
    Phase phase_ = Phase::idle;
    bool head_request_ = false;
    bool keep_alive_ = true;
    bool http_1_0_ = false;
    bool refused_ = false;
    bool input_ended_ = false;  // the peer has ended its direction
};

}  // namespace moonwire::transport
