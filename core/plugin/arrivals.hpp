#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/limited_log.hpp"
#include "core/base/reactor.hpp"
#include "core/plugin/api/adapter.hpp"
#include "core/socketio/server.hpp"

namespace moonwire::plugin {

/// What other nodes sent, on its way to the namespaces of this one, where it is done and never
/// published again. Any thread; what one thread brings is done in its order.
class Arrivals {
public:
    /// What may wait for one reactor; messages beyond are dropped, and logged.
    static constexpr std::size_t kMaxMessages = 10'000;
    static constexpr std::size_t kMaxBytes = 64u << 20;

    explicit Arrivals(std::string plugin);

    Receipt take(socketio::Server& server, ClusterMessage message);

private:
    /// Shared with the tasks, which may outlive this.
    struct Waiting {
        std::atomic<std::size_t> messages{0}, bytes{0};
    };
    class Place;
    std::shared_ptr<Waiting> waiting_for(Reactor& reactor);
    Receipt refuse(LimitedLog& log, Receipt receipt, const std::string& nsp,
                   const std::string& why);

    const std::string plugin_;
    LimitedLog invalid_, full_;
    std::mutex mutex_;  // guards what follows
    std::map<Reactor*, std::shared_ptr<Waiting>> waiting_;
};

}  // namespace moonwire::plugin
