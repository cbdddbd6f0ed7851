#include "core/engineio/engine_session.hpp"

#include <array>

#include "core/base/ids.hpp"
#include "core/base/incidents.hpp"
#include "core/engineio/engine.hpp"
#include "core/engineio/jsonp.hpp"

namespace moonwire::engineio {
namespace {

constexpr std::uint16_t kNormalClosure = 1000;
/// Packets without a message that a client may send: heartbeats and what is passed over. One that
/// sends more is read slowly.
const Rate kOthers(20, 1);
constexpr std::chrono::seconds kStrayPollGrace{2};
/// What the last poll of an ended session is told: by us, or that we heard it from the client.
constexpr PacketType kClosing[] = {PacketType::noop, PacketType::close};
constexpr PacketType kClosed[] = {PacketType::noop};

/// The packets that never change, framed once.
const Frame& control_frame(PacketType type) {
    static const std::array<Frame, 7> frames = [] {
        std::array<Frame, 7> made;
        for (std::size_t i = 0; i < made.size(); ++i) {
            const char digit = static_cast<char>('0' + i);
            made[i] = Frame::text({std::string_view(&digit, 1)});
        }
        return made;
    }();
    return frames[static_cast<std::size_t>(static_cast<char>(type) - '0')];
}

}  // namespace

EngineSession::EngineSession(Engine& engine, Reactor& reactor,
                             std::shared_ptr<const Handshake> handshake, Dialect dialect,
                             std::shared_ptr<WebSocketCarrier> carrier)
    : engine_(engine),
      reactor_(reactor),
      id_(make_id(static_cast<unsigned char>(reactor.index()))),
      handshake_(std::move(handshake)),
      polling_(engine.options(), dialect, engine.stats_of(reactor).polling_queued_bytes),
      websocket_(std::move(carrier)),
      kind_(websocket_ ? TransportKind::websocket : TransportKind::polling) {}

EngineSession::~EngineSession() = default;

std::optional<Duration> EngineSession::latency() const {
    const std::int64_t ns = latency_ns_.load(std::memory_order_relaxed);
    if (ns < 0) return std::nullopt;
    return std::chrono::nanoseconds(ns);
}

void EngineSession::start() {
    const EngineOptions& options = engine_.options();
    const bool upgradable = !websocket_ && options.websocket;
    const std::string limit =  // protocol 3 knows none
        handshake_->protocol == 3 ? ""
                                  : ",\"maxPayload\":" + std::to_string(options.max_payload_bytes);
    queue(Frame::text({"0{\"sid\":\"", id_, "\",\"upgrades\":[", upgradable ? "\"websocket\"" : "",
                       "],\"pingInterval\":", std::to_string(options.ping_interval.count()),
                       ",\"pingTimeout\":", std::to_string(options.ping_timeout.count()), limit,
                       "}"}),
          {});
    if (client_pings()) expect_ping();
    else schedule_ping();
}

void EngineSession::send(const Frame& frame, SendOptions options) {
    if (state_ != State::open) return;
    if (options.is_volatile && !(websocket_ ? websocket_->writable() : polling_.has_poll()))
        return engine_.stats_of(reactor_).volatile_dropped.add();
    queue(frame, options);
}

void EngineSession::queue(const Frame& frame, SendOptions options) {
    engine_.stats_of(reactor_).packets_out.add();
    if (websocket_) {
        websocket_->send(frame,
                         options.immediate  ? transport::Flush::now
                         : options.coalesce ? transport::Flush::window
                                            : transport::Flush::turn,
                         options.compress);
        return;
    }
    if (polling_.empty()) queued_since_ = reactor_.now();
    polling_.send(frame, options.compress);
    if (polling_.queued_bytes() > engine_.options().send_queue_bytes)
        return cut_slow_consumer(IncidentKind::send_queue_bytes);
    watch_backlog();
    flush_polling_at_turn_end();
}

void EngineSession::watch_backlog() {
    const Duration limit = engine_.options().send_queue_age;
    if (limit == Duration::zero() || backlog_timer_) return;
    const Duration left = queued_since_ + limit - reactor_.now();
    backlog_timer_ = reactor_.after(left, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->backlog_timer_ = {};
        if (self->state_ != State::open || self->polling_.empty()) return;
        const Duration age = self->reactor_.now() - self->queued_since_;
        if (age < self->engine_.options().send_queue_age) return self->watch_backlog();
        self->cut_slow_consumer(IncidentKind::send_queue_ms);
    });
}

