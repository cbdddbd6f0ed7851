#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "core/base/function.hpp"
#include "core/server/broker.hpp"
#include "core/server/control_report.hpp"
#include "core/transport/http.hpp"
#include "core/transport/server.hpp"

namespace moonwire::server {

/// What an operator's commands (`moonwire ctl`) do to a running broker: HTTP over a Unix-domain
/// socket of its own, which only the broker's user may open.
///
///     GET /status, /namespaces, /sockets?namespace=…&limit=…&offset=…
///     POST /reload, /drain, /disconnect?id=…[&close=1]
///
/// Answers are text, or JSON to whoever accepts only that. 422: the scripts have errors, which are
/// the body; 4xx: a message.
///
/// Served by a thread of its own, so it answers while a handler holds a reactor, and costs the
/// others nothing. Outlives the broker's reactors, which may still hold its requests; made, opened
/// and closed on the main thread.
class Control final : public transport::HttpHandler {
public:
    Control();
    ~Control() override;

    /// Opens the socket: the given path, or the default for these addresses. `drain` begins the
    /// drain, on any thread. Once.
    Result<void> open(Broker& broker, const std::string& path, Task drain);
    /// Answers nothing any more; the socket's file is gone. Before the broker ends.
    void close();

    // transport::HttpHandler
    Reactor& reactor_for(const transport::HttpRequest& request, Reactor& current) override;
    void on_request(std::shared_ptr<transport::HttpExchange> exchange) override;

private:
    using ExchangePtr = std::shared_ptr<transport::HttpExchange>;

    StatusReport status() const;
    std::vector<NamespaceReport> namespaces() const;
    void list_sockets(const ExchangePtr& exchange);
    void reload(const ExchangePtr& exchange);
    void drain(const ExchangePtr& exchange);
    void disconnect(const ExchangePtr& exchange);

    Broker* broker_ = nullptr;
    Task drain_;
    std::unique_ptr<transport::TransportServer> transport_;
};

/// Where the broker that listens on these addresses has its control socket by default.
std::string control_socket_for(const std::vector<transport::ListeningAddress>& addresses);

}  // namespace moonwire::server
