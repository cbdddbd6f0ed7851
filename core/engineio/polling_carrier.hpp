#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/base/counter.hpp"
#include "core/engineio/dialect.hpp"
#include "core/engineio/options.hpp"
#include "core/transport/frame.hpp"
#include "core/transport/http.hpp"

namespace moonwire::engineio {

/// The server-to-client half of HTTP long-polling: packets that wait for a GET, and the GET that
/// waits for packets. Owned by its session, on the session's reactor.
class PollingCarrier {
public:
    /// `options` outlive it; `queued` counts the bytes of all the reactor's carriers, and is let
    /// alone once `take_queue` was called for the last time.
    PollingCarrier(const EngineOptions& options, Dialect dialect, Counter& queued)
        : options_(options), dialect_(dialect), queued_(queued) {}

    bool has_poll() const noexcept { return poll_ && poll_->pending(); }
    std::size_t queued_bytes() const noexcept { return queued_bytes_; }
    Dialect dialect() const noexcept { return dialect_; }
    bool empty() const noexcept { return queue_.empty(); }

    /// Takes a GET, to be answered by `answer`.
    void poll(std::shared_ptr<transport::HttpExchange> exchange);
    /// `compress`: the answer that carries it may be compressed.
    void send(const transport::Frame& frame, bool compress = false);
    /// For the next answer, the first one.
    void set_first_headers(transport::Headers headers) { first_headers_ = std::move(headers); }
    /// Answers the pending GET with what is queued.
    void answer();
    /// Hands over what is queued: the session has found a better carrier.
    std::vector<transport::Frame> take_queue();

private:
    void compress(const transport::HttpRequest& request, transport::HttpResponse& response) const;

    const EngineOptions& options_;
    const Dialect dialect_;
    Counter& queued_;
    std::shared_ptr<transport::HttpExchange> poll_;
    std::vector<transport::Frame> queue_;
    transport::Headers first_headers_;
    std::size_t queued_bytes_ = 0;
    bool may_compress_ = false;  // what is queued: if any of it may
};

/// The headers of every polling answer.
transport::HttpResponse polling_response(const transport::HttpRequest& request,
                                         const CorsPolicy& cors, std::string content_type,
                                         std::string body);

}  // namespace moonwire::engineio
