#pragma once

#include <vector>

#include "core/script/http_client.hpp"
#include "core/transport/http_client.hpp"

namespace moonwire::server {

/// The scripts' way out over HTTP: the transport's client. Threads and lifetimes are its.
class HttpClient final : public script::HttpClient {
public:
    HttpClient(const transport::HttpClientOptions& options, const std::vector<Reactor*>& reactors)
        : client_(options, reactors) {}

    Result<void> open() { return client_.open(); }
    void stop() { client_.stop(); }

    void request(script::OutgoingRequest request, Reactor& home,
                 Function<void(Result<script::IncomingResponse>)> done) override;

private:
    transport::HttpClient client_;
};

}  // namespace moonwire::server