void EngineSession::cut_slow_consumer(IncidentKind limit) {
    report_client(limit, "polling");
    polling_.take_queue();
    close(CloseReason::transport_error);
}

void EngineSession::report_client(IncidentKind kind, std::string_view detail) const {
    report({.kind = kind, .address = handshake_->address, .detail = detail});
}

void EngineSession::flush_polling_at_turn_end() {
    if (flush_scheduled_ || !polling_.has_poll()) return;
    flush_scheduled_ = true;
    reactor_.at_turn_end([self = shared_from_this()] {
        self->flush_scheduled_ = false;
        if (self->state_ == State::open && !self->polling_.empty()) self->polling_.answer();
    });
}

void EngineSession::send_control(PacketType type) { queue(control_frame(type), {}); }

void EngineSession::slow_down() {
    if (websocket_) websocket_->slow_down();
    else slowed_ = true;
}

void EngineSession::close(CloseReason reason) {
    if (state_ != State::open) return;
    drop_probe();
    reactor_.cancel(heartbeat_);
    if (websocket_) {
        std::exchange(websocket_, nullptr)->close(kNormalClosure);
        leave_table();
    } else if (reason != CloseReason::forced_close || (polling_.has_poll() && polling_.empty())) {
        answer_poll_with(PacketType::close);
        leave_table();
    } else {
        // The close travels alone, in the poll after the last packets: clients act on it before
        // they hand on what came with it.
        polling_.answer();
        farewell_ = kClosing;
        linger(engine_.options().close_linger);
    }
    reactor_.post([handler = std::exchange(handler_, nullptr), reason] {
        if (handler) handler->on_close(reason);
    });
}

void EngineSession::answer_poll_with(PacketType last) {
    polling_.send(control_frame(last));
    polling_.answer();
}

void EngineSession::end(CloseReason reason) {
    if (state_ == State::ended) return;
    drop_probe();
    reactor_.cancel(heartbeat_);
    if (websocket_) std::exchange(websocket_, nullptr)->close(kNormalClosure);
    else answer_poll_with(PacketType::close);
    const auto self = shared_from_this();
    leave_table();
    if (const auto handler = std::exchange(handler_, nullptr)) handler->on_close(reason);
}

void EngineSession::end_by_client_close() {
    drop_probe();
    polling_.take_queue();
    if (polling_.has_poll()) {
        answer_poll_with(PacketType::noop);
        return end(CloseReason::transport_close);
    }
    // The client's last poll, sent beside the POST on another connection, may still be coming in.
    farewell_ = kClosed;
    linger(kStrayPollGrace);
    if (const auto handler = std::exchange(handler_, nullptr))
        handler->on_close(CloseReason::transport_close);
}

void EngineSession::linger(Duration time) {
    state_ = State::lingering;
    reactor_.cancel(heartbeat_);
    heartbeat_ = reactor_.after(time, [self = shared_from_this()] { self->leave_table(); });
}

void EngineSession::leave_table() {
    state_ = State::ended;
    polling_.take_queue();
    engine_.forget(*this);
}

