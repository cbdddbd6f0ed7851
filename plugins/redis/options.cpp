#include "plugins/redis/options.hpp"

#include <set>
#include <stdexcept>

namespace moonwire::redis {
namespace {

std::map<std::string, std::string> read_namespaces(plugin::Settings settings) {
    std::map<std::string, std::string> names;
    std::set<std::string> here;
    for (const std::string& name : settings.names()) {
        const std::string target = settings.text(name);
        if (!name.starts_with('/') || !target.starts_with('/'))
            settings.fail(name, "expected namespaces, as in \"/\" = \"/orders\"");
        else if (!here.insert(target).second)
            settings.fail(name, "another name stands for " + target + " already");
        names.emplace(name, target);
    }
    return names;
}

}  // namespace

Options read_options(plugin::Settings& settings) {
    Options options;
    try {
        options.address = parse_address(settings.text("url", "redis://localhost"));
    } catch (const std::runtime_error& problem) {
        settings.fail("url", problem.what());
    }
    options.key = settings.text("key", "socket.io");
    if (options.key.empty()) settings.fail("key", "expected the key of the Node adapters");
    options.namespaces = read_namespaces(settings.table("namespaces"));
    const auto size = [&](const char* key, std::int64_t fallback, std::int64_t max) {
        return static_cast<std::size_t>(settings.integer(key, fallback, 1, max));
    };
    options.queue_messages = size("queue", 10'000, 100'000'000);
    options.queue_bytes = size("queue_bytes", 64 << 20, std::int64_t{64} << 30);
    options.max_message_bytes = size("max_message_bytes", 16 << 20, 512 << 20);
    options.timeout = std::chrono::seconds(settings.integer("timeout_seconds", 5, 1, 60));
    options.delay =
        std::chrono::milliseconds(settings.integer("reconnection_delay_ms", 500, 10, 60'000));
    options.delay_max = std::chrono::milliseconds(
        settings.integer("reconnection_delay_max_ms", 10'000, 10, 600'000));
    return options;
}

}  // namespace moonwire::redis
