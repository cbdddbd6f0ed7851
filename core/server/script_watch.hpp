#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

struct inotify_event;

namespace moonwire::server {

/// Tells when files below some folders change, by inotify(7), once they have settled: an editor
/// that writes a file in several steps, or beside it and renames, causes one call.
///
/// A thread of its own, which calls `changed`. Sees new folders. Where inotify does not work (some
/// network file systems) nothing is ever told; what can't be watched is logged.
class ScriptWatch {
public:
    /// A folder that is not there is left out.
    ScriptWatch(const std::vector<std::filesystem::path>& folders, std::function<void()> changed);
    ~ScriptWatch();
    ScriptWatch(const ScriptWatch&) = delete;
    ScriptWatch& operator=(const ScriptWatch&) = delete;

private:
    void add(const std::filesystem::path& folder);
    void run();
    void note(const inotify_event& event);
    /// Whether a file was deleted that has not come back.
    bool misses_files() const;
    /// Whether any of what is waiting is a change that matters.
    bool take_events();

    const std::function<void()> changed_;
    int inotify_ = -1;
    int stop_ = -1;                                // an eventfd
    std::map<int, std::filesystem::path> folders_;  // by inotify's descriptors
    std::vector<std::filesystem::path> deleted_;     // since the last call
    bool told_of_limit_ = false;
    std::thread thread_;
};

}  // namespace moonwire::server
