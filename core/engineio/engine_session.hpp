#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/base/incident.hpp"
#include "core/base/shared_counts.hpp"
#include "core/base/token_bucket.hpp"
#include "core/engineio/packet.hpp"
#include "core/engineio/polling_carrier.hpp"
#include "core/engineio/session.hpp"
#include "core/engineio/websocket_carrier.hpp"

namespace moonwire::engineio {

class Engine;

/// The session behind the interface: its life, its heartbeat, and which transport carries it.
///
/// Owned by its reactor's table in Engine from `open` until it has ended and told its client.
class EngineSession final : public Session, public std::enable_shared_from_this<EngineSession> {
public:
    /// `dialect` is polling's; `carrier` for a WebSocket session, none for polling.
    EngineSession(Engine& engine, Reactor& reactor, std::shared_ptr<const Handshake> handshake,
                  Dialect dialect, std::shared_ptr<WebSocketCarrier> carrier);
    ~EngineSession() override;

    /// Sends the handshake packet and starts the heartbeat.
    void start();
    /// For the answer to a polling handshake.
    void set_first_headers(transport::Headers headers) {
        polling_.set_first_headers(std::move(headers));
    }
    /// Under its address's limit.
    void set_place(SharedCounts::Place place) { place_ = std::move(place); }
    void set_handler(std::shared_ptr<SessionHandler> handler) { handler_ = std::move(handler); }

    const std::string& id() const override { return id_; }
    std::shared_ptr<const Handshake> handshake() const override { return handshake_; }
    Reactor& reactor() override { return reactor_; }
    TransportKind transport() const override { return kind_.load(std::memory_order_relaxed); }
    std::optional<Duration> latency() const override;
    void send(const Frame& frame, SendOptions options) override;
    void slow_down() override;
    void close(CloseReason reason) override;

    /// HTTP requests that name this session.
    void on_poll(std::shared_ptr<transport::HttpExchange> exchange);
    void on_post(const std::shared_ptr<transport::HttpExchange>& exchange);

    /// A WebSocket that would take over; false if there is one already.
    bool offer(std::shared_ptr<WebSocketCarrier> carrier);
    /// The caller holds the session meanwhile.
    void on_frame(WebSocketCarrier& carrier, std::string_view payload, bool binary);
    void on_carrier_end(WebSocketCarrier& carrier, transport::WebSocketEnd end);

private:
    enum class State : std::uint8_t {
        open,
        lingering,  // ended for the layer above; a polling client is still to be told
        ended,
    };

    /// Says that it was taken: later, if it held more than the client may send, and what comes on
    /// another connection before that ends the session.
    void accept_post(const std::shared_ptr<transport::HttpExchange>& exchange);
    void on_packet(const Packet& packet);
    void on_probe_packet(const Packet& packet);
    void complete_upgrade();
    void drop_probe();
    void send_control(PacketType type);
    void queue(const Frame& frame, SendOptions options);
    /// Cuts a polling client for which something has been queued for too long.
    void watch_backlog();
    void cut_slow_consumer(IncidentKind limit);
    void report_client(IncidentKind kind, std::string_view detail = {}) const;
    void flush_polling_at_turn_end();
    /// Answers the pending GET with what is queued and this packet.
    void answer_poll_with(PacketType last);
    /// The heartbeat: in protocol 4 we ping and wait for the pong, in 3 we wait for the pings.
    void schedule_ping();
    void on_ping_due();
    void expect_ping();
    bool client_pings() const noexcept { return handshake_->protocol == 3; }
    /// Ends the session by what the peer or the clock did; called from the loop.
    void end(CloseReason reason);
    void end_by_client_close();
    /// Ended, but listed until the next poll has been answered with `farewell_`, or for this long.
    void linger(Duration time);
    void leave_table();

    Engine& engine_;
    Reactor& reactor_;
    const std::string id_;
    const std::shared_ptr<const Handshake> handshake_;
    std::shared_ptr<SessionHandler> handler_;
    PollingCarrier polling_;
    std::shared_ptr<WebSocketCarrier> websocket_;
    std::shared_ptr<WebSocketCarrier> probe_;  // between its opening and `5`
    std::atomic<TransportKind> kind_;
    std::atomic<std::int64_t> latency_ns_{-1};
    State state_ = State::open;
    std::span<const PacketType> farewell_;
    TokenBucket others_;        // what is left of the packets without a message that it may send
    bool others_over_ = false;  // it sent more
    bool flush_scheduled_ = false;
    bool slowed_ = false;     // the POST in hand held more than the client may send
    bool post_held_ = false;  // its answer waits
    bool probed_ = false;     // `2probe` came: polls are answered to let the client switch
    TimerId heartbeat_;       // to the next ping, or to the pong's deadline; then the linger
    TimerId upgrade_timer_;
    TimerId backlog_timer_;     // only while something is queued for polling, and its age limited
    TimePoint queued_since_{};  // by the oldest of it
    SharedCounts::Place place_;
    TimePoint pinged_at_{};
};

}  // namespace moonwire::engineio
