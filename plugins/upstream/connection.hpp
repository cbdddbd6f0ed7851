#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/plugin/api/host.hpp"
#include "plugins/upstream/inbox.hpp"
#include "plugins/upstream/options.hpp"

namespace moonwire::upstream {

/// One connection of a namespace's scripts: brings them what the server sends, and the server what
/// they answer. Any thread.
class Connection final : public std::enable_shared_from_this<Connection> {
public:
    /// `closed` is called once it is, on the clients' thread or from within `open`.
    Connection(plugin::Host& host, std::string nsp, Wanted wanted,
               std::function<void(Connection&)> closed);

    const Wanted& wanted() const noexcept { return wanted_; }

    /// Once, first. What can't even be tried is logged, and has a status all the same.
    void open();
    /// From here on scripts hear nothing of it.
    void drain() { draining_ = true; }
    void close();

    plugin::Answer emit(std::string_view event, plugin::Values arguments);
    void call(std::string_view event, plugin::Values arguments, std::chrono::milliseconds timeout,
              plugin::Reply reply);
    void status(plugin::Reply reply);
    void reconnect();

private:
    void on_state(std::string_view state, const std::string& detail);
    void on_event(Arrival arrival);
    void begin(Arrival arrival);
    void answer(const Arrival& arrival, plugin::Answer answer);

    plugin::Host& host_;
    const std::string nsp_;
    const Wanted wanted_;
    const std::function<void(Connection&)> closed_;
    Inbox inbox_;
    std::shared_ptr<plugin::Client> client_;  // null if it can't be tried
    std::string problem_;                     // why
    std::atomic<bool> draining_{false};
};

}  // namespace moonwire::upstream
