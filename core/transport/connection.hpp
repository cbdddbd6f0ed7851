#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/transport/send_queue.hpp"
#include "core/transport/worker.hpp"

namespace moonwire::transport {

/// What every open connection has, whatever it speaks: the socket, its send queue, one deadline
/// and an orderly end.
///
/// Lives on one worker's reactor, whose set keeps it alive while it is open. Reading waits for the
/// kernel without a buffer, so an idle connection holds none. Errors end the connection; they
/// reach the derived class through its hooks and are never thrown.
class Connection : public std::enable_shared_from_this<Connection>,
                   public SendQueue::Owner,
                   private Pollable {
public:
    virtual ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// The server stops: close at once and tell the layer above.
    virtual void end_now() = 0;

protected:
    Connection(Worker& worker, Link link, std::size_t send_limit_bytes);

    /// Puts it into the worker's set and poller. Once, after construction.
    void enter();
    /// Leaves both with the socket; what comes next lives with the link.
    Link leave();
    bool open() const noexcept { return open_; }

    /// One wait at a time; `on_readable` follows, or `on_deadline`.
    void wait_readable();
    struct Received {
        std::span<char> bytes;  // in the worker's scratch, until the next read; may be none
        bool ended = false;     // the peer sends no more
        bool reset = false;     // and takes no more either
    };
    /// Reads what has come, at most `limit` bytes.
    Received receive(std::size_t limit);

    void set_deadline(Duration from_now);
    void clear_deadline();

    /// Closes the socket and leaves the set. Idempotent; no hook is called any more.
    void close_socket();
    /// Sends what is queued, ends our direction, then discards what still comes until the peer
    /// closes or `close_timeout`: closing with unread input would reset the connection and could
    /// take the last answer with it.
    void linger();

    virtual void on_readable() = 0;
    virtual void on_deadline() = 0;
    virtual void on_queue_sent() = 0;
    virtual void on_queue_failed(SendQueue::Failure failure) = 0;

    template <typename Derived>
    std::shared_ptr<Derived> self() {
        return std::static_pointer_cast<Derived>(shared_from_this());
    }

    Worker& worker_;
    Link link_;
    SendQueue queue_;

private:
    friend class ConnectionSet;

    void on_ready(std::uint32_t events) final;
    void on_blocked() final { watch_writable(); }
    void on_sent() final;
    void on_send_failed(SendQueue::Failure failure) final;
    std::shared_ptr<void> hold() final { return shared_from_this(); }

    void on_readable_or_over();
    void enter_poller();
    /// Most connections never wait for it, and would be told at once that they may write.
    void watch_writable();
    void leave_poller();
    Received receive_plain(std::size_t limit);
    Received receive_tls(std::size_t limit);
    void arm_deadline();
    void end_sending();
    void discard();

    std::size_t set_index_ = 0;
    bool in_poller_ = false;
    bool watches_writable_ = false;
    TimePoint deadline_ = TimePoint::max();
    TimePoint armed_for_ = TimePoint::max();
    TimerId timer_;
    bool open_ = false;
    bool reading_ = false;   // who is derived wants to hear of input
    bool readable_ = false;  // the poller has told of some that no read has found the end of
    bool over_ = false;      // and of the peer's end, or of an error, which is told once
    bool lingering_ = false;
    bool read_needs_write_ = false;  // TLS: the next read makes no progress before a write can
};

}  // namespace moonwire::transport
