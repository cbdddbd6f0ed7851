#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

#include "core/plugin/api/settings.hpp"
#include "plugins/redis/address.hpp"

namespace moonwire::redis {

/// What [plugins.redis] says. Immutable once read: any thread.
struct Options {
    Address address;
    std::string key;
    std::map<std::string, std::string> namespaces;  // the name in Redis, the name here
    std::size_t queue_messages = 0, queue_bytes = 0;
    std::size_t max_message_bytes = 0;               // of one, in either direction
    std::chrono::seconds timeout{};                  // to connect, and for each answer
    std::chrono::milliseconds delay{}, delay_max{};  // between attempts to connect
};

/// Mistakes are noted in `settings`.
Options read_options(plugin::Settings& settings);

}  // namespace moonwire::redis
