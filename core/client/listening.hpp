#pragma once

#include <functional>
#include <set>
#include <string>

#include "core/client/emission.hpp"

namespace moonwire::client {

/// `moonwire listen`: tells every event of a namespace until it has told enough, its time is over or
/// it is interrupted; comes back, with growing pauses, when its connection is lost.
///
/// One reactor; `done` is called once, there. A first connection that fails is the end, and so is
/// a server that refuses or disconnects this client: it means it.
class Listening final : public SessionListener {
public:
    struct Options {
        std::string server;  // as the user named it, for messages
        Session::Options session{};
        std::set<std::string, std::less<>> events{};  // empty: all
        std::size_t count = 0;                        // ends after so many; 0: never
        Duration timeout{};                           // ends after that; 0: never
        bool json = false;                            // one document a line
        bool reconnect = true;
    };
    struct Output {
        /// An event, for stdout; false: nobody reads it any more.
        std::function<bool(std::string line)> event;
        /// What happens to the connection, for stderr.
        std::function<void(std::string line)> note;
    };
    /// The pause before the attempt of this number, from 0: 1 s, doubled each time, at most 30 s.
    static Duration pause_before(unsigned attempt);

    Listening(Reactor& reactor, Options options, Output output, Function<void(Outcome)> done);
    ~Listening();

    void start(Connect connect);
    void interrupt() { conclude({}); }

private:
    void on_connected(std::string_view socket_id) override;
    void on_event(std::string_view name, const Incoming& incoming) override;
    void on_acknowledged(const Incoming& incoming) override;
    void on_settled() override;
    void on_end(SessionEnd end) override;
    void connect();
    void on_time_over();
    void conclude(Outcome outcome);
    void finish();

    Reactor& reactor_;
    const Options options_;
    const Output output_;
    Function<void(Outcome)> done_;
    Connect connect_;
    std::shared_ptr<Session> session_;  // null in a pause
    std::optional<Outcome> outcome_;
    bool was_connected_ = false;
    unsigned attempt_ = 0;  // since the last connection
    std::size_t told_ = 0;
    TimerId over_, pause_;
};

/// An event as a line: `name [arguments]`, or `{"event":name,"args":[arguments]}`. A name that
/// would not stay one word is quoted.
std::string event_line(std::string_view name, std::string_view arguments, bool json);

}  // namespace moonwire::client
