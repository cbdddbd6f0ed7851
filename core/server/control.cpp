#include "core/server/control.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

#include "core/base/incidents.hpp"
#include "core/server/control_socket.hpp"

namespace moonwire::server {
namespace {

using ExchangePtr = std::shared_ptr<transport::HttpExchange>;
using NamespacePtr = std::shared_ptr<socketio::Namespace>;

constexpr std::size_t kDefaultLimit = 100, kMaxLimit = 10'000;  // sockets a page

ReportForm form_of(const transport::HttpExchange& exchange) {
    return exchange.request().header("accept") == "application/json" ? ReportForm::json
                                                                     : ReportForm::text;
}

/// Any reactor.
void answer(const ExchangePtr& exchange, unsigned status, std::string body) {
    transport::HttpResponse response;
    response.status = status;
    const bool json = form_of(*exchange) == ReportForm::json;
    response.headers = {{"content-type", json ? "application/json" : "text/plain; charset=UTF-8"}};
    response.body = std::move(body);
    exchange->reactor().run([exchange, response = std::move(response)]() mutable {
        exchange->respond(std::move(response));
    });
}

template <typename Report>
void answer_report(const ExchangePtr& exchange, const Report& report, unsigned status = 200) {
    answer(exchange, status, render(report, form_of(*exchange)));
}

void answer_message(const ExchangePtr& exchange, unsigned status, const std::string& message) {
    answer(exchange, status, render_message(message, form_of(*exchange)));
}

/// A parameter that is a number; `otherwise` if it is not there, nothing if it is none.
std::optional<std::size_t> number(const transport::HttpRequest& request, std::string_view name,
                                  std::size_t otherwise) {
    const std::string text = request.query_value(name);
    if (text.empty()) return otherwise;
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Shows namespaces to `visit` one after another, each on its home reactor, until it returns false;
/// then calls `done` on some reactor.
template <typename Visit, typename Done>
void visit_each(std::vector<NamespacePtr> namespaces, std::size_t index, Visit visit, Done done) {
    for (; index < namespaces.size() && namespaces[index]->reactor().is_current(); ++index)
        if (!visit(*namespaces[index])) return done();
    if (index == namespaces.size()) return done();
    Reactor& home = namespaces[index]->reactor();
    home.post([namespaces = std::move(namespaces), index, visit = std::move(visit),
               done = std::move(done)]() mutable {
        visit_each(std::move(namespaces), index, std::move(visit), std::move(done));
    });
}

SocketReport report_of(const socketio::Socket& socket) {
    SocketReport report;
    report.id = socket.id();
    report.nsp = socket.wire_nsp();
    report.transport = engineio::to_string(socket.session().transport());
    report.address = socket.handshake().address;
    report.connected_since = socket.handshake().issued;
    report.room_count = socket.rooms().size();
    const std::size_t shown = std::min(report.room_count, kRoomsReported);
    report.rooms.assign(socket.rooms().begin(),
                        socket.rooms().begin() + static_cast<std::ptrdiff_t>(shown));
    return report;
}

/// Adds what of this namespace is on the page: the oldest connections first.
void add_to_page(SocketsReport& page, std::size_t limit, const socketio::Namespace& nsp) {
    const std::size_t before = std::exchange(page.total, page.total + nsp.socket_count());
    const std::size_t wanted_end = page.offset + limit;
    if (page.total <= page.offset || before >= wanted_end) return;
    auto sockets = nsp.select({});
    const std::size_t begin = std::min(page.offset > before ? page.offset - before : 0,
                                       sockets.size());
    const std::size_t end = std::min(wanted_end - before, sockets.size());
    std::partial_sort(sockets.begin(), sockets.begin() + static_cast<std::ptrdiff_t>(end),
                      sockets.end(), [](const auto& a, const auto& b) {
                          return std::tuple(a->handshake().issued, std::string_view(a->id())) <
                                 std::tuple(b->handshake().issued, std::string_view(b->id()));
                      });
    for (std::size_t i = begin; i < end; ++i) page.sockets.push_back(report_of(*sockets[i]));
}

}  // namespace

std::string control_socket_for(const std::vector<transport::ListeningAddress>& addresses) {
    for (const auto& address : addresses)
        if (address.port != 0) return default_control_socket(std::to_string(address.port));
    return default_control_socket(std::to_string(getpid()));
}

Control::Control() = default;
Control::~Control() { close(); }

Result<void> Control::open(Broker& broker, const std::string& path, Task drain) {
    broker_ = &broker;
    drain_ = std::move(drain);
    transport::TransportOptions options;
    options.plain = false;
    options.unix_path = path;
    options.unix_mode = 0600;
    options.max_connections = 64;
    transport_ = std::make_unique<transport::TransportServer>(std::move(options), 1);
    transport_->start();
    if (auto opened = transport_->listen(*this); !opened) {
        transport_->stop();
        return opened.error();
    }
    return {};
}

void Control::close() {
    if (transport_) transport_->stop();
}

Reactor& Control::reactor_for(const transport::HttpRequest&, Reactor& current) { return current; }

void Control::on_request(ExchangePtr exchange) {
    const transport::HttpRequest& request = exchange->request();
    const std::string_view path = request.path();
    const bool get = request.method == "GET", post = request.method == "POST";
    if (get && path == "/status") return answer_report(exchange, status());
    if (get && path == "/namespaces") return answer_report(exchange, namespaces());
    if (get && path == "/sockets") return list_sockets(exchange);
    // What changes something goes into the audit log, whether or not it succeeds.
    if (post)
        report({.kind = IncidentKind::admin,
                .address = request.remote_address,
                .socket = request.query_value("id"),
                .detail = path});
    if (post && path == "/reload") return reload(exchange);
    if (post && path == "/drain") return drain(exchange);
    if (post && path == "/disconnect") return disconnect(exchange);
    answer_message(exchange, 404, "this broker has no such command");
}

StatusReport Control::status() const {
    StatusReport report;
    report.version = MOONWIRE_VERSION;
    report.state = broker_->draining() ? "draining" : "ready";
    report.process = getpid();
    report.uptime_seconds = std::chrono::duration<double>(broker_->uptime()).count();
    for (const auto& address : broker_->addresses()) report.addresses.push_back(address.url);
    report.reactors = broker_->reactor_count();
    report.connections = broker_->engine().session_count();
    report.namespaces = namespaces();
    report.errors = broker_->load_errors();
    return report;
}

std::vector<NamespaceReport> Control::namespaces() const {
    std::vector<NamespaceReport> reports;
    for (const script::ScriptStats& scripts : broker_->scripts().stats()) {
        NamespaceReport& report = reports.emplace_back();
        report.name = scripts.name;
        report.generation = scripts.generation;
        report.handlers_failed = scripts.handlers_failed;
        report.memory_bytes = scripts.memory_bytes;
        report.load_error = scripts.load_error;
        auto members = broker_->sockets().members(scripts.name);
        if (auto own = broker_->sockets().find(scripts.name)) members.push_back(std::move(own));
        report.members = members.size();
        for (const NamespacePtr& nsp : members) {
            report.sockets += nsp->stats().sockets();
            report.rooms += nsp->room_count();
            report.events_in += nsp->stats().events_in.get();
            report.events_out += nsp->stats().events_out.get();
        }
    }
    return reports;
}

void Control::list_sockets(const ExchangePtr& exchange) {
    const transport::HttpRequest& request = exchange->request();
    const auto limit = number(request, "limit", kDefaultLimit);
    const auto offset = number(request, "offset", 0);
    if (!limit || !offset || *limit == 0 || *limit > kMaxLimit)
        return answer_message(exchange, 400,
                              "a page has 1 to " + std::to_string(kMaxLimit) + " sockets");
    std::vector<NamespacePtr> namespaces = broker_->sockets().namespaces();
    if (const std::string name = request.query_value("namespace"); !name.empty()) {
        namespaces = broker_->sockets().members(name);
        if (auto own = broker_->sockets().find(name)) namespaces.push_back(std::move(own));
        const bool family = name.find("/:") != std::string::npos;
        if (namespaces.empty() && !family)
            return answer_message(exchange, 404, "there is no namespace " + name);
    }
    auto page = std::make_shared<SocketsReport>();
    page->offset = *offset;
    visit_each(
        std::move(namespaces), 0,
        [page, limit = *limit](const socketio::Namespace& nsp) {
            add_to_page(*page, limit, nsp);
            return true;
        },
        [page, exchange] { answer_report(exchange, *page); });
}

void Control::reload(const ExchangePtr& exchange) {
    broker_->reload(ReloadCause::asked, [exchange](const std::vector<script::LoadError>& errors) {
        answer_report(exchange, errors, errors.empty() ? 200 : 422);
    });
}

void Control::drain(const ExchangePtr& exchange) {
    if (broker_->draining()) return answer_message(exchange, 409, "already draining");
    answer_message(exchange, 200, "draining");
    drain_();
}

void Control::disconnect(const ExchangePtr& exchange) {
    const std::string id = exchange->request().query_value("id");
    const bool close = exchange->request().query_value("close") == "1";
    auto found = std::make_shared<bool>(false);
    visit_each(
        broker_->sockets().namespaces(), 0,
        [id, close, found](const socketio::Namespace& nsp) {
            const socketio::SocketPtr socket = nsp.find(id);
            if (socket) socket->disconnect(close);
            return !(*found = bool(socket));
        },
        [id, found, exchange] {
            if (*found) answer_message(exchange, 200, "disconnected " + id);
            else answer_message(exchange, 404, "there is no socket " + id);
        });
}

}  // namespace moonwire::server
