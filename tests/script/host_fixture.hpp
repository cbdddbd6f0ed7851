#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/manual_reactor.hpp"
#include "core/script/host.hpp"
#include "core/socketio/server.hpp"

namespace moonwire::script {

/// A folder of scripts that goes with the test.
class ScriptFolder {
public:
    ScriptFolder() {
        static std::atomic<int> count{0};
        path_ = std::filesystem::temp_directory_path() /
                ("moonwire-script-" + std::to_string(getpid()) + "-" + std::to_string(count++));
        std::filesystem::create_directories(path_);
    }
    ~ScriptFolder() { std::filesystem::remove_all(path_); }

    void write(const std::string& name, std::string_view text) const {
        std::filesystem::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / name, std::ios::binary) << text;
    }
    void remove(const std::string& name) const { std::filesystem::remove(path_ / name); }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// A session with no transport: the test speaks for the client, as text packets.
class ScriptClient final : public engineio::Session {
public:
    ScriptClient(Reactor& reactor, std::string id) : reactor_(reactor), id_(std::move(id)) {
        details->headers = {{"user-agent", "test"}};
        details->query = {{"token", "q1"}};
        details->address = "10.0.0.1";
        details->url = "/socket.io/?token=q1";
        details->issued = 1'700'000'000;
    }

    const std::string& id() const override { return id_; }
    std::shared_ptr<const engineio::Handshake> handshake() const override { return details; }
    Reactor& reactor() override { return reactor_; }
    engineio::TransportKind transport() const override {
        return engineio::TransportKind::websocket;
    }
    std::optional<Duration> latency() const override { return std::chrono::milliseconds(20); }
    void send(const engineio::Frame& frame, engineio::SendOptions options) override {
        if (closed || (options.is_volatile && !writable)) return;
        sent.emplace_back(frame.is_binary() ? "b:" + std::string(frame.payload())
                                            : std::string(engineio::message_text(frame)));
        if (on_send) on_send(sent.back());
    }
    void slow_down() override {}
    void close(engineio::CloseReason reason) override {
        if (closed) return;
        closed = reason;
        reactor_.post([this, reason] { finish(reason); });
    }
    void finish(engineio::CloseReason reason = engineio::CloseReason::transport_close) {
        if (const auto last = std::exchange(handler, nullptr)) last->on_close(reason);
    }
    void receive(std::string_view text) {
        if (handler) handler->on_message(text, false);
    }
    void receive_binary(std::string_view bytes) {
        if (handler) handler->on_message(bytes, true);
    }
    std::vector<std::string> take() { return std::exchange(sent, {}); }

    std::shared_ptr<engineio::Handshake> details = std::make_shared<engineio::Handshake>();
    std::shared_ptr<engineio::SessionHandler> handler;
    std::vector<std::string> sent;
    std::optional<engineio::CloseReason> closed;
    bool writable = true;
    std::function<void(const std::string&)> on_send;

private:
    Reactor& reactor_;
    const std::string id_;
};

using ClientPtr = std::shared_ptr<ScriptClient>;
using Lines = std::vector<std::string>;

/// A broker without transport: a simulated reactor, a Socket.IO server, and the host with one app
/// named "app" in a folder of its own.
struct ScriptTest {
    explicit ScriptTest(std::size_t reactor_count = 1,
                        socketio::ServerOptions server_options = {}) {
        for (std::size_t i = 0; i < reactor_count; ++i)
            reactors.push_back(std::make_unique<ManualReactor>(static_cast<unsigned>(i)));
        std::vector<Reactor*> all;
        for (const auto& each : reactors) all.push_back(each.get());
        server = std::make_unique<socketio::Server>(server_options, all);
        options.apps.push_back(app("app", folder));
        options.limits.handler = std::chrono::seconds(30);  // the machine may be slow
        options.limits.load = std::chrono::seconds(30);
    }
    ~ScriptTest() {
        for (const auto& client : clients) client->finish();
        settle();
        if (host) host->stop();
        settle();
        host.reset();
        settle();
    }

