#pragma once

#include <memory>
#include <string>

#include "core/base/function.hpp"
#include "core/client/session.hpp"

namespace moonwire::client {

/// What a command has to say when it is over.
struct Outcome {
    bool ok = true;
    std::string output{};  // for stdout; empty: nothing
    std::string error{};   // for stderr, one line; empty: nothing
};

/// `moonwire emit`: connects, emits one event, and perhaps waits for its acknowledgement.
/// One reactor; `done` is called once, there, when the connection has ended.
class Emission final : public SessionListener {
public:
    struct Options {
        std::string server;  // as the user named it, for messages
        Session::Options session{};
        OutgoingEvent event{};
        bool acknowledge = false;
        Duration timeout = std::chrono::seconds(10);  // for all of it
    };
    Emission(Reactor& reactor, Options options, Function<void(Outcome)> done);
    ~Emission();

    void start(const Connect& connect);
    /// The user wants no more of it.
    void interrupt();

private:
    void on_connected(std::string_view socket_id) override;
    void on_event(std::string_view name, const Incoming& incoming) override;
    void on_acknowledged(const Incoming& incoming) override;
    void on_settled() override;
    void on_end(SessionEnd end) override;
    void conclude(Outcome outcome);

    Reactor& reactor_;
    const Options options_;
    Function<void(Outcome)> done_;
    std::shared_ptr<Session> session_;
    std::optional<Outcome> outcome_;
    bool connected_ = false;
    TimerId timer_;
};

/// Why there is no session, in one line: "cannot connect to http://a: connection refused".
std::string describe(const SessionEnd& end, const std::string& server, const std::string& nsp);

}  // namespace moonwire::client
