#pragma once

#include <atomic>
#include <thread>

#include "core/plugin/api/host.hpp"
#include "plugins/common/wakeup.hpp"
#include "plugins/redis/figures.hpp"
#include "plugins/redis/limited_log.hpp"
#include "plugins/redis/link.hpp"
#include "plugins/redis/options.hpp"
#include "plugins/redis/outbox.hpp"

namespace moonwire::redis {

/// Publishes, on a thread and a connection of its own, in the order in which it was told. While
/// the server is away messages wait; those that were on their way when a connection broke are not
/// sent again, for others may have them.
class Publisher {
public:
    /// All of these outlive it.
    Publisher(const Options& options, plugin::Host& host, Figures& figures);
    ~Publisher() { stop(); }

    void start();
    /// Gives what is queued two seconds to go out, if the server is there. Waits for the thread.
    void stop();

    /// Any thread, at once. A volatile one does not wait for a server that is away.
    void publish(Publication message, bool is_volatile);
    std::size_t queued() const { return outbox_.size(); }

private:
    void run();
    void work(Link& link);
    void send(Link& link, const std::vector<Publication>& batch);

    const Options& options_;
    plugin::Host& host_;
    Figures& figures_;
    LimitedLog full_, large_, refused_;
    Outbox outbox_;
    plugins::Wakeup wakeup_;
    std::atomic<bool> ending_{false};
    std::chrono::steady_clock::time_point end_{};  // written before ending_
    std::thread thread_;
};

}  // namespace moonwire::redis
