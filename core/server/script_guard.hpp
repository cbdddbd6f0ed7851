#pragma once

#include "core/engineio/handshake_guard.hpp"
#include "core/script/host.hpp"

namespace moonwire::server {

/// A request as scripts see it.
script::RouteRequest script_request(const transport::HttpRequest& request);

/// Gives the scripts' `on_request` its say in handshakes. Any reactor; the host outlives it.
class ScriptGuard final : public engineio::HandshakeGuard {
public:
    explicit ScriptGuard(script::Host& scripts) : scripts_(scripts) {}
    bool active() const override { return scripts_.has_request_hooks(); }
    void check(const transport::HttpRequest& request,
               Function<void(engineio::Verdict)> decide) override;

private:
    script::Host& scripts_;
};

}  // namespace moonwire::server
