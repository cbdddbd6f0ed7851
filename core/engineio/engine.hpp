#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/counter.hpp"
#include "core/base/shared_counts.hpp"
#include "core/base/shared_rates.hpp"
#include "core/engineio/errors.hpp"
#include "core/engineio/options.hpp"
#include "core/engineio/session.hpp"
#include "core/transport/http.hpp"

namespace moonwire::engineio {

class EngineSession;
class WebSocketCarrier;

/// Figures of one reactor's sessions; written there, read anywhere.
struct EngineStats {
    Counter opened, closed, upgrades;
    std::array<Counter, kRefusalReasons> refused;  // handshakes and requests, by reason
    Counter polling, websocket;                    // open now, by transport
    Counter packets_in, packets_out;
    Counter polling_queued_bytes;  // wait for a poll now
    Counter volatile_dropped;      // for their client could not take them at once
};

/// Serves `/socket.io/`: checks requests, opens sessions and hands them their requests.
///
/// Each reactor has its own table of sessions; a session's id tells its reactor (make_id), and the
/// transport brings every request there. Sessions are opened and forgotten here and nowhere else.
class Engine {
public:
    Engine(EngineOptions options, std::vector<Reactor*> reactors, SessionListener& listener);
    ~Engine();

    const EngineOptions& options() const noexcept { return options_; }
    const EngineStats& stats(unsigned reactor) const { return shards_[reactor]->stats; }

    /// The reactor of the session that the request names, else `current`. Any thread.
    Reactor& reactor_for(const transport::HttpRequest& request, Reactor& current) const;
    /// A request below the path, on its reactor.
    void on_request(std::shared_ptr<transport::HttpExchange> exchange);

    /// Refuses new sessions and closes all there are (the broker drains). Any thread.
    void shut_down();
    /// Sessions not yet ended, lingering ones included. Any thread.
    std::size_t session_count() const noexcept { return sessions_; }

private:
    friend class EngineSession;
    friend class WebSocketCarrier;
    /// What one reactor has; touched only there.
    struct Shard {
        Reactor& reactor;
        std::unordered_map<std::string, std::shared_ptr<EngineSession>> sessions;
        EngineStats stats;
    };

    bool is_allowed_origin(std::string_view origin) const;
    void handshake(const std::shared_ptr<transport::HttpExchange>& exchange);
    /// Whether the address may ask for one more handshake now.
    bool may_ask(const transport::HttpRequest& request, TimePoint now);
    /// A place under the address's limit of sessions, empty if there is none; nothing if it has too
    /// many.
    std::optional<SharedCounts::Place> find_place(const transport::HttpRequest& request);
    /// Waits for the guard's verdict, but not forever.
    void ask_guard(const std::shared_ptr<transport::HttpExchange>& exchange);
    /// Nothing stands against it any more; `headers` go with the answer.
    void admit(const std::shared_ptr<transport::HttpExchange>& exchange,
               transport::Headers headers);
    /// `message`: instead of the one that belongs to the reason.
    void refuse(transport::HttpExchange& exchange, RefusalReason reason,
                std::string_view message = {});
    /// Makes, lists and announces a session; nothing while shutting down. `carrier` is the
    /// WebSocket of one that starts so, `headers` are for the answer to a polling handshake. The
    /// session gives its place back when it is forgotten.
    std::shared_ptr<EngineSession> open(Reactor& reactor, const transport::HttpRequest& request,
                                        std::shared_ptr<WebSocketCarrier> carrier,
                                        SharedCounts::Place place, transport::Headers headers = {});
    void forget(EngineSession& session);
    EngineStats& stats_of(Reactor& reactor) { return shards_[reactor.index()]->stats; }

    const EngineOptions options_;
    SessionListener& listener_;
    const std::shared_ptr<SharedCounts> addresses_;  // sessions of each
    SharedRates handshakes_;                         // of each address
    std::vector<std::unique_ptr<Shard>> shards_;  // by reactor index
    std::atomic<std::size_t> sessions_{0};
    std::atomic<bool> shutting_down_{false};
};

}  // namespace moonwire::engineio
