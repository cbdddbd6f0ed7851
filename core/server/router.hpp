#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/function.hpp"
#include "core/engineio/engine.hpp"
#include "core/plugin/provisions.hpp"
#include "core/script/host.hpp"
#include "core/server/app_pages.hpp"
#include "core/server/client_bundle.hpp"
#include "core/transport/http.hpp"

namespace moonwire::server {

/// Where an HTTP request goes by its path: Engine.IO, the client's files, the broker's own pages,
/// a plugin's route, a script's, or an app's page. Any reactor; what it refers to outlives it.
class Router final : public transport::HttpHandler {
public:
    /// `page` answers the broker's own paths ("/stats"), or has nothing to say. Any reactor.
    using Pages = std::function<std::optional<transport::HttpResponse>(std::string_view path)>;

    Router(engineio::Engine& engine, script::Host& scripts, ClientBundle& bundle,
           AppPages& app_pages, const plugin::Provisions& plugins, Pages pages);

    Reactor& reactor_for(const transport::HttpRequest& request, Reactor& current) override;
    void on_request(std::shared_ptr<transport::HttpExchange> exchange) override;

private:
    bool is_engine_path(std::string_view path) const;
    /// The name of the client's file that a path below the engine's asks for, or empty.
    std::string_view bundle_file(std::string_view path) const;
    /// Answers with what `make` makes to GET and HEAD; other methods are refused.
    template <typename Make>
    void serve(transport::HttpExchange& exchange, Make&& make);
    void to_plugin(const std::shared_ptr<transport::HttpExchange>& exchange,
                   const plugin::HttpRoute& route);
    void to_scripts(const std::shared_ptr<transport::HttpExchange>& exchange);
    /// For whoever answers on another thread.
    void respond_later(const std::shared_ptr<transport::HttpExchange>& exchange,
                       plugin::HttpResponse response);
    void respond(transport::HttpExchange& exchange, transport::HttpResponse response);

    engineio::Engine& engine_;
    script::Host& scripts_;
    ClientBundle& bundle_;
    AppPages& app_pages_;
    const plugin::Provisions& plugins_;
    const Pages pages_;
};

}  // namespace moonwire::server
