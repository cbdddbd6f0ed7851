#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "plugins/amqp/connection.hpp"
#include "plugins/amqp/figures.hpp"

namespace moonwire::amqp {

/// The connections that there are, by what namespaces want. Any thread.
class Connections {
public:
    using Make = std::function<std::shared_ptr<Connection>(const std::string& nsp,
                                                           ConnectionOptions options)>;
    /// A connection that nobody wants any more may take so long over what is under way.
    static constexpr std::chrono::seconds kGrace{5};
    /// The same at the broker's end.
    static constexpr std::chrono::seconds kLastGrace{2};

    /// `limit`: how many there may be at a time; each has a thread.
    Connections(std::size_t limit, Make make) : limit_(limit), make_(std::move(make)) {}

    /// What the namespace wants now, all of it: opens what is not there, lets go of what is not
    /// wanted any more, or otherwise. Returns the names that were beyond the limit.
    std::vector<std::string> want(const std::string& nsp, std::vector<ConnectionOptions> wanted);
    /// Null: there is none.
    std::shared_ptr<Connection> find(const std::string& nsp, const std::string& name) const;
    /// Of each, with its namespace and name.
    std::vector<ConnectionStatus> statuses() const;
    /// They consume no more.
    void drain();
    /// Ends all of them, and waits for that.
    void stop();

private:
    using Key = std::pair<std::string, std::string>;  // namespace and name

    const std::size_t limit_;
    const Make make_;
    mutable std::mutex mutex_;  // guards what follows
    bool draining_ = false;
    std::map<Key, std::shared_ptr<Connection>> all_;
    std::vector<std::shared_ptr<Connection>> ending_;
};

}  // namespace moonwire::amqp
