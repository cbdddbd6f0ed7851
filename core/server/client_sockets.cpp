#include "core/server/client_sockets.hpp"

#include <optional>
#include <utility>
#include <vector>

#include "core/base/json_text.hpp"
#include "core/client/link.hpp"
#include "core/client/polling_carrier.hpp"
#include "core/client/server_url.hpp"
#include "core/client/websocket_carrier.hpp"

namespace moonwire::server {
namespace {

plugin::ClientStatus status_of(client::LinkStatus link) {
    plugin::ClientStatus status;
    status.state = client::name_of(link.state);
    status.uptime_seconds = link.uptime_seconds;
    status.uptime_percent = link.uptime_percent;
    status.attempts = link.attempts;
    status.reconnections = link.reconnections;
    status.queued = link.queued;
    status.sent = link.sent;
    status.received = link.received;
    status.dropped = link.dropped;
    status.failed = link.failed;
    status.last_error = std::move(link.last_error);
    return status;
}

client::LinkOptions link_options(const plugin::ClientOptions& options) {
    client::LinkOptions link;
    link.session.nsp = options.nsp;
    link.session.auth = options.auth_json;
    link.session.connect_timeout = options.timeout;
    link.attempts = options.attempts;
    link.delay = options.delay;
    link.delay_max = options.delay_max;
    link.queue = {options.queue_events, options.queue_bytes, options.drop_oldest};
    return link;
}

/// `["event",…]`
client::OutgoingEvent outgoing(std::string_view event, plugin::Values arguments) {
    const std::string_view json = arguments.json;
    const std::size_t content = json.find_first_not_of(" \t\r\n", json.find('[') + 1);
    client::OutgoingEvent made{"[" + json_string(event), std::move(arguments.attachments)};
    if (content != json.npos && json[content] != ']') made.json += ",";
    made.json += content == json.npos ? "]" : json.substr(content);
    return made;
}

plugin::Values values_of(client::OutgoingEvent data) {
    return {std::move(data.json), std::move(data.attachments)};
}

/// One link with what it needs. Lives until it is closed, and as long as its handle.
class Linked final : public client::LinkListener, public std::enable_shared_from_this<Linked> {
public:
    Linked(transport::AsioReactor& reactor, plugin::ClientListener listener)
        : reactor(reactor), listener_(std::move(listener)) {}

    /// Before `start`; an error names what is wrong.
    Result<void> prepare(const plugin::ClientOptions& options, transport::HttpClientOptions http) {
        transport::Headers query;
        const auto url = client::parse_server_url(options.url, query);
        if (!url) return url.error();
        if (!options.path.starts_with('/')) return Error{"a path begins with /"};
        if (!options.nsp.starts_with('/') || options.nsp.find_first_of(",?") != std::string::npos)
            return Error{"a namespace begins with / and has no comma or ?"};
        const auto at = [&](std::string_view transport) {
            HttpUrl target = *url;
            target.target = client::engine_target(options.path, transport, query);
            return target;
        };
        http.verify = http.verify && !options.insecure;
        std::vector<client::Connect> ways;
        if (options.websocket) {
            transport::WebSocketRequest request;
            request.url = at("websocket");
            request.headers = options.headers;
            request.verify = http.verify;
            request.ca_file = http.ca_file;
            ways.push_back([&reactor = reactor, request = std::move(request)](
                               std::shared_ptr<client::CarrierHandler> handler) {
                return client::connect_by_websocket(reactor, request, std::move(handler));
            });
        }
        if (options.polling) {
            http.max_body_bytes = transport::WebSocketRequest().max_message_bytes;
            http_.emplace(std::move(http), std::vector<Reactor*>{&reactor});
            ways.push_back([this, url = at("polling"), headers = options.headers](
                               std::shared_ptr<client::CarrierHandler> handler) {
                // Here, for it takes a while; without authorities no server is trusted.
                if (url.secure && !std::exchange(opened_, true)) (void)http_->open();
                return client::connect_by_polling(reactor, *http_, url, headers,
                                                  std::move(handler));
            });
        }
        if (ways.empty()) return Error{"neither WebSocket nor polling"};
        link =
            std::make_shared<client::Link>(reactor, link_options(options), std::move(ways), *this);
        return {};
    }

