#include "core/engineio/engine.hpp"

#include <algorithm>
#include <cctype>

#include "core/base/ids.hpp"
#include "core/base/incidents.hpp"
#include "core/base/ip_address.hpp"
#include "core/base/log.hpp"
#include "core/engineio/engine_session.hpp"
#include "core/engineio/handshake_guard.hpp"

namespace moonwire::engineio {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

std::shared_ptr<const Handshake> handshake_of(const transport::HttpRequest& request) {
    auto handshake = std::make_shared<Handshake>();
    for (const auto& [name, value] : request.headers)
        handshake->headers.emplace_back(lower(name), value);
    handshake->query = request.query_values();
    handshake->address = request.remote_address;
    handshake->url = request.target;
    handshake->secure = request.secure;
    handshake->client_certificate = request.client_certificate;
    handshake->cross_origin = !request.header("origin").empty();
    handshake->issued = wall_seconds();
    handshake->protocol = Dialect::of(request).protocol;
    return handshake;
}

/// Control characters and bytes beyond Latin-1's printable ones have no place in a header.
bool has_invalid_characters(std::string_view value) {
    return std::any_of(value.begin(), value.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && byte != '\t') || byte == 0x7f;
    });
}

}  // namespace

Engine::Engine(EngineOptions options, std::vector<Reactor*> reactors, SessionListener& listener)
    : options_(std::move(options)),
      listener_(listener),
      addresses_(std::make_shared<SharedCounts>(options_.max_sessions_per_ip)),
      handshakes_(options_.handshakes_per_ip) {
    for (Reactor* reactor : reactors)
        shards_.push_back(std::unique_ptr<Shard>(new Shard{*reactor, {}, {}}));
}

Engine::~Engine() = default;

bool Engine::is_allowed_origin(std::string_view origin) const {
    const auto& allowed = options_.allowed_origins;
    return allowed.empty() || origin.empty() ||
           std::any_of(allowed.begin(), allowed.end(),
                       [&](const std::string& each) { return each == origin || each == "*"; });
}

Reactor& Engine::reactor_for(const transport::HttpRequest& request, Reactor& current) const {
    const std::string sid = request.query_value("sid");
    const auto tag = id_tag(sid);
    return tag && *tag < shards_.size() ? shards_[*tag]->reactor : current;
}

void Engine::refuse(transport::HttpExchange& exchange, RefusalReason reason,
                    std::string_view message) {
    stats_of(exchange.reactor()).refused[static_cast<std::size_t>(reason)].add();
    transport::HttpResponse response =
        refusal(error_of(reason), exchange.request().upgrade, message);
    for (auto& header : options_.cors.headers_for(exchange.request()))
        response.headers.push_back(std::move(header));
    exchange.respond(std::move(response));
}

void Engine::on_request(std::shared_ptr<transport::HttpExchange> exchange) {
    const transport::HttpRequest& request = exchange->request();
    if (options_.cors.enabled() && CorsPolicy::is_preflight(request))
        return exchange->respond(options_.cors.preflight(request));

    // The order of the checks is the reference's.
    const std::string transport = request.query_value("transport");
    if (!(transport == "polling" && options_.polling) &&
        !(transport == "websocket" && options_.websocket))
        return refuse(*exchange, RefusalReason::transport);
    if (has_invalid_characters(request.header("origin")))
        return refuse(*exchange, RefusalReason::malformed);

    const std::string sid = request.query_value("sid");
    if (sid.empty()) return handshake(exchange);

    auto& sessions = shards_[exchange->reactor().index()]->sessions;
    const auto found = sessions.find(sid);
    if (found == sessions.end()) return refuse(*exchange, RefusalReason::session);
    const std::shared_ptr<EngineSession> session = found->second;

    if (request.upgrade) {
        if (transport != "websocket") return refuse(*exchange, RefusalReason::malformed);
        return exchange->accept_websocket(
            std::make_shared<WebSocketCarrier>(*this, request, session), {});
    }
    if (transport != to_string(session->transport()))
        return refuse(*exchange, RefusalReason::malformed);
    if (request.method == "GET" && transport == "polling") return session->on_poll(exchange);
    if (request.method == "POST" && transport == "polling") return session->on_post(exchange);
    refuse(*exchange, RefusalReason::malformed);
}

void Engine::handshake(const std::shared_ptr<transport::HttpExchange>& exchange) {
    const transport::HttpRequest& request = exchange->request();
    // First of all: what is refused for another reason costs, too.
    if (!may_ask(request, exchange->reactor().now())) {
        report({.kind = IncidentKind::handshakes_per_second_per_ip,
                .address = request.remote_address});
        return refuse(*exchange, RefusalReason::handshake_rate, "Too many handshakes");
    }
    if (request.method != "GET") return refuse(*exchange, RefusalReason::method);
    const bool websocket = request.query_value("transport") == "websocket";
    if (websocket != request.upgrade) return refuse(*exchange, RefusalReason::malformed);
    if (!is_allowed_origin(request.header("origin"))) {
        report({.kind = IncidentKind::origin,
                .address = request.remote_address,
                .detail = request.header("origin")});
        return refuse(*exchange, RefusalReason::origin);
    }
    if (options_.guard && options_.guard->active()) return ask_guard(exchange);
    admit(exchange, {});
}

