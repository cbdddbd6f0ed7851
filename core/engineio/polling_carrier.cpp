#include "core/engineio/polling_carrier.hpp"

#include "core/engineio/payload.hpp"

namespace moonwire::engineio {

transport::HttpResponse polling_response(const transport::HttpRequest& request,
                                         const CorsPolicy& cors, std::string content_type,
                                         std::string body) {
    transport::HttpResponse response;
    response.headers = cors.headers_for(request);
    response.headers.emplace_back("content-type", std::move(content_type));
    response.headers.emplace_back("cache-control", "no-store");
    response.body = std::move(body);
    return response;
}

void PollingCarrier::poll(std::shared_ptr<transport::HttpExchange> exchange) {
    poll_ = std::move(exchange);
}

void PollingCarrier::send(const transport::Frame& frame) {
    queue_.push_back(frame);
    queued_bytes_ += frame.payload().size();
}

void PollingCarrier::answer(std::string_view last) {
    if (!has_poll()) return;
    std::string body;
    body.reserve(queued_bytes_ + queue_.size() + last.size() + 1);
    for (const transport::Frame& frame : take_queue()) append_to_payload(body, frame);
    if (!last.empty()) {
        if (!body.empty()) body += kSeparator;
        body += last;
    }
    const auto poll = std::move(poll_);
    poll->respond(
        polling_response(poll->request(), cors_, "text/plain; charset=UTF-8", std::move(body)));
}

std::vector<transport::Frame> PollingCarrier::take_queue() {
    queued_bytes_ = 0;
    return std::exchange(queue_, {});
}

}  // namespace moonwire::engineio
