#include "core/server/script_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/clock.hpp"
#include "core/base/log.hpp"

namespace moonwire::server {
namespace {

namespace fs = std::filesystem;

/// So long nothing must have happened; at most so long it is put off while things go on.
constexpr std::chrono::milliseconds kQuiet{50}, kPatience{1000};
/// A deleted file takes its namespace's clients with it: it may only be on its way to a new one.
constexpr std::chrono::milliseconds kQuietAfterDeletion{500};
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO |
                                  IN_CREATE | IN_DELETE | IN_ONLYDIR;

bool is_hidden(std::string_view name) { return name.starts_with('.'); }

bool matters(const inotify_event& event) {
    if (event.mask & IN_Q_OVERFLOW) return true;
    if (event.mask & IN_IGNORED) return false;
    const std::string_view name = event.len > 0 ? event.name : "";
    if (is_hidden(name)) return false;
    return (event.mask & IN_ISDIR) || name.ends_with(".lua");
}

}  // namespace

ScriptWatch::ScriptWatch(const std::vector<fs::path>& folders, std::function<void()> changed)
    : changed_(std::move(changed)) {
    inotify_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    stop_ = eventfd(0, EFD_CLOEXEC);
    if (inotify_ < 0 || stop_ < 0) {
        log::warn("the scripts are not watched", {{"reason", std::strerror(errno)}});
        return;
    }
    for (const fs::path& folder : folders) add(folder);
    thread_ = std::thread([this] { run(); });
}

ScriptWatch::~ScriptWatch() {
    if (thread_.joinable()) {
        eventfd_write(stop_, 1);
        thread_.join();
    }
    if (inotify_ >= 0) close(inotify_);
    if (stop_ >= 0) close(stop_);
}

void ScriptWatch::add(const fs::path& folder) {
    const int watched = inotify_add_watch(inotify_, folder.c_str(), kEvents);
    if (watched < 0) {
        // ENOENT: it went again meanwhile.
        if (errno != ENOENT && errno != ENOTDIR && !std::exchange(told_of_limit_, true))
            log::warn("a folder of scripts is not watched",
                      {{"folder", folder.string()}, {"reason", std::strerror(errno)}});
        return;
    }
    folders_[watched] = folder;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
        if (entry.is_directory(error) && !entry.is_symlink(error) &&
            !is_hidden(entry.path().filename().string()))
            add(entry.path());
}

void ScriptWatch::note(const inotify_event& event) {
    if (event.mask & IN_IGNORED) folders_.erase(event.wd);
    const auto folder = folders_.find(event.wd);
    if (!matters(event) || event.len == 0 || folder == folders_.end()) return;
    const fs::path path = folder->second / event.name;
    if (event.mask & (IN_DELETE | IN_MOVED_FROM)) deleted_.push_back(path);
    else if ((event.mask & IN_ISDIR) && (event.mask & (IN_CREATE | IN_MOVED_TO))) add(path);
}

bool ScriptWatch::misses_files() const {
    std::error_code error;
    return std::any_of(deleted_.begin(), deleted_.end(),
                       [&](const fs::path& path) { return !fs::exists(path, error); });
}

bool ScriptWatch::take_events() {
    alignas(inotify_event) std::array<char, 16 * 1024> buffer;
    bool any = false;
    for (ssize_t got; (got = read(inotify_, buffer.data(), buffer.size())) > 0;) {
        for (const char* at = buffer.data(); at < buffer.data() + got;) {
            const auto& event = *reinterpret_cast<const inotify_event*>(at);
            at += sizeof event + event.len;
            any |= matters(event);
            note(event);
        }
    }
    return any;
}

void ScriptWatch::run() {
    std::array<pollfd, 2> wanted{{{stop_, POLLIN, 0}, {inotify_, POLLIN, 0}}};
    const auto wait = [&](int milliseconds) {
        return poll(wanted.data(), wanted.size(), milliseconds);
    };
    for (;;) {
        if (wait(-1) < 0 && errno != EINTR) return;
        if (wanted[0].revents != 0) return;
        if (!take_events()) continue;
        // Told while more comes in, half a change would be loaded.
        const TimePoint since = Clock::now();
        TimePoint last = since;
        while (Clock::now() - since < kPatience) {
            if (wait(int{kQuiet.count()}) > 0) {
                if (wanted[0].revents != 0) return;
                take_events();
                last = Clock::now();
            } else if (!misses_files() || Clock::now() - last >= kQuietAfterDeletion) {
                break;
            }
        }
        deleted_.clear();
        changed_();
    }
}

}  // namespace moonwire::server
