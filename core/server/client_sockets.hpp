#pragma once

#include <memory>
#include <mutex>

#include "core/base/result.hpp"
#include "core/plugin/api/client.hpp"
#include "core/transport/asio_reactor.hpp"
#include "core/transport/http_client.hpp"

namespace moonwire::server {

/// The plugins' way out to Socket.IO servers: `client::Link`s, on a reactor of their own, so that
/// no server, however busy, keeps clients of this broker waiting. Its thread begins with the first.
class ClientSockets {
public:
    /// What [http] says holds for them, too: whom to trust over TLS.
    explicit ClientSockets(transport::HttpClientOptions http);
    ~ClientSockets();

    /// Any thread. The error says what is wrong with the options.
    Result<std::shared_ptr<plugin::Client>> connect(plugin::ClientOptions options,
                                                    plugin::ClientListener listener);
    /// Ends what still is connected. Once the plugins are stopped.
    void stop();

private:
    transport::AsioReactor& reactor();

    const transport::HttpClientOptions http_;
    std::mutex mutex_;
    std::unique_ptr<transport::AsioReactor> reactor_;  // under it, until it is there
};

}  // namespace moonwire::server
