// An Engine.IO server that sends every message back, at /engine.io/ on port 3000 (or the first
// argument): what the public Engine.IO protocol suite expects to find. With a second argument it
// serves clients of Engine.IO 3, too.

#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>

#include "core/engineio/engine.hpp"
#include "core/transport/server.hpp"

using namespace moonwire;

namespace {

class Echo final : public engineio::SessionHandler {
public:
    explicit Echo(std::shared_ptr<engineio::Session> session) : session_(std::move(session)) {}
    void on_message(std::string_view payload, bool binary) override {
        session_->send(
            binary ? engineio::binary_message(payload) : engineio::text_message(payload), {});
    }
    void on_close(engineio::CloseReason) override { session_.reset(); }

private:
    std::shared_ptr<engineio::Session> session_;
};

class EchoListener final : public engineio::SessionListener {
public:
    std::shared_ptr<engineio::SessionHandler> on_session(
        std::shared_ptr<engineio::Session> session) override {
        return std::make_shared<Echo>(std::move(session));
    }
};

class Door final : public transport::HttpHandler {
public:
    explicit Door(engineio::Engine& engine) : engine_(engine) {}
    Reactor& reactor_for(const transport::HttpRequest& request, Reactor& current) override {
        return engine_.reactor_for(request, current);
    }
    void on_request(std::shared_ptr<transport::HttpExchange> exchange) override {
        engine_.on_request(std::move(exchange));
    }

private:
    engineio::Engine& engine_;
};

}  // namespace

int main(int argc, char** argv) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    transport::TransportOptions options;
    options.host = "127.0.0.1";
    options.port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 3000);
    transport::TransportServer server(options, 2);

    engineio::EngineOptions engine_options;
    engine_options.ping_interval = std::chrono::milliseconds(300);
    engine_options.ping_timeout = std::chrono::milliseconds(200);
    engine_options.cors = engineio::CorsPolicy({"*"}, false);
    engine_options.allow_eio3 = argc > 2;
    EchoListener listener;
    engineio::Engine engine(engine_options, {&server.reactor(0), &server.reactor(1)}, listener);
    Door door(engine);
    server.start();
    const auto addresses = server.listen(door);
    if (!addresses) {
        std::fprintf(stderr, "%s\n", addresses.error().message.c_str());
        return 1;
    }
    std::printf("listening on %s\n", addresses->front().url.c_str());
    std::fflush(stdout);
    int number = 0;
    sigwait(&signals, &number);
    server.stop();
    return 0;
}
