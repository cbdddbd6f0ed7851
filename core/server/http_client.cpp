#include "core/server/http_client.hpp"

#include <utility>

namespace moonwire::server {

void HttpClient::request(script::OutgoingRequest request, Reactor& home,
                         Function<void(Result<script::IncomingResponse>)> done) {
    auto url = parse_http_url(request.url);
    if (!url) {
        home.post([done = std::move(done), error = url.error()]() mutable {
            done(std::move(error));
        });
        return;
    }
    client_.request({std::move(request.method), *std::move(url), std::move(request.headers),
                     std::move(request.body), request.timeout},
                    home,
                    [done = std::move(done)](Result<transport::OutgoingResponse> result) mutable {
                        if (!result) return done(result.error());
                        done(script::IncomingResponse{result->status, std::move(result->headers),
                                                      std::move(result->body)});
                    });
}

}  // namespace moonwire::server
