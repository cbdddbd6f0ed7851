#include "core/server/router.hpp"

#include <algorithm>

#include "core/base/incidents.hpp"
#include "core/script/once.hpp"
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

Router::Router(engineio::Engine& engine, script::Host& scripts, ClientBundle& bundle,
               AppPages& app_pages, const plugin::Provisions& plugins, Pages pages)
    : engine_(engine),
      scripts_(scripts),
      bundle_(bundle),
      app_pages_(app_pages),
      plugins_(plugins),
      pages_(std::move(pages)) {}

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
    if (const auto* route = plugins_.find_route(request.path())) return to_plugin(exchange, *route);
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

void Router::to_plugin(const std::shared_ptr<transport::HttpExchange>& exchange,
                       const plugin::HttpRoute& route) {
    plugin::HttpRequest request = script_request(exchange->request());
    const bool head = request.method == "HEAD";
    const auto serves = [&](std::string_view method) {
        return std::find(route.methods.begin(), route.methods.end(), method) != route.methods.end();
    };
    if (!serves(request.method) && !(head && serves("GET"))) {
        transport::HttpResponse refused = plain(405, "Method Not Allowed\n");
        std::string allow = serves("GET") && !serves("HEAD") ? "HEAD" : "";
        for (const std::string& method : route.methods)
            allow += (allow.empty() ? "" : ", ") + method;
        refused.headers.emplace_back("allow", std::move(allow));
        return respond(*exchange, std::move(refused));
    }
    route.handle(
        std::move(request),
        script::share_once<plugin::HttpResponse>(
            [this, exchange, head](plugin::HttpResponse response) {
                if (head) response.body.clear();
                respond_later(exchange, std::move(response));
            },
            {500, {{"content-type", "text/plain; charset=UTF-8"}}, "Internal Server Error\n"}));
}

void Router::to_scripts(const std::shared_ptr<transport::HttpExchange>& exchange) {
    const bool taken = scripts_.route(
        script_request(exchange->request()), [this, exchange](script::RouteResponse response) {
            // Not the path, which may hold a secret.
            if (response.status == 401)
                report({.kind = IncidentKind::auth_failed,
                        .address = exchange->request().remote_address,
                        .detail = "route"});
            respond_later(exchange, std::move(response));
        });
    if (taken) return;
    if (auto page = app_pages_.answer(exchange->request()))
        return serve(*exchange, [&] { return *std::move(page); });
    respond(*exchange, plain(404, "Not Found\n"));
}

void Router::respond_later(const std::shared_ptr<transport::HttpExchange>& exchange,
                           plugin::HttpResponse response) {
    exchange->reactor().run([this, exchange, response = std::move(response)]() mutable {
        respond(*exchange,
                {response.status, std::move(response.headers), std::move(response.body)});
    });
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