void EngineSession::on_poll(std::shared_ptr<transport::HttpExchange> exchange) {
    if (transport() != TransportKind::polling)
        return engine_.refuse(*exchange, RefusalReason::malformed);
    if (polling_.has_poll()) {
        transport::HttpResponse response = polling_response(
            exchange->request(), engine_.options().cors, "text/plain; charset=UTF-8", "");
        response.status = 400;
        exchange->respond(std::move(response));
        return end(CloseReason::transport_error);
    }
    exchange->on_abort([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->end(CloseReason::transport_error);
    });
    polling_.poll(std::move(exchange));
    if (state_ == State::lingering) {
        if (!polling_.empty()) return polling_.answer();
        reactor_.cancel(heartbeat_);
        for (const PacketType type : farewell_) polling_.send(control_frame(type));
        polling_.answer();
        return leave_table();
    }
    if (probed_ && polling_.empty()) polling_.send(control_frame(PacketType::noop));
    if (!polling_.empty()) flush_polling_at_turn_end();
}

void EngineSession::on_post(const std::shared_ptr<transport::HttpExchange>& exchange) {
    if (transport() != TransportKind::polling)
        return engine_.refuse(*exchange, RefusalReason::malformed);
    const auto self = shared_from_this();
    if (post_held_) {
        engine_.refuse(*exchange, RefusalReason::malformed);
        return end(CloseReason::transport_error);
    }
    slowed_ = false;
    const transport::HttpRequest& request = exchange->request();
    const bool is_form = jsonp::index_of(request).has_value();
    const std::optional<std::string> form =
        is_form ? jsonp::payload_of(request.body) : std::nullopt;
    const bool binary = request.header("content-type") == "application/octet-stream";
    const auto on_each = [this](const Packet& packet) {
        if (packet.type == PacketType::close) end_by_client_close();
        else on_packet(packet);
        return state_ == State::open;
    };
    // A form without a payload is passed over, as in the reference.
    const bool understood = is_form
                                ? !form || polling_.dialect().decode_payload(*form, false, on_each)
                                : polling_.dialect().decode_payload(request.body, binary, on_each);
    if (!understood) {
        report_client(IncidentKind::protocol, "a malformed payload");
        engine_.refuse(*exchange, RefusalReason::malformed);
        return end(CloseReason::parse_error);
    }
    accept_post(exchange);
}

void EngineSession::accept_post(const std::shared_ptr<transport::HttpExchange>& exchange) {
    const auto accept = [exchange, this] {
        exchange->respond(
            polling_response(exchange->request(), engine_.options().cors, "text/html", "ok"));
    };
    if (!slowed_ || state_ != State::open) return accept();
    post_held_ = true;
    const auto pieces = static_cast<int>(exchange->request().body.size() / transport::kSlowedBytes);
    reactor_.after(transport::kSlowedPause * (pieces + 1), [accept, self = shared_from_this()] {
        self->post_held_ = false;
        accept();
    });
}

void EngineSession::on_packet(const Packet& packet) {
    engine_.stats_of(reactor_).packets_in.add();
    const bool message = packet.type == PacketType::message;
    if (!message || others_over_) {
        others_over_ = !others_.take(kOthers, reactor_.now(), message ? 0 : 1);
        if (others_over_) slow_down();
    }
    switch (packet.type) {
        case PacketType::message:
            if (const auto handler = handler_) handler->on_message(packet.data, packet.binary);
            return;
        case PacketType::pong:
            if (client_pings()) return end(CloseReason::transport_error);
            if (pinged_at_ == TimePoint{}) return;  // unasked for
            latency_ns_.store(
                std::chrono::duration_cast<std::chrono::nanoseconds>(reactor_.now() - pinged_at_)
                    .count(),
                std::memory_order_relaxed);
            pinged_at_ = {};
            reactor_.cancel(heartbeat_);
            return schedule_ping();
        case PacketType::ping:
            if (!client_pings()) return end(CloseReason::transport_error);
            expect_ping();
            return send_control(PacketType::pong);
        case PacketType::close: return end(CloseReason::transport_close);
        case PacketType::open:
        case PacketType::upgrade:
        case PacketType::noop: return;
    }
}