bool Engine::may_ask(const transport::HttpRequest& request, TimePoint now) {
    if (!options_.handshakes_per_ip) return true;
    const auto address = IpAddress::parse(request.remote_address);
    return !address || handshakes_.take(address->key(options_.ipv6_prefix), now);
}

std::optional<SharedCounts::Place> Engine::find_place(const transport::HttpRequest& request) {
    if (options_.max_sessions_per_ip == 0) return SharedCounts::Place();
    const auto address = IpAddress::parse(request.remote_address);
    if (!address) return SharedCounts::Place();
    auto place = addresses_->take(address->key(options_.ipv6_prefix));
    if (!place) return std::nullopt;
    return place;
}

void Engine::ask_guard(const std::shared_ptr<transport::HttpExchange>& exchange) {
    struct Question {
        std::shared_ptr<transport::HttpExchange> exchange;  // until answered
        TimerId deadline;
    };
    auto question = std::make_shared<Question>();
    question->exchange = exchange;
    question->deadline = exchange->reactor().after(options_.handshake_timeout, [this, question] {
        const auto late = std::exchange(question->exchange, nullptr);
        log::warn("handshake refused: the scripts did not decide in time",
                  {{"address", late->request().remote_address}});
        refuse(*late, RefusalReason::script_late);
    });
    Reactor& reactor = exchange->reactor();
    options_.guard->check(exchange->request(), [this, question, &reactor](Verdict verdict) {
        reactor.run([this, question, verdict = std::move(verdict)]() mutable {
            const auto waiting = std::exchange(question->exchange, nullptr);
            if (!waiting) return;
            waiting->reactor().cancel(question->deadline);
            if (!waiting->pending()) return;  // the client did not wait
            if (verdict.allowed) return admit(waiting, std::move(verdict.headers));
            report({.kind = IncidentKind::refused,
                    .address = waiting->request().remote_address,
                    .detail = "on_request"});
            refuse(*waiting, RefusalReason::script, verdict.message);
        });
    });
}

void Engine::admit(const std::shared_ptr<transport::HttpExchange>& exchange,
                   transport::Headers headers) {
    const transport::HttpRequest& request = exchange->request();
    if (sessions_ >= options_.max_sessions) {
        report({.kind = IncidentKind::connections, .address = request.remote_address});
        return refuse(*exchange, RefusalReason::connections, "Too many connections");
    }
    if (Dialect::of(request).protocol == 3 && !options_.allow_eio3)
        return refuse(*exchange, RefusalReason::protocol);

    auto place = find_place(request);
    if (!place) {
        report({.kind = IncidentKind::connections_per_ip, .address = request.remote_address});
        return refuse(*exchange, RefusalReason::address, "Too many connections from this address");
    }
    if (request.upgrade) {
        return exchange->accept_websocket(
            std::make_shared<WebSocketCarrier>(*this, request, nullptr, *std::move(place)),
            std::move(headers));
    }
    if (const auto session = open(exchange->reactor(), request, nullptr, *std::move(place),
                                  std::move(headers)))
        session->on_poll(exchange);
    else refuse(*exchange, RefusalReason::shutting_down, "Server shutting down");
}

std::shared_ptr<EngineSession> Engine::open(Reactor& reactor, const transport::HttpRequest& request,
                                            std::shared_ptr<WebSocketCarrier> carrier,
                                            SharedCounts::Place place,
                                            transport::Headers headers) {
    if (shutting_down_) return nullptr;
    Shard& shard = *shards_[reactor.index()];
    auto session = std::make_shared<EngineSession>(*this, reactor, handshake_of(request),
                                                   Dialect::of(request), std::move(carrier));
    shard.sessions.emplace(session->id(), session);
    ++sessions_;
    shard.stats.opened.add();
    (session->transport() == TransportKind::polling ? shard.stats.polling : shard.stats.websocket)
        .add();
    if (session->transport() == TransportKind::polling) {
        if (options_.cookie.enabled())
            headers.emplace_back("set-cookie", options_.cookie.header(session->id()));
        session->set_first_headers(std::move(headers));
    }
    session->set_place(std::move(place));
    session->start();
    session->set_handler(listener_.on_session(session));
    return session;
}

void Engine::forget(EngineSession& session) {
    Shard& shard = *shards_[session.reactor().index()];
    if (shard.sessions.erase(session.id()) == 0) return;
    --sessions_;
    session.set_place({});
    shard.stats.closed.add();
    (session.transport() == TransportKind::polling ? shard.stats.polling : shard.stats.websocket)
        .subtract();
}

void Engine::shut_down() {
    shutting_down_ = true;
    for (const auto& shard : shards_) {
        shard->reactor.post([&sessions = shard->sessions] {
            std::vector<std::shared_ptr<EngineSession>> all;
            for (const auto& [id, session] : sessions) all.push_back(session);
            for (const auto& session : all) session->close(CloseReason::forced_close);
        });
    }
}

}  // namespace moonwire::engineio
