#include "core/server/commands/client_options.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <mutex>
#include <optional>

#include "core/client/json_values.hpp"
#include "core/client/polling_carrier.hpp"
#include "core/client/server_url.hpp"
#include "core/client/websocket_carrier.hpp"
#include "core/server/commands/script_options.hpp"
#include "core/transport/asio_reactor.hpp"

namespace moonwire::server {
namespace {

constexpr double kLongestTimeout = 1e8;  // seconds; some years

/// "name<separator>value", both without the spaces around them.
std::optional<std::pair<std::string, std::string>> split(const std::string& text, char separator) {
    const std::size_t at = text.find(separator);
    if (at == std::string::npos || at == 0) return std::nullopt;
    const std::size_t value = std::min(text.find_first_not_of(' ', at + 1), text.size());
    return std::pair(text.substr(0, at), text.substr(value));
}

bool is_header_name(const std::string& name) {
    return std::all_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) > ' ' && static_cast<unsigned char>(c) < 0x7f;
    });
}

Result<std::string> parse_auth(const std::string& given) {
    if (given.empty()) return std::string();
    std::string text = given;
    if (text.starts_with('@')) {
        auto file = read_text(text.substr(1));
        if (!file) return Error{"--auth: " + file.error().message};
        text = *std::move(file);
    }
    std::vector<std::string> attachments;
    auto json = client::to_wire(text, attachments);
    if (!json) return Error{"--auth: not JSON at " + json.error().message};
    if (!json->starts_with('{')) return Error{"--auth: expected a JSON object"};
    if (!attachments.empty()) return Error{"--auth: binary can't be sent there"};
    return json;
}

}  // namespace

Result<std::string> read_text(const std::string& path) {
    if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    std::ifstream file(path, std::ios::binary);
    if (!file) return Error{path + ": cannot be read"};
    return std::string(std::istreambuf_iterator<char>(file), {});
}

void ClientOptions::add_to(CLI::App& command) {
    command.add_option("URL", url, "The server, as in http://localhost:3000")->required();
    command.add_option("NS", nsp, "The namespace, as in / or /chat")->required();
    command.add_option("--auth", auth, "What the client shows at connect")
        ->type_name("JSON|@FILE");
    command.add_option("--header", headers, "A header of its requests")->type_name("NAME:VALUE");
    command.add_option("--query", query, "A parameter of its requests")->type_name("NAME=VALUE");
    command.add_option("--path", path, "Where the server has Socket.IO")->capture_default_str();
    auto* polling_flag = command.add_flag("--polling", polling, "By HTTP long-polling");
    command.add_flag("--websocket", websocket, "By WebSocket (the default)")->excludes(polling_flag);
    command.add_flag("--insecure", insecure, "Believe any certificate");
}

Result<ClientOptions::Checked> ClientOptions::check() const {
    Checked checked;
    transport::Headers parameters;
    auto parsed = client::parse_server_url(url, parameters);
    if (!parsed) return parsed.error();
    if (!nsp.starts_with('/') || nsp.find_first_of(",?") != std::string::npos)
        return Error{"\"" + nsp + "\": a namespace begins with / and has no comma or ?"};
    checked.session.nsp = nsp;
    auto checked_auth = parse_auth(auth);
    if (!checked_auth) return checked_auth.error();
    checked.session.auth = *std::move(checked_auth);

    for (const std::string& each : query) {
        auto pair = split(each, '=');
        if (!pair) return Error{"--query takes NAME=VALUE, got \"" + each + "\""};
        parameters.push_back(*std::move(pair));
    }
    for (const std::string& each : headers) {
        auto pair = split(each, ':');
        if (!pair || !is_header_name(pair->first) ||
            pair->second.find_first_of("\r\n") != std::string::npos)
            return Error{"--header takes NAME:VALUE, got \"" + each + "\""};
        checked.request.headers.push_back(*std::move(pair));
    }
    if (!path.starts_with('/')) return Error{"--path begins with /, got \"" + path + "\""};
    checked.polling = polling;
    checked.request.url = *std::move(parsed);
    checked.request.url.target =
        client::engine_target(path, polling ? "polling" : "websocket", parameters);
    checked.request.verify = !insecure;
    return checked;
}

Duration ClientOptions::timeout() const {
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(std::min(timeout_seconds, kLongestTimeout)));
}

struct ClientRun::Impl {
    transport::AsioReactor reactor{0};
    std::optional<transport::HttpClient> http;  // for polling
    sigset_t signals;
    std::mutex mutex;
    std::optional<client::Outcome> outcome;
};

ClientRun::ClientRun() : impl_(std::make_unique<Impl>()) {
    // Blocked in every thread made from here on, so that `wait` is the only receiver; USR1 is how
    // the reactor calls it.
    sigemptyset(&impl_->signals);
    for (const int number : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&impl_->signals, number);
    pthread_sigmask(SIG_BLOCK, &impl_->signals, nullptr);
    signal(SIGPIPE, SIG_IGN);
}

ClientRun::~ClientRun() = default;

Reactor& ClientRun::reactor() { return impl_->reactor; }

client::Connect ClientRun::connector(const ClientOptions::Checked& options) {
    if (options.polling) {
        transport::HttpClientOptions http;
        http.verify = options.request.verify;
        http.max_body_bytes = options.request.max_message_bytes;
        impl_->http.emplace(std::move(http), std::vector<Reactor*>{&impl_->reactor});
        // Without authorities no certificate is trusted, which is then told.
        (void)impl_->http->open();
        return [impl = impl_.get(),
                request = options.request](std::shared_ptr<client::CarrierHandler> handler) {
            return client::connect_by_polling(impl->reactor, *impl->http, request.url,
                                              request.headers, std::move(handler));
        };
    }
    return [&reactor = impl_->reactor,
            request = options.request](std::shared_ptr<client::CarrierHandler> handler) {
        return client::connect_by_websocket(reactor, request, std::move(handler));
    };
}

Function<void(client::Outcome)> ClientRun::done() {
    return [impl = impl_.get()](client::Outcome outcome) {
        {
            std::lock_guard lock(impl->mutex);
            impl->outcome = std::move(outcome);
        }
        kill(getpid(), SIGUSR1);
    };
}

int ClientRun::wait(Task begin, Task interrupt) {
    impl_->reactor.start();
    impl_->reactor.post(std::move(begin));
    for (;;) {
        int number = 0;
        sigwait(&impl_->signals, &number);
        if (number == SIGUSR1) {
            std::lock_guard lock(impl_->mutex);
            if (impl_->outcome) break;
            continue;
        }
        // The next one does not wait for a goodbye.
        sigset_t deadly;
        sigemptyset(&deadly);
        for (const int each : {SIGINT, SIGTERM}) sigaddset(&deadly, each);
        pthread_sigmask(SIG_UNBLOCK, &deadly, nullptr);
        if (interrupt) impl_->reactor.post(std::exchange(interrupt, nullptr));
    }
    if (impl_->http) impl_->http->stop();
    impl_->reactor.stop();
    const client::Outcome& outcome = *impl_->outcome;
    if (!outcome.output.empty()) std::cout << outcome.output << std::endl;
    if (!outcome.error.empty()) return fail(Error{outcome.error});
    return outcome.ok ? 0 : 1;
}

}  // namespace moonwire::server
