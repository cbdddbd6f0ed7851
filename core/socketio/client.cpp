#include "core/socketio/client.hpp"

#include <algorithm>

#include "core/base/ids.hpp"
#include "core/base/incidents.hpp"
#include "core/base/json_text.hpp"
#include "core/base/log.hpp"
#include "core/base/url.hpp"
#include "core/socketio/msgpack.hpp"
#include "core/socketio/namespace.hpp"
#include "core/socketio/server.hpp"

namespace moonwire::socketio {
namespace {

constexpr std::string_view kInvalidNamespace = R"({"message":"Invalid namespace"})";
constexpr std::string_view kShuttingDown = R"({"message":"server shutting down"})";
constexpr std::string_view kTooManyNamespaces = R"({"message":"too many namespaces"})";
constexpr std::string_view kRateLimited =
    R"({"code":"rate_limited","message":"too much a second"})";
constexpr std::string_view kBusy =
    R"({"code":"busy","message":"too many events in flight on this socket"})";

/// What a client of protocol 4 says in the query of a namespace, as an object.
std::string auth_of(std::string_view query) {
    std::string json = "{";
    for (const auto& [name, value] : parse_query(query)) {
        if (json.size() > 1) json += ',';
        append_json_string(json, name);
        json += ':';
        append_json_string(json, value);
    }
    return json + '}';
}

std::string error_of(const Refusal& refusal, bool legacy) {
    const std::string message = json_string(refusal.message);
    if (legacy) return refusal.data_json.empty() ? message : refusal.data_json;
    std::string error = "{\"message\":" + message;
    if (!refusal.data_json.empty()) error += ",\"data\":" + refusal.data_json;
    return error + '}';
}

}  // namespace

Client::Client(Server& server, std::shared_ptr<engineio::Session> session)
    : server_(server), session_(std::move(session)) {}

void Client::start() {
    connect_timer_ =
        session_->reactor().after(server_.options().connect_timeout, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self || !self->session_) return;
            log::debug("no namespace joined in time", {{"session", self->session_->id()}});
            self->session_->close();
        });
    if (is_legacy()) on_connect("/", "{}");
}

void Client::send(PacketType type, std::string_view nsp, std::string_view json,
                  engineio::SendOptions options) {
    session_->send(control_frame(server_.options().nsp.format, type, nsp, json), options);
}

void Client::on_message(std::string_view payload, bool binary) {
    if (server_.options().nsp.format == Format::msgpack) {
        if (!binary) return reject("text where a msgpack packet was due");
        return on_msgpack(payload);
    }
    if (binary) {
        if (!partial_) return reject("binary message without a packet");
        partial_->attachments.push_back(SharedBytes::copy(payload));
        if (partial_->attachments.size() < partial_->packet.attachments) return;
        const std::unique_ptr<Partial> whole = std::move(partial_);
        return on_packet(whole->packet, whole->attachments);
    }
    if (partial_) return reject("text packet where an attachment was due");
    const Result<Packet> packet = decode_packet(payload, server_.options().max_attachments);
    if (!packet) return reject(packet.error().message);
    if (packet->attachments == 0) return on_packet(*packet, {});
    partial_ = std::make_unique<Partial>();
    partial_->text = payload;
    partial_->packet = *decode_packet(partial_->text, server_.options().max_attachments);
}

void Client::on_upgrade() {
    for (const SocketPtr& socket : sockets_)
        socket->nsp().reactor().run([socket] { socket->nsp().upgraded(socket); });
}

void Client::on_msgpack(std::string_view message) {
    const auto decoded = decode_msgpack(message, server_.options().max_attachments);
    if (!decoded) return reject(decoded.error().message);
    on_packet((*decoded)->packet, (*decoded)->attachments);
}