bool EngineSession::offer(std::shared_ptr<WebSocketCarrier> carrier) {
    if (state_ != State::open || websocket_ || probe_) return false;
    probe_ = std::move(carrier);
    upgrade_timer_ = reactor_.after(engine_.options().upgrade_timeout,
                                    [self = shared_from_this()] { self->drop_probe(); });
    return true;
}

void EngineSession::on_frame(WebSocketCarrier& carrier, std::string_view payload, bool binary) {
    if (state_ != State::open) return;
    std::string bytes;
    const std::optional<Packet> packet = carrier.dialect().decode_frame(payload, binary, bytes);
    if (&carrier == probe_.get()) return packet ? on_probe_packet(*packet) : drop_probe();
    if (packet) return on_packet(*packet);
    report_client(IncidentKind::protocol, "a malformed packet");
    end(CloseReason::parse_error);
}

void EngineSession::on_probe_packet(const Packet& packet) {
    if (!others_.take(kOthers, reactor_.now())) return drop_probe();
    if (packet.type == PacketType::ping && packet.data == "probe") {
        static const Frame kPongProbe = Frame::text({"3probe"});
        probe_->send(kPongProbe, transport::Flush::turn);
        probed_ = true;
        if (polling_.has_poll() && polling_.empty()) send_control(PacketType::noop);
    } else if (packet.type == PacketType::upgrade && probed_) {
        complete_upgrade();
    } else {
        drop_probe();
    }
}

void EngineSession::complete_upgrade() {
    reactor_.cancel(upgrade_timer_);
    if (polling_.has_poll()) {
        if (polling_.empty()) polling_.send(control_frame(PacketType::noop));
        polling_.answer();
    }
    websocket_ = std::exchange(probe_, nullptr);
    probed_ = false;
    kind_ = TransportKind::websocket;
    EngineStats& stats = engine_.stats_of(reactor_);
    stats.upgrades.add();
    stats.polling.subtract();
    stats.websocket.add();
    for (const Frame& frame : polling_.take_queue())
        websocket_->send(frame, transport::Flush::turn);
    if (const auto handler = handler_) handler->on_upgrade();
}

void EngineSession::drop_probe() {
    reactor_.cancel(upgrade_timer_);
    probed_ = false;
    if (probe_) std::exchange(probe_, nullptr)->close(kNormalClosure);
}

void EngineSession::on_carrier_end(WebSocketCarrier& carrier, transport::WebSocketEnd end_reason) {
    if (&carrier == probe_.get()) return drop_probe();
    if (&carrier != websocket_.get()) return;
    websocket_.reset();
    using transport::WebSocketEnd;
    if (end_reason == WebSocketEnd::too_large)
        report_client(IncidentKind::max_payload_bytes, "websocket");
    if (end_reason == WebSocketEnd::overflow)
        report_client(IncidentKind::send_queue_bytes, "websocket");
    if (end_reason == WebSocketEnd::stale) report_client(IncidentKind::send_queue_ms, "websocket");
    end(end_reason == transport::WebSocketEnd::closed ? CloseReason::transport_close
                                                      : CloseReason::transport_error);
}

void EngineSession::schedule_ping() {
    heartbeat_ = reactor_.after(engine_.options().ping_interval,
                                [self = shared_from_this()] { self->on_ping_due(); });
}

void EngineSession::expect_ping() {
    const EngineOptions& options = engine_.options();
    reactor_.cancel(heartbeat_);
    heartbeat_ =
        reactor_.after(options.ping_interval + options.ping_timeout,
                       [self = shared_from_this()] { self->end(CloseReason::ping_timeout); });
}

void EngineSession::on_ping_due() {
    pinged_at_ = reactor_.now();
    heartbeat_ = reactor_.after(engine_.options().ping_timeout, [self = shared_from_this()] {
        self->end(CloseReason::ping_timeout);
    });
    send_control(PacketType::ping);
}

}  // namespace moonwire::engineio
