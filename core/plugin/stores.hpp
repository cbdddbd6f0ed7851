#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/plugin/api/store.hpp"

namespace moonwire::plugin {

struct StoreSettings {
    std::string path;  // of the file, where there is one
    StoreLimits limits;
    bool check = true;       // look the whole file over at the start
    bool set_aside = false;  // a damaged file is renamed, and a new one begun
    /// Hears what is odd but no error. Any thread.
    std::function<void(std::string_view)> warn = [](std::string_view) {};
    /// Runs what answers many requests; who waits for the answers is woken at its end. Any thread.
    std::function<void(const std::function<void()>&)> answer_together =
        [](const std::function<void()>& answers) { answers(); };
};

/// The kinds that need no plugin.
inline constexpr std::string_view kBuiltInStores[] = {"sqlite", "memory"};

/// Gone with the process.
std::unique_ptr<Store> make_memory_store(const StoreSettings& settings);
/// In plugins/sqlite, which is linked in.
std::unique_ptr<Store> make_sqlite_store(const StoreSettings& settings);

}  // namespace moonwire::plugin
