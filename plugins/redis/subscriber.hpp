#pragma once

#include <atomic>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

#include "core/plugin/api/host.hpp"
#include "plugins/common/wakeup.hpp"
#include "plugins/redis/figures.hpp"
#include "plugins/redis/link.hpp"
#include "plugins/redis/options.hpp"

namespace moonwire::redis {

/// Hears what is published, on a thread and a connection of its own.
class Subscriber {
public:
    /// Called on the thread; must not throw.
    using Heard = std::function<void(std::string_view channel, std::string_view payload)>;

    /// `options`, `host` and `figures` outlive it.
    Subscriber(const Options& options, std::vector<std::string> patterns, plugin::Host& host,
               Figures& figures, Heard heard);
    ~Subscriber() { stop(); }

    /// Returns once it hears, or the first attempt has failed.
    void start();
    /// Waits for the thread, which may be waiting for a server's answer.
    void stop();

private:
    void run(const std::function<void()>& tried);
    void subscribe(Link& link);
    void listen(Link& link);
    void take(const redisReply& reply);

    const Options& options_;
    const std::vector<std::string> patterns_;
    plugin::Host& host_;
    Figures& figures_;
    const Heard heard_;
    plugins::Wakeup wakeup_;
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

}  // namespace moonwire::redis
