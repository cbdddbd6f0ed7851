#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugins/jwt/key.hpp"
#include "plugins/jwt/key_source.hpp"

namespace moonwire::jwt {

/// All keys that count now: those that are set, those of files, read anew when they change, and
/// those of a URL, fetched anew when they are old or when a token's key is missing.
///
/// Any thread, once it is filled. What can't be read or fetched anew leaves what was there.
class KeyRing {
public:
    using Keys = std::shared_ptr<const std::vector<Key>>;
    using Time = std::chrono::steady_clock::time_point;
    /// Gets the text at the URL; calls back once, from any thread, with it or with why not.
    using Fetch = std::function<void(std::function<void(std::string text, std::string problem)>)>;
    using Warn = std::function<void(const std::string& message, const std::string& reason)>;

    /// Looks at files at most so often, and asks again for a key that is missing.
    static constexpr std::chrono::seconds kFileInterval{1};
    static constexpr std::chrono::seconds kAskInterval{10};
    /// So many may wait for one fetch.
    static constexpr std::size_t kMaxWaiting = 1000;

    explicit KeyRing(Warn warn) : warn_(std::move(warn)) {}

    // While it is filled. The second throws what reading it throws.
    void add(Key key) { own_.push_back(std::move(key)); }
    void add(KeyFile file);
    void fetch_by(Fetch fetch, std::chrono::seconds max_age) {
        fetch_ = std::move(fetch);
        max_age_ = max_age;
    }

    /// Those that count now; looks after files and the age of what was fetched.
    Keys keys(Time now);
    /// Calls `go` with keys: at once, unless there is a URL whose keys were never fetched, or, when
    /// `missing`, that was not asked for a while; then when it has answered. False: too many wait.
    bool with_keys(bool missing, Time now, std::function<void(Keys)> go);

private:
    struct File {
        KeyFile file;
        std::vector<Key> keys;
    };
    void look_at_files(Time now);
    bool begin_fetch(Time now);
    void end_fetch(const std::string& text, const std::string& problem);
    void gather();

    const Warn warn_;
    std::vector<Key> own_;
    Fetch fetch_;
    std::chrono::seconds max_age_{0};
    std::mutex mutex_;  // guards what follows
    std::vector<File> files_;
    Time looked_{};
    std::vector<Key> fetched_;
    bool fetching_ = false;
    Time asked_{}, got_{};  // the URL, last; and its keys
    std::vector<std::function<void(Keys)>> waiting_;
    Keys all_ = std::make_shared<const std::vector<Key>>();
};

}  // namespace moonwire::jwt