void Client::on_packet(const Packet& packet, std::span<const SharedBytes> attachments) {
    const SocketPtr socket = find(packet.nsp);
    if (server_.options().inbound.limited() && !within_rates(socket.get(), packet, attachments))
        return;
    if (packet.type == PacketType::connect) {
        // A client of protocol 4 may ask for the "/" that it was given.
        if (socket && is_legacy() && packet.nsp == "/") return;
        if (socket) return reject("second CONNECT to " + std::string(packet.nsp));
        const bool given = !packet.data.empty();
        return on_connect(packet.nsp, is_legacy() ? auth_of(packet.query)
                                      : given     ? std::string(packet.data)
                                                  : "{}");
    }
    if (!socket) return reject("packet for a namespace that is not connected");
    switch (packet.type) {
        case PacketType::event:
        case PacketType::binary_event:
            return on_event(socket, packet, attachments);
        case PacketType::ack:
        case PacketType::binary_ack:
            return on_ack(socket, packet, attachments);
        default:  // disconnect
            forget(*socket);
            socket->nsp().reactor().run([socket] {
                socket->nsp().disconnected(socket, "client namespace disconnect");
            });
    }
}

void Client::on_connect(std::string_view name, std::string auth) {
    if (server_.shutting_down()) return send(PacketType::connect_error, name, kShuttingDown);
    if (sockets_.size() >= server_.options().max_namespaces) {
        report_client(IncidentKind::namespaces_per_connection, nullptr, name);
        return send(PacketType::connect_error, name, kTooManyNamespaces);
    }
    std::shared_ptr<Namespace> nsp = server_.arrive(name, session_->handshake()->address);
    if (!nsp) return send(PacketType::connect_error, name, kInvalidNamespace);

    // Not the session's id, which lets its holder speak for it; but older clients take it for one.
    std::string id = !is_legacy() ? make_id(static_cast<unsigned char>(session_->reactor().index()))
                     : name == "/" ? session_->id()
                                   : std::string(name) + '#' + session_->id();
    auto socket = std::make_shared<Socket>(std::move(id), nsp, std::string(name), session_);
    socket->client_ = this;
    sockets_.push_back(socket);
    nsp->reactor().run([nsp, socket, auth = std::move(auth), &server = server_] {
        nsp->connect(socket, auth);
        server.arrived(nsp);
    });
}

void Client::on_event(const SocketPtr& socket, const Packet& packet,
                      std::span<const SharedBytes> attachments) {
    if (!socket->open_) return reject("EVENT before CONNECT was answered");
    Result<std::string> name = event_name(packet.data);
    if (!name) return reject(name.error().message);

    if (socket->in_flight_.fetch_add(1, std::memory_order_relaxed) >=
        server_.options().max_events_in_flight) {
        socket->in_flight_.fetch_sub(1, std::memory_order_relaxed);
        socket->nsp().count_overload();
        report_client(IncidentKind::events_in_flight, socket.get());
        return fail_event(packet, kBusy);
    }
    const Payload payload{packet.data, attachments};
    Namespace& nsp = socket->nsp();
    if (nsp.reactor().is_current()) return nsp.receive_event(socket, *name, payload, packet.id);
    nsp.reactor().post(
        [socket, name = *std::move(name), id = packet.id, owned = OwnedPayload(payload)] {
            socket->nsp().receive_event(socket, name, owned.view(), id);
        });
}

void Client::on_ack(const SocketPtr& socket, const Packet& packet,
                    std::span<const SharedBytes> attachments) {
    const Payload payload{packet.data, attachments};
    Namespace& nsp = socket->nsp();
    if (nsp.reactor().is_current()) return nsp.receive_ack(socket, *packet.id, payload);
    nsp.reactor().post([socket, id = *packet.id, owned = OwnedPayload(payload)] {
        socket->nsp().receive_ack(socket, id, owned.view());
    });
}

bool Client::within_rates(Socket* socket, const Packet& packet,
                          std::span<const SharedBytes> attachments) {
    if (packet.type == PacketType::disconnect) return true;
    std::size_t bytes = packet.data.size();
    for (const SharedBytes& each : attachments) bytes += each.size();
    InboundBudget& budget = socket ? socket->inbound_ : connects_;
    const auto over =
        budget.take(server_.options().inbound, bytes, session_->reactor().now());
    if (over) over_rate(*over, socket, packet);
    return !over;
}

