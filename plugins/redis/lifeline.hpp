#pragma once

#include <string>

#include "core/plugin/api/host.hpp"

namespace moonwire::redis {

/// Says in the log when a connection comes and goes, once each. One thread.
class Lifeline {
public:
    /// `what` is "publishing" or "subscribing"; `server` holds no password.
    Lifeline(plugin::Host& host, std::string what, std::string server)
        : host_(host), what_(std::move(what)), server_(std::move(server)) {}

    /// Whether it was there before.
    bool up() {
        const bool again = was_up_;
        host_.log(plugin::LogLevel::info, again ? "connected again" : "connected",
                  {{"for", what_}, {"server", server_}});
        was_up_ = true;
        is_told_ = false;
        return again;
    }
    void down(const std::string& why) {
        if (is_told_) return;
        host_.log(plugin::LogLevel::warn, "no connection; trying again",
                  {{"for", what_}, {"server", server_}, {"why", why}});
        is_told_ = true;
    }

private:
    plugin::Host& host_;
    const std::string what_, server_;
    bool was_up_ = false, is_told_ = false;
};

}  // namespace moonwire::redis
