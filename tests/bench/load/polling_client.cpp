#include <charconv>
#include <optional>

#include "tests/bench/load/client.hpp"

namespace bench {
namespace {

/// One HTTP connection, kept alive: a request at a time.
class HttpConnection final : public Stream {
public:
    class User {
    public:
        virtual void on_response(HttpConnection& from, int status, std::string_view body) = 0;
        virtual void on_http_lost(const std::string& why) = 0;

    protected:
        ~User() = default;
    };

    HttpConnection(Loop& loop, const Endpoint& endpoint, User& user)
        : Stream(loop, endpoint), user_(user) {}

    bool busy() const { return busy_; }
    void request(std::string text) {
        busy_ = true;
        if (connected_) return write(text);
        waiting_ = std::move(text);
        if (!is_open()) open();
    }

private:
    void on_connected() override {
        connected_ = true;
        write(waiting_);
    }
    void on_lost(const std::string& why) override { user_.on_http_lost(why); }

    void on_bytes(std::string_view bytes) override {
        in_ += bytes;
        const auto head_end = in_.find("\r\n\r\n");
        if (head_end == std::string::npos) return;
        const std::string_view head(in_.data(), head_end + 2);
        std::string body;
        if (const auto length = header(head, "content-length")) {
            std::size_t size = 0;
            std::from_chars(length->data(), length->data() + length->size(), size);
            if (in_.size() < head_end + 4 + size) return;
            body = in_.substr(head_end + 4, size);
        } else if (!unchunk(std::string_view(in_).substr(head_end + 4), body)) {
            return;
        }
        int status = 0;
        std::from_chars(in_.data() + 9, in_.data() + 12, status);
        in_.clear();
        busy_ = false;
        user_.on_response(*this, status, body);
    }

    static std::optional<std::string_view> header(std::string_view head, std::string_view name) {
        for (std::size_t at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
            const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
            if (line.size() <= name.size() || line[name.size()] != ':') continue;
            bool same = true;
            for (std::size_t i = 0; i < name.size(); ++i) same &= (line[i] | 0x20) == name[i];
            if (!same) continue;
            std::string_view value = line.substr(name.size() + 1);
            while (value.starts_with(' ')) value.remove_prefix(1);
            return value;
        }
        return std::nullopt;
    }

    /// False while chunks are missing.
    static bool unchunk(std::string_view chunks, std::string& body) {
        for (;;) {
            const auto line = chunks.find("\r\n");
            if (line == std::string_view::npos) return false;
            std::size_t size = 0;
            std::from_chars(chunks.data(), chunks.data() + line, size, 16);
            if (chunks.size() < line + 2 + size + 2) return false;
            if (size == 0) return true;
            body += chunks.substr(line + 2, size);
            chunks.remove_prefix(line + 2 + size + 2);
        }
    }

    User& user_;
    bool connected_ = false;
    bool busy_ = false;
    std::string waiting_, in_;
};

/// Polls on one connection and posts on another, as browsers do.
class PollingClient final : public Client, private HttpConnection::User {
public:
    PollingClient(Loop& loop, const Endpoint& endpoint, ClientListener& listener)
        : Client(listener), get_(loop, endpoint, *this), post_(loop, endpoint, *this) {}

    void connect() override { poll(); }
    void close() override {
        get_.close();
        post_.close();
    }
    void send(std::string_view packet) override { send_engine_packet("4" + std::string(packet)); }

private:
    void send_engine_packet(std::string_view packet) override {
        if (!queued_.empty()) queued_ += '\x1e';
        queued_ += packet;
        post_queued();
    }

    std::string target() const {
        return "/socket.io/?EIO=4&transport=polling" + (sid_.empty() ? "" : "&sid=" + sid_) +
               " HTTP/1.1\r\nHost: localhost\r\n";
    }
    void poll() { get_.request("GET " + target() + "\r\n"); }
    void post_queued() {
        if (queued_.empty() || post_.busy()) return;
        post_.request("POST " + target() + "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: " +
                      std::to_string(queued_.size()) + "\r\n\r\n" + queued_);
        queued_.clear();
    }

    void on_response(HttpConnection& from, int status, std::string_view body) override {
        if (status != 200)
            return on_http_lost("HTTP status " + std::to_string(status) + ": " + std::string(body));
        if (&from == &post_) return post_queued();
        if (sid_.empty()) {
            const auto begin = body.find("\"sid\":\"") + 7;
            sid_ = body.substr(begin, body.find('"', begin) - begin);
        }
        const std::string payload(body);
        poll();
        for (std::size_t at = 0; at <= payload.size();) {
            const auto end = std::min(payload.find('\x1e', at), payload.size());
            on_engine_packet(std::string_view(payload).substr(at, end - at));
            at = end + 1;
        }
    }
    void on_http_lost(const std::string& why) override {
        close();
        listener_.on_lost(*this, why);
    }

    HttpConnection get_, post_;
    std::string sid_, queued_;
};

}  // namespace

std::unique_ptr<Client> make_polling_client(Loop& loop, const Endpoint& endpoint,
                                            ClientListener& listener) {
    return std::make_unique<PollingClient>(loop, endpoint, listener);
}

}  // namespace bench
