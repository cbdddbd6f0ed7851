#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/client/emission.hpp"

namespace CLI {
class App;
}

namespace moonwire::server {

/// What `emit` and `listen` are told about the server that they join, and how to get there.
struct ClientOptions {
    std::string url, nsp, path = "/socket.io/";
    std::string auth;  // JSON, or @file
    std::vector<std::string> headers, query;
    bool polling = false, websocket = false;  // one at most; neither: WebSocket
    bool insecure = false;
    double timeout_seconds = 0;

    /// The arguments URL and NS, and the options but for --timeout, which they understand
    /// differently.
    void add_to(CLI::App& command);
    /// Checked; an error names the argument and what is wrong with it.
    struct Checked {
        client::Session::Options session;
        transport::WebSocketRequest request;
        bool polling = false;
    };
    Result<Checked> check() const;
    Duration timeout() const;
};

/// A file's content; "-" is standard input.
Result<std::string> read_text(const std::string& path);

/// Runs a client on a reactor of its own until it is done or a signal comes; prints its outcome and
/// returns the exit code. A second signal ends the process at once.
class ClientRun {
public:
    ClientRun();
    ~ClientRun();

    Reactor& reactor();
    client::Connect connector(const ClientOptions::Checked& options);
    /// For the client's `done`.
    Function<void(client::Outcome)> done();
    /// `begin` and, at a signal, `interrupt` are called on the reactor.
    int wait(Task begin, Task interrupt);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moonwire::server
