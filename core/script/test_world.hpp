#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/incidents.hpp"
#include "core/base/log.hpp"
#include "core/base/manual_reactor.hpp"
#include "core/script/app_files.hpp"
#include "core/script/host.hpp"
#include "core/script/test_plugins.hpp"
#include "core/script/test_session.hpp"
#include "core/socketio/server.hpp"

namespace moonwire::script {

/// What one test runs against: a broker of its own without a transport. Its clock is simulated and
/// only moves when it is told to; its HTTP requests end in `answer_http`.
///
/// One thread. While it lives, what that thread logs is kept here, and the incidents of its clients
/// are its own.
class TestWorld final : private log::Listener, private HttpClient, private Incidents::Listener {
public:
    struct Options {
        HostOptions host;  // with `sources`; `http` and the store are the world's own
        /// Makes its store, which is empty; null: it has none.
        std::function<std::unique_ptr<plugin::Store>()> make_store;
        socketio::ServerOptions server;
        std::vector<std::pair<std::string, std::string>> aliases;  // namespace, target
        double wall_start = 1'700'000'000;                         // seconds since the epoch
        TimePoint deadline = TimePoint::max();  // of real time: then it stands still
    };
    struct LogLine {
        log::Level level;
        std::string message;
        std::vector<log::Field> fields;
    };
    using HttpAnswer = std::function<Result<IncomingResponse>(const OutgoingRequest&)>;

    explicit TestWorld(Options options);
    ~TestWorld() override;

    /// Loads the scripts; once, first. What is wrong with them.
    std::vector<LoadError> load();

    /// What answers the scripts' `http.request`, called from the loop.
    void answer_http(HttpAnswer answer) { answer_http_ = std::move(answer); }

    /// A new connection; the world starts it.
    std::shared_ptr<TestSession> open(engineio::Handshake handshake,
                                      TestSession::Question question);

    /// Turns the loop until nothing is left to do at this moment.
    void settle();
    /// Moves the clock on, firing every timer on its way in order.
    void advance(Duration by);
    /// Turns the loop, moving the clock from timer to timer, until `done` or until so much simulated
    /// time is gone. Whether it is done.
    bool wait(const std::function<bool()>& done, Duration limit);

    /// Whether the real time of the test is over: nothing moves any more.
    bool overdue() const { return Clock::now() >= options_.deadline; }
    /// Whether the loop turns now: what is called from it must not turn it.
    bool turning() const noexcept { return turning_; }

    ManualReactor& reactor() noexcept { return reactor_; }
    socketio::Server& server() noexcept { return server_; }
    Host& host() noexcept { return host_; }
    const std::vector<LogLine>& logged() const noexcept { return logged_; }

private:
    HostOptions host_options();
    void on_line(log::Level level, std::string_view message, const log::Field* fields,
                 std::size_t count) override;
    void request(OutgoingRequest request, Reactor& home,
                 Function<void(Result<IncomingResponse>)> done) override;
    void on_incident(const Incident& incident) override;

    const Options options_;
    std::vector<LogLine> logged_;
    HttpAnswer answer_http_;
    ThreadIncidents incidents_;
    TestPlugins plugins_;
    ManualReactor reactor_;
    const std::unique_ptr<plugin::Store> store_;
    socketio::Server server_;
    Host host_;
    std::vector<std::shared_ptr<TestSession>> sessions_;
    bool turning_ = false;
};

}  // namespace moonwire::script