    void start() {
        self_ = shared_from_this();
        link->start();
    }

    transport::AsioReactor& reactor;
    std::shared_ptr<client::Link> link;

private:
    void on_state(client::LinkState state, const std::string& detail) override {
        listener_.on_state(client::name_of(state), detail);
    }
    void on_event(std::string name, client::OutgoingEvent arguments,
                  std::function<void(client::OutgoingEvent)> acknowledge) override {
        std::function<void(plugin::Values)> answer;
        if (acknowledge) {
            answer = [acknowledge = std::move(acknowledge)](plugin::Values values) {
                acknowledge({std::move(values.json), std::move(values.attachments)});
            };
        }
        listener_.on_event(std::move(name), values_of(std::move(arguments)), std::move(answer));
    }
    void on_closed() override {
        // What the link calls from lives until it returns.
        reactor.post([self = std::move(self_)] {});
    }

    const plugin::ClientListener listener_;
    std::optional<transport::HttpClient> http_;
    bool opened_ = false;
    std::shared_ptr<Linked> self_;  // until it is closed
};

class Handle final : public plugin::Client {
public:
    explicit Handle(std::shared_ptr<Linked> linked) : linked_(std::move(linked)) {}
    ~Handle() override {
        auto& reactor = linked_->reactor;
        reactor.post([linked = std::move(linked_)] { linked->link->close(); });
    }
    bool emit(std::string_view event, plugin::Values arguments) override {
        return linked_->link->emit(outgoing(event, std::move(arguments)));
    }
    void call(std::string_view event, plugin::Values arguments, std::chrono::milliseconds timeout,
              plugin::Reply reply) override {
        linked_->link->call(outgoing(event, std::move(arguments)), timeout,
                            [reply = std::move(reply)](client::LinkAnswer answer) {
                                if (!answer.error.empty())
                                    return reply(plugin::Answer::nothing(std::move(answer.error)));
                                reply(plugin::Answer::values(std::move(answer.values.json),
                                                             std::move(answer.values.attachments)));
                            });
    }
    void status(std::function<void(plugin::ClientStatus)> done) override {
        linked_->reactor.post([linked = linked_, done = std::move(done)] {
            done(status_of(linked->link->status()));
        });
    }
    void reconnect() override {
        linked_->reactor.post([linked = linked_] { linked->link->reconnect(); });
    }
    void close() override {
        linked_->reactor.post([linked = linked_] { linked->link->close(); });
    }

private:
    std::shared_ptr<Linked> linked_;
};

}  // namespace

ClientSockets::ClientSockets(transport::HttpClientOptions http) : http_(std::move(http)) {}

ClientSockets::~ClientSockets() { stop(); }

transport::AsioReactor& ClientSockets::reactor() {
    std::lock_guard lock(mutex_);
    if (!reactor_) {
        reactor_ = std::make_unique<transport::AsioReactor>(0);
        reactor_->start();
    }
    return *reactor_;
}

Result<std::shared_ptr<plugin::Client>> ClientSockets::connect(plugin::ClientOptions options,
                                                               plugin::ClientListener listener) {
    auto linked = std::make_shared<Linked>(reactor(), std::move(listener));
    if (auto prepared = linked->prepare(options, http_); !prepared) return prepared.error();
    linked->reactor.post([linked] { linked->start(); });
    return std::shared_ptr<plugin::Client>(std::make_shared<Handle>(std::move(linked)));
}

void ClientSockets::stop() {
    std::lock_guard lock(mutex_);
    if (reactor_) reactor_->stop();
}

}  // namespace moonwire::server