void Client::over_rate(IncidentKind limit, Socket* socket, const Packet& packet) {
    const auto self = shared_from_this();
    const bool disconnects = server_.options().inbound.disconnect;
    session_->slow_down();
    report_client(limit, socket, packet.nsp, disconnects ? "disconnected" : "dropped");
    if (packet.type == PacketType::connect) {
        const Refusal refusal{"too much a second", R"({"code":"rate_limited"})"};
        send(PacketType::connect_error, packet.nsp, error_of(refusal, is_legacy()));
    } else if (socket) {
        socket->nsp().count_limited();
        const bool is_event =
            packet.type == PacketType::event || packet.type == PacketType::binary_event;
        // Nobody waits for the answer to an acknowledgement.
        if (is_event && (packet.id || socket->inbound_.may_tell(session_->reactor().now())))
            fail_event(packet, kRateLimited);
    }
    if (disconnects) disconnect_all();
}

void Client::fail_event(const Packet& packet, std::string_view error_json) {
    const std::string error(error_json);
    const Format format = server_.options().nsp.format;
    if (packet.id)
        Outgoing(format, PacketType::ack, packet.nsp, packet.id, {"[{\"error\":" + error + "}]"})
            .send(*session_, {});
    else
        Outgoing(format, PacketType::event, packet.nsp, {}, {"[\"error\"," + error + "]"})
            .send(*session_, {});
}

void Client::report_client(IncidentKind kind, const Socket* socket, std::string_view nsp,
                           std::string_view detail) const {
    if (socket) return socket->report(kind, detail);
    report({.kind = kind,
            .address = session_->handshake()->address,
            .nsp = nsp,
            .detail = detail});
}

void Client::admit(Socket& socket, std::string_view data, const std::vector<Outgoing>& missed,
                   const std::vector<Outgoing>& answers) {
    session_->reactor().cancel(connect_timer_);
    socket.open_ = true;
    for (const Outgoing& packet : missed) FanOut(packet, {}).send(*session_, socket.wire_nsp());
    // Alone, as the reference sends it: clients await it before they listen for what follows.
    send(PacketType::connect, socket.wire_nsp(), is_legacy() ? std::string_view() : data,
         {.immediate = true});
    for (const Outgoing& packet : answers) packet.send(*session_, {});
}

void Client::refuse(Socket& socket, const Refusal& refusal) {
    send(PacketType::connect_error, socket.wire_nsp(), error_of(refusal, is_legacy()));
    forget(socket);
}

void Client::disconnect(Socket& socket) {
    send(PacketType::disconnect, socket.wire_nsp(), {});
    forget(socket);
}

void Client::disconnect_all() {
    const auto self = shared_from_this();
    for (const SocketPtr& socket : std::vector(sockets_)) {
        disconnect(*socket);
        socket->nsp().reactor().post([socket] {
            socket->nsp().disconnected(socket, "server namespace disconnect");
        });
    }
    session_->close();
}

void Client::on_close(engineio::CloseReason reason) {
    const std::string_view why = server_.shutting_down() ? "server shutting down"
                                                         : engineio::to_string(reason);
    session_->reactor().cancel(connect_timer_);
    for (const SocketPtr& socket : std::vector(sockets_)) {
        forget(*socket);
        socket->nsp().reactor().run([socket, why] { socket->nsp().disconnected(socket, why); });
    }
    partial_.reset();
    session_.reset();
}

void Client::reject(std::string_view why) {
    report_client(IncidentKind::protocol, nullptr, {}, why);
    session_->close(engineio::CloseReason::parse_error);
}

SocketPtr Client::find(std::string_view wire_nsp) const {
    for (const SocketPtr& socket : sockets_)
        if (socket->wire_nsp() == wire_nsp) return socket;
    return nullptr;
}

void Client::forget(Socket& socket) {
    socket.open_ = false;
    socket.client_ = nullptr;
    std::erase_if(sockets_, [&](const SocketPtr& each) { return each.get() == &socket; });
}

}  // namespace moonwire::socketio
