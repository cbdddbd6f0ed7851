#include "core/engineio/polling_carrier.hpp"

#include "core/engineio/jsonp.hpp"
#include "core/transport/content_coding.hpp"

namespace moonwire::engineio {

transport::HttpResponse polling_response(const transport::HttpRequest& request,
                                         const CorsPolicy& cors, std::string content_type,
                                         std::string body) {
    transport::HttpResponse response;
    response.headers = cors.headers_for(request);
    response.headers.emplace_back("content-type", std::move(content_type));
    response.headers.emplace_back("cache-control", "no-store");
    // Their filter takes a payload for an attack.
    const std::string_view agent = request.header("user-agent");
    if (agent.find(";MSIE") != agent.npos || agent.find("Trident/") != agent.npos)
        response.headers.emplace_back("x-xss-protection", "0");
    response.body = std::move(body);
    return response;
}

void PollingCarrier::poll(std::shared_ptr<transport::HttpExchange> exchange) {
    poll_ = std::move(exchange);
}

void PollingCarrier::send(const transport::Frame& frame, bool compress) {
    may_compress_ |= compress;
    queue_.push_back(frame);
    queued_bytes_ += frame.payload().size();
    queued_.add(frame.payload().size());
}

void PollingCarrier::answer() {
    if (!has_poll()) return;
    const auto poll = std::move(poll_);
    const std::optional<std::string> jsonp = jsonp::index_of(poll->request());
    Dialect dialect = dialect_;
    if (jsonp) dialect.base64 = true;  // a script is text
    const bool may_compress = may_compress_;
    Dialect::Body body = dialect.encode_payload(take_queue());
    const char* type = "text/plain; charset=UTF-8";
    if (body.binary) type = "application/octet-stream";
    if (jsonp) {
        body.bytes = jsonp::script(*jsonp, body.bytes);
        type = "text/javascript; charset=UTF-8";
    }
    auto response = polling_response(poll->request(), options_.cors, type, std::move(body.bytes));
    for (auto& header : std::exchange(first_headers_, {}))
        response.headers.push_back(std::move(header));
    // What a peer had sent must never be run as anything but the script that it is.
    if (jsonp) response.headers.emplace_back("x-content-type-options", "nosniff");
    if (may_compress) compress(poll->request(), response);
    poll->respond(std::move(response));
}

void PollingCarrier::compress(const transport::HttpRequest& request,
                              transport::HttpResponse& response) const {
    using transport::ContentCoding;
    if (!options_.http_compression || response.body.size() < options_.http_compression_threshold)
        return;
    response.headers.emplace_back("vary", "Accept-Encoding");
    constexpr ContentCoding kOffered[] = {ContentCoding::gzip, ContentCoding::deflate};
    const auto coding = transport::choose_coding(request.header("accept-encoding"), kOffered);
    if (coding == ContentCoding::identity) return;
    response.headers.emplace_back("content-encoding", transport::to_string(coding));
    response.body = transport::compress(response.body, coding);
}

std::vector<transport::Frame> PollingCarrier::take_queue() {
    queued_.subtract(std::exchange(queued_bytes_, 0));
    may_compress_ = false;
    return std::exchange(queue_, {});
}

}  // namespace moonwire::engineio
