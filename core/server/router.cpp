#include "core/server/router.hpp"


namespace moonwire::server {
namespace {

constexpr std::string_view kEnginePath = "/socket.io";

bool is_engine_path(std::string_view path) {
    return path.starts_with(kEnginePath) &&
           (path.size() == kEnginePath.size() || path[kEnginePath.size()] == '/');
}

transport::HttpResponse plain(unsigned status, std::string body) {
    transport::HttpResponse response;
    response.status = status;
    response.headers = {{"content-type", "text/plain; charset=UTF-8"}};
    response.body = std::move(body);
    return response;
}

}  // namespace

Router::Router(engineio::Engine& engine, script::Host& scripts, Pages pages)
    : engine_(engine), scripts_(scripts), pages_(std::move(pages)) {}

Reactor& Router::reactor_for(const transport::HttpRequest& request, Reactor& current) {
    return is_engine_path(request.path()) ? engine_.reactor_for(request, current) : current;
}

void Router::on_request(std::shared_ptr<transport::HttpExchange> exchange) {
    const transport::HttpRequest& request = exchange->request();
    if (is_engine_path(request.path())) return engine_.on_request(std::move(exchange));
    if (auto page = pages_(request.path())) {
        if (request.method == "GET" || request.method == "HEAD")
            return respond(*exchange, *std::move(page));
        transport::HttpResponse refused = plain(405, "Method Not Allowed\n");
        refused.headers.emplace_back("allow", "GET, HEAD");
        return respond(*exchange, std::move(refused));
    }
    const engineio::CorsPolicy& cors = engine_.options().cors;
    if (cors.enabled() && engineio::CorsPolicy::is_preflight(request))
        return exchange->respond(cors.preflight(request));
    to_scripts(exchange);
}

void Router::to_scripts(const std::shared_ptr<transport::HttpExchange>& exchange) {
    const transport::HttpRequest& request = exchange->request();
    script::RouteRequest call{request.method,  std::string(request.path()),
                              std::string(request.query()), request.headers,
                              request.body,    request.remote_address};
    const bool taken = scripts_.route(std::move(call), [this, exchange](script::RouteResponse result) {
        // A script answers on its namespace's reactor; the connection may live on another.
        exchange->reactor().run([this, exchange, result = std::move(result)]() mutable {
            respond(*exchange, {result.status, std::move(result.headers), std::move(result.body)});
        });
    });
    if (!taken) respond(*exchange, plain(404, "Not Found\n"));
}

void Router::respond(transport::HttpExchange& exchange, transport::HttpResponse response) {
    for (auto& header : engine_.options().cors.headers_for(exchange.request()))
        response.headers.push_back(std::move(header));
    exchange.respond(std::move(response));
}

}  // namespace moonwire::server
