#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/function.hpp"
#include "core/client/outbox.hpp"
#include "core/client/session.hpp"

namespace moonwire::client {

struct LinkOptions {
    Session::Options session{};
    std::optional<unsigned> attempts = 10;  // to come back, in a row; none: for ever
    Duration delay = std::chrono::seconds(1), delay_max = std::chrono::seconds(30);
    double jitter = 0.5;  // of a delay, more or less
    Outbox::Limits queue{};
};

enum class LinkState : std::uint8_t {
    connecting,  // for the first time, or since `reconnect`
    connected,
    disconnected,  // the connection was lost or not found, or the server put this client out
    refused,       // by the namespace
    gave_up,       // after so many attempts
    closed,
};
std::string_view name_of(LinkState state);

/// How a link fares. `attempts` counts those since the last connection.
struct LinkStatus {
    LinkState state = LinkState::connecting;
    double uptime_seconds = 0;  // of this connection
    double uptime_percent = 0;  // of the time since the first one
    unsigned attempts = 0;
    std::uint64_t reconnections = 0, queued = 0, sent = 0, received = 0;
    std::uint64_t dropped = 0;  // at the queue's limit
    std::uint64_t failed = 0;   // calls without an answer
    std::string last_error{};
};

/// What a call came to: an answer, or why there is none ("timeout", "disconnected", "queue full",
/// "closed").
struct LinkAnswer {
    std::string error{};
    OutgoingEvent values{};  // an array
};
using LinkAnswered = std::function<void(LinkAnswer)>;

/// Whom a link tells, on its reactor; outlives it.
class LinkListener {
public:
    virtual ~LinkListener() = default;
    virtual void on_state(LinkState state, const std::string& detail) = 0;
    /// `acknowledge` is null unless the server asked; from any thread, once, now or later.
    virtual void on_event(std::string name, OutgoingEvent arguments,
                          std::function<void(OutgoingEvent)> acknowledge) = 0;
    /// Closed, and nothing follows.
    virtual void on_closed() = 0;
};

/// A connection to a namespace that is wanted for long: comes back, with growing pauses, when it is
/// lost, and keeps what is to be sent meanwhile. As the official client, it leaves it at that when
/// the server refuses it or puts it out, until `reconnect`.
///
/// An event that was handed to a connection and lost with it is not sent again: who must know
/// calls. Several ways to connect are tried in order, each time from the first on.
///
/// Lives on its reactor, but for what says otherwise; owned by whoever made it, until on_closed,
/// and by its session.
class Link final : public SessionListener, public std::enable_shared_from_this<Link> {
public:
    Link(Reactor& reactor, LinkOptions options, std::vector<Connect> ways, LinkListener& listener);
    ~Link() override;

    /// Once, first.
    void start();
    /// Connects anew, at once, with all attempts left.
    void reconnect();
    /// Sends what there is to send, for some seconds at most and only if it is connected, leaves
    /// and ends. What is queued beyond that is lost, and told.
    void close();
    LinkStatus status() const;

    // Any thread. In order of a thread's calls.
    /// False if the queue is full.
    bool emit(OutgoingEvent event);
    /// `answered` is called once, on the reactor.
    void call(OutgoingEvent event, Duration timeout, LinkAnswered answered);

private:
    // SessionListener
    void on_connected(std::string_view socket_id) override;
    void on_event(std::string_view name, const Incoming& incoming) override;
    void on_acknowledged(const Incoming& incoming) override;
    void on_settled() override;
    void on_drained() override;
    void on_end(SessionEnd end) override;

    void connect();
    /// Sends what is queued as far as the connection has room.
    void pump();
    void wake();
    void retry();
    void enter(LinkState state, const std::string& detail);
    void acknowledge(unsigned session, socketio::AckId id, const OutgoingEvent& arguments);
    void expire(const std::shared_ptr<LinkCall>& call);
    void finish_call(const std::shared_ptr<LinkCall>& call, LinkAnswer answer);
    void drop(std::vector<OutboxEntry> entries);
    void finish();
    Duration pause();

    Reactor& reactor_;
    const LinkOptions options_;
    const std::vector<Connect> ways_;
    LinkListener& listener_;
    Outbox outbox_;
    std::atomic<bool> woken_{false};
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<std::size_t> calls_{0};  // unanswered

    LinkState state_ = LinkState::connecting;
    std::shared_ptr<Session> session_;  // null between two
    std::shared_ptr<Link> self_;        // while there is a session
    unsigned session_number_ = 0;
    bool again_ = false;  // connect when this session has ended
    bool closing_ = false;
    std::size_t way_ = 0;
    socketio::AckId next_id_ = 0;
    std::unordered_map<socketio::AckId, std::shared_ptr<LinkCall>> awaiting_;
    TimerId pause_, flush_;
    LinkStatus figures_;  // what is not computed
    std::optional<TimePoint> first_connected_, connected_since_;
    Duration connected_before_{};
    std::minstd_rand random_{std::random_device{}()};
};

}  // namespace moonwire::client