    App app(const std::string& name, const ScriptFolder& where) {
        return {name, where.path(),
                std::make_shared<const std::function<std::optional<std::string>(std::string_view)>>(
                    [this](std::string_view key) -> std::optional<std::string> {
                        const auto found = settings.find(std::string(key));
                        if (found == settings.end()) return std::nullopt;
                        return found->second;
                    })};
    }
    Host& make_host() {
        std::vector<Reactor*> all;
        for (const auto& each : reactors) all.push_back(each.get());
        host = std::make_unique<Host>(options, *server, all);
        return *host;
    }
    /// Writes main.lua and loads; there must be no error.
    void load(std::string_view main) {
        folder.write("main.lua", main);
        load();
    }
    void load() {
        for (const LoadError& error : make_host().load())
            FAIL(error.file, ":", error.line, ": ", error.message);
        settle();
    }
    /// What loading main.lua says is wrong, as "file:line: message".
    Lines load_errors(std::string_view main) {
        folder.write("main.lua", main);
        return load_errors();
    }
    Lines load_errors() {
        Lines lines = as_lines(make_host().load());
        settle();
        return lines;
    }
    Lines reload() {
        std::optional<Lines> lines;
        host->reload([&](std::vector<LoadError> errors) { lines = as_lines(errors); });
        settle();
        REQUIRE(lines);
        return *lines;
    }
    Lines reload(std::string_view main) {
        folder.write("main.lua", main);
        return reload();
    }
    static Lines as_lines(const std::vector<LoadError>& errors) {
        Lines lines;
        for (const LoadError& each : errors)
            lines.push_back(each.file + ":" + std::to_string(each.line) + ": " + each.message);
        return lines;
    }

    void settle() {
        // A reactor may give another one work.
        for (int i = 0; i < 5; ++i)
            for (const auto& each : reactors) each->settle();
    }
    void advance(double seconds) {
        for (const auto& each : reactors)
            each->advance(
                std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
        settle();
    }

    ClientPtr open() {
        auto client = std::make_shared<ScriptClient>(*reactors.front(),
                                                     "session" + std::to_string(clients.size()));
        client->handler = server->on_session(client);
        clients.push_back(client);
        return client;
    }
    /// Opens a session and asks to join; what came back stays to be taken.
    ClientPtr knock(const std::string& nsp = "/t", std::string_view auth = "") {
        auto client = open();
        client->receive("0" + nsp + "," + std::string(auth));
        settle();
        return client;
    }
    /// Joins, and forgets the answer.
    ClientPtr join(const std::string& nsp = "/t", std::string_view auth = "") {
        auto client = knock(nsp, auth);
        REQUIRE(!client->sent.empty());
        REQUIRE(client->sent.front().starts_with("0" + nsp + ",{\"sid\":"));
        client->take();
        return client;
    }
    /// Sends `["event",...]` without asking for an acknowledgement.
    void send(const ClientPtr& client, const std::string& json, const std::string& nsp = "/t") {
        client->receive("2" + nsp + "," + json);
        settle();
    }
    /// Sends it and returns the acknowledgement's arguments; empty if none came.
    std::string ask(const ClientPtr& client, const std::string& json,
                    const std::string& nsp = "/t") {
        const std::string id = std::to_string(next_id++);
        client->receive("2" + nsp + "," + id + json);
        settle();
        return answer(client, id, nsp);
    }
    std::string answer(const ClientPtr& client, const std::string& id,
                       const std::string& nsp = "/t") {
        const std::string prefix = "3" + nsp + "," + id + "[";
        for (auto at = client->sent.begin(); at != client->sent.end(); ++at) {
            if (!at->starts_with(prefix)) continue;
            std::string found = at->substr(prefix.size() - 1);
            client->sent.erase(at);
            return found;
        }
        return {};
    }
    std::optional<RouteResponse> request(RouteRequest request) {
        // Shared: one that waits is answered after this returned, at the latest when all ends.
        struct Answer {
            std::optional<RouteResponse> response;
            int count = 0;
        };
        const auto answer = std::make_shared<Answer>();
        taken = host->route(std::move(request), [answer](RouteResponse response) {
            answer->response = std::move(response);
            CHECK(++answer->count == 1);
        });
        settle();
        return answer->response;
    }

    ScriptFolder folder;
    HostOptions options;
    std::map<std::string, std::string> settings;
    std::vector<std::unique_ptr<ManualReactor>> reactors;
    std::unique_ptr<socketio::Server> server;
    std::unique_ptr<Host> host;
    std::vector<ClientPtr> clients;
    int next_id = 100;
    bool taken = false;  // of the last request
};

}  // namespace moonwire::script
