#include "core/server/script_guard.hpp"

namespace moonwire::server {

script::RouteRequest script_request(const transport::HttpRequest& request) {
    return {request.method,
            std::string(request.path()),
            std::string(request.query()),
            request.headers,
            request.body,
            request.remote_address,
            request.secure};
}

void ScriptGuard::check(const transport::HttpRequest& request,
                        Function<void(engineio::Verdict)> decide) {
    scripts_.ask_request_hooks(
        script_request(request),
        [decide = std::move(decide)](script::RequestDecision decision) mutable {
            decide({decision.allowed, std::move(decision.message), std::move(decision.headers)});
        });
}

}  // namespace moonwire::server
