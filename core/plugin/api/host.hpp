#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "adapter.hpp"
#include "authenticator.hpp"
#include "bridge.hpp"
#include "client.hpp"
#include "http.hpp"
#include "metrics.hpp"
#include "module.hpp"
#include "store.hpp"

namespace moonwire::plugin {

enum class LogLevel { debug, info, warn, error };
struct LogField {
    std::string_view name, value;
};

/// The broker, as one plugin sees it. Lives longer than the plugin.
class Host : public Bridge {
public:
    /// Writes a line to the broker's log, with the plugin's name. Any thread.
    virtual void log(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields = {}) = 0;

    // What the plugin offers; in Plugin::configure only. Each throws if it is taken already.
    virtual void provide(Module module) = 0;
    virtual void provide(HttpRoute route) = 0;
    virtual void provide(std::shared_ptr<Authenticator> authenticator) = 0;
    virtual void provide(std::shared_ptr<Adapter> adapter) = 0;
    virtual void provide(MetricsSource source) = 0;
    virtual void provide(StoreKind store) = 0;

    // From Plugin::start until Plugin::stop returned; any thread.
    /// `done` is called once, on a reactor, which it must not block.
    virtual void request(OutgoingHttp request, std::function<void(HttpAnswer)> done) = 0;
    /// Becomes a client of a Socket.IO server. Throws std::invalid_argument, with what is wrong.
    virtual std::shared_ptr<Client> connect(ClientOptions options, ClientListener listener) = 0;
    /// What another node sent: done here, and not published again. Messages of one thread are done
    /// in their order. 10 000 messages, and 64 MiB, may wait for a reactor.
    virtual Receipt receive(ClusterMessage message) = 0;
    /// The broker's figures: the JSON of /stats, made anew by each call.
    virtual std::string stats() = 0;
    /// All figures, made anew by each call: the broker's, the scripts', and what plugins provide.
    /// Takes some microseconds a series, so rather not on a reactor.
    virtual Metrics metrics() = 0;

protected:
    ~Host() = default;
};

}  // namespace moonwire::plugin
