#include "core/server/router.hpp"

#include <algorithm>

#include "core/base/incidents.hpp"
#include "core/server/script_guard.hpp"

namespace moonwire::server {
namespace {

transport::HttpResponse plain(unsigned status, std::string body) {
    transport::HttpResponse response;
    response.status = status;
    response.headers = {{"content-type", "text/plain; charset=UTF-8"}};
    response.body = std::move(body);
    return response;
}

}  // namespace

Router::Router(engineio::Engine& engine, script::Host& scripts, ClientBundle& bundle, Pages pages)
    : engine_(engine), scripts_(scripts), bundle_(bundle), pages_(std::move(pages)) {}

bool Router::is_engine_path(std::string_view path) const {
    const std::string& prefix = engine_.options().path;
    return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

std::string_view Router::bundle_file(std::string_view path) const {
    if (!is_engine_path(path)) return {};
    path.remove_prefix(std::min(engine_.options().path.size() + 1, path.size()));
    return ClientBundle::is_file(path) ? path : std::string_view();
}

Reactor& Router::reactor_for(const transport::HttpRequest& request, Reactor& current) {
    return is_engine_path(request.path()) ? engine_.reactor_for(request, current) : current;
}

void Router::on_request(std::shared_ptr<transport::HttpExchange> exchange) {
    const transport::HttpRequest& request = exchange->request();
    const std::string_view file = bundle_file(request.path());
    if (file.empty() && is_engine_path(request.path()))
        return engine_.on_request(std::move(exchange));
    const engineio::CorsPolicy& cors = engine_.options().cors;
    if (cors.enabled() && engineio::CorsPolicy::is_preflight(request))
        return exchange->respond(cors.preflight(request));
    if (!file.empty()) return serve(*exchange, [&] { return bundle_.answer(file, request); });
    if (auto page = pages_(request.path()))
        return serve(*exchange, [&] { return *std::move(page); });
    to_scripts(exchange);
}

template <typename Make>
void Router::serve(transport::HttpExchange& exchange, Make&& make) {
    const std::string& method = exchange.request().method;
    if (method == "GET" || method == "HEAD") return respond(exchange, make());
    transport::HttpResponse refused = plain(405, "Method Not Allowed\n");
    refused.headers.emplace_back("allow", "GET, HEAD");
    respond(exchange, std::move(refused));
}

void Router::to_scripts(const std::shared_ptr<transport::HttpExchange>& exchange) {
    const bool taken = scripts_.route(script_request(exchange->request()), [this, exchange](
                                                                               script::RouteResponse
                                                                                   result) {
        // A script answers on its namespace's reactor; the connection may live on another.
        exchange->reactor().run([this, exchange, result = std::move(result)]() mutable {
            // Not the path, which may hold a secret.
            if (result.status == 401)
                report({.kind = IncidentKind::auth_failed,
                        .address = exchange->request().remote_address,
                        .detail = "route"});
            respond(*exchange, {result.status, std::move(result.headers), std::move(result.body)});
        });
    });
    if (!taken) respond(*exchange, plain(404, "Not Found\n"));
}

void Router::respond(transport::HttpExchange& exchange, transport::HttpResponse response) {
    // Nobody serves OPTIONS; the refusal of a path that there is says what it allows.
    if (response.status == 405 && exchange.request().method == "OPTIONS") {
        response.status = 204;
        response.body.clear();
        std::erase_if(response.headers, [](auto& each) { return each.first == "content-type"; });
    }
    for (auto& header : engine_.options().cors.headers_for(exchange.request()))
        response.headers.push_back(std::move(header));
    exchange.respond(std::move(response));
}

}  // namespace moonwire::server
