#pragma once

#include <utility>
#include <vector>

#include "core/script/http_client.hpp"

namespace moonwire::script {

/// Keeps what scripts ask for until the test answers.
class FakeHttp final : public HttpClient {
public:
    void request(OutgoingRequest request, Reactor&,
                 Function<void(Result<IncomingResponse>)> done) override {
        requests.push_back(std::move(request));
        pending.push_back(std::move(done));
    }
    /// Answers the oldest that waits.
    void answer(Result<IncomingResponse> result) {
        auto done = std::move(pending.front());
        pending.erase(pending.begin());
        done(std::move(result));
    }

    std::vector<OutgoingRequest> requests;
    std::vector<Function<void(Result<IncomingResponse>)>> pending;
};

}  // namespace moonwire::script
