#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/function.hpp"
#include "core/engineio/engine.hpp"
#include "core/script/host.hpp"
#include "core/transport/http.hpp"

namespace moonwire::server {

/// Where an HTTP request goes by its path: Engine.IO, the broker's own pages, or a script's route.
/// Any reactor; what it refers to outlives it.
class Router final : public transport::HttpHandler {
public:
    /// `page` answers the broker's own paths ("/stats"), or has nothing to say. Any reactor.
    using Pages = std::function<std::optional<transport::HttpResponse>(std::string_view path)>;

    Router(engineio::Engine& engine, script::Host& scripts, Pages pages);

    Reactor& reactor_for(const transport::HttpRequest& request, Reactor& current) override;
    void on_request(std::shared_ptr<transport::HttpExchange> exchange) override;

private:
    void to_scripts(const std::shared_ptr<transport::HttpExchange>& exchange);
    void respond(transport::HttpExchange& exchange, transport::HttpResponse response);

    engineio::Engine& engine_;
    script::Host& scripts_;
    const Pages pages_;
};

}  // namespace moonwire::server
