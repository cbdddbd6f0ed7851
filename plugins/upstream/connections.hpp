#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "plugins/upstream/connection.hpp"

namespace moonwire::upstream {

/// The connections of all namespaces, by namespace and name. Any thread.
class Connections {
public:
    explicit Connections(plugin::Host& host) : host_(host) {}

    /// Opens and closes until there is what the namespace's scripts want; what is there with the
    /// same options stays as it is.
    void settle(const std::string& nsp, std::vector<Wanted> wanted);
    /// Null if there is none.
    std::shared_ptr<Connection> find(const std::string& nsp, const std::string& name) const;

    /// Nothing more for the scripts.
    void drain();
    /// Closes all and waits until they are; false if it took longer.
    bool close(std::chrono::milliseconds patience);

private:
    using Key = std::pair<std::string, std::string>;
    void forget(Connection& connection);

    plugin::Host& host_;
    mutable std::mutex mutex_;
    std::condition_variable closed_;
    std::map<Key, std::shared_ptr<Connection>> open_;
    std::vector<std::shared_ptr<Connection>> closing_;
};

}  // namespace moonwire::upstream
