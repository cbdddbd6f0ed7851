#include "core/client/polling_carrier.hpp"

#include <deque>
#include <utility>

#include "core/base/url.hpp"
#include "core/client/server_messages.hpp"
#include "core/engineio/payload.hpp"

namespace moonwire::client {
namespace {

using transport::OutgoingResponse;

constexpr auto kPollTimeout = std::chrono::hours(24);  // the session's heartbeat is shorter
constexpr auto kCloseTimeout = std::chrono::seconds(2);

class PollingCarrier final : public Carrier, public std::enable_shared_from_this<PollingCarrier> {
public:
    PollingCarrier(Reactor& reactor, transport::HttpClient& http, HttpUrl url,
                   transport::Headers headers, std::shared_ptr<CarrierHandler> handler)
        : reactor_(reactor),
          http_(http),
          url_(std::move(url)),
          headers_(std::move(headers)),
          handler_(std::move(handler)) {}

    void poll() {
        request("GET", {}, [self = shared_from_this()](const OutgoingResponse& response) {
            self->on_polled(response.body);
        });
    }

    void send(std::string packet, bool binary) override {
        if (!handler_ || closing_) return;
        std::string part;
        if (binary) {
            part = "b";
            engineio::append_base64(part, packet);
        } else {
            part = std::move(packet);
        }
        buffered_bytes_ += part.size();
        queue_.push_back(std::move(part));
        flush();
    }

    std::size_t buffered_bytes() const override { return buffered_bytes_; }

    void settle() override {
        settling_ = true;
        if (!posting_) reactor_.post([self = shared_from_this()] { self->on_posted(); });
    }

    void close() override {
        if (!handler_ || closing_) return;
        if (!opened_) {
            closing_ = true;
            reactor_.post([self = shared_from_this()] { self->end({"closed", 0, {}}); });
            return;
        }
        send("1", false);
        closing_ = true;
        timer_ = reactor_.after(kCloseTimeout, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->end({"timed out", 0, {}});
        });
    }

private:
    template <typename Next>
    void request(std::string method, std::string body, Next next) {
        transport::OutgoingRequest request;
        request.method = std::move(method);
        request.url = url_;
        request.headers = headers_;
        if (!body.empty())
            request.headers.emplace_back("content-type", "text/plain;charset=UTF-8");
        request.body = std::move(body);
        request.timeout = kPollTimeout;
        http_.request(std::move(request), reactor_,
                      [self = shared_from_this(),
                       next = std::move(next)](Result<OutgoingResponse> response) mutable {
                          if (!self->handler_) return;
                          if (!response) return self->end({response.error().message, 0, {}});
                          if (response->status != 200)
                              return self->end(
                                  {"the server refused", response->status, response->body});
                          next(*response);
                      });
    }

    void on_polled(const std::string& body) {
        engineio::PayloadReader reader(body);
        while (!reader.done() && handler_) {
            const auto packet = reader.next();
            if (!packet) return end({"the server sent a malformed payload", 0, {}});
            if (packet->binary) {
                handler_->on_packet(packet->data, true);
                continue;
            }
            if (!opened_ && packet->type == engineio::PacketType::open) open(packet->data);
            handler_->on_packet(static_cast<char>(packet->type) + std::string(packet->data), false);
        }
        if (handler_ && opened_) poll();
    }

    /// From here on requests name the session; what is wrong with the handshake is the handler's
    /// to find.
    void open(std::string_view json) {
        const auto opening = parse_opening(json);
        if (!opening) return;
        opened_ = true;
        url_.target += "&sid=" + url_encode(opening->session_id);
        max_payload_ = opening->max_payload_bytes;
    }

    void flush() {
        if (posting_ || queue_.empty()) return;
        std::string body = std::move(queue_.front());
        queue_.pop_front();
        while (!queue_.empty() &&
               (max_payload_ == 0 || body.size() + 1 + queue_.front().size() <= max_payload_)) {
            body += engineio::kSeparator + queue_.front();
            queue_.pop_front();
        }
        posting_ = true;
        request("POST", std::move(body), [self = shared_from_this()](const OutgoingResponse&) {
            self->posting_ = false;
            if (self->queue_.empty()) self->buffered_bytes_ = 0;
            self->flush();
            self->on_posted();
        });
    }

    void on_posted() {
        if (posting_ || !handler_) return;
        if (closing_) return end({"closed", 0, {}});
        if (std::exchange(settling_, false)) handler_->on_settled();
        else if (buffered_bytes_ == 0) handler_->on_drained();
    }

    void end(transport::ClientEnd end) {
        const auto handler = std::exchange(handler_, nullptr);
        reactor_.cancel(timer_);
        if (handler) handler->on_end(std::move(end));
    }

    Reactor& reactor_;
    transport::HttpClient& http_;
    HttpUrl url_;
    const transport::Headers headers_;
    std::shared_ptr<CarrierHandler> handler_;  // null once ended
    std::deque<std::string> queue_;            // parts of payloads
    std::size_t buffered_bytes_ = 0;           // of them, and of what is being posted
    std::size_t max_payload_ = 0;
    TimerId timer_;
    bool opened_ = false;
    bool posting_ = false;
    bool settling_ = false;
    bool closing_ = false;
};

}  // namespace

std::shared_ptr<Carrier> connect_by_polling(Reactor& reactor, transport::HttpClient& http,
                                            HttpUrl url, transport::Headers headers,
                                            std::shared_ptr<CarrierHandler> handler) {
    auto carrier = std::make_shared<PollingCarrier>(reactor, http, std::move(url),
                                                    std::move(headers), std::move(handler));
    carrier->poll();
    return carrier;
}

}  // namespace moonwire::client
