#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/engineio/cors.hpp"
#include "core/transport/frame.hpp"
#include "core/transport/http.hpp"

namespace moonwire::engineio {

/// The server-to-client half of HTTP long-polling: packets that wait for a GET, and the GET that
/// waits for packets. Owned by its session, on the session's reactor.
class PollingCarrier {
public:
    explicit PollingCarrier(const CorsPolicy& cors) : cors_(cors) {}

    bool has_poll() const noexcept { return poll_ && poll_->pending(); }
    std::size_t queued_bytes() const noexcept { return queued_bytes_; }
    bool empty() const noexcept { return queue_.empty(); }

    /// Takes a GET, to be answered by `answer`.
    void poll(std::shared_ptr<transport::HttpExchange> exchange);
    void send(const transport::Frame& frame);
    /// Answers the pending GET with what is queued, and `last` after it if given.
    void answer(std::string_view last = {});
    /// Hands over what is queued: the session has found a better carrier.
    std::vector<transport::Frame> take_queue();

private:
    const CorsPolicy& cors_;
    std::shared_ptr<transport::HttpExchange> poll_;
    std::vector<transport::Frame> queue_;
    std::size_t queued_bytes_ = 0;
};

/// The headers of every polling answer.
transport::HttpResponse polling_response(const transport::HttpRequest& request,
                                         const CorsPolicy& cors, std::string content_type,
                                         std::string body);

}  // namespace moonwire::engineio
