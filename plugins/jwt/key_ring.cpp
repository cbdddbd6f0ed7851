#include "plugins/jwt/key_ring.hpp"

#include <stdexcept>
#include <utility>

namespace moonwire::jwt {

void KeyRing::add(KeyFile file) {
    std::vector<Key> keys = file.read();
    files_.push_back({std::move(file), std::move(keys)});
}

KeyRing::Keys KeyRing::keys(Time now) {
    bool fetch = false;
    Keys all;
    {
        std::lock_guard lock(mutex_);
        look_at_files(now);
        if (all_->empty()) gather();
        fetch = fetch_ && now - got_ >= max_age_ && begin_fetch(now);
        all = all_;
    }
    if (fetch)
        fetch_([this](const std::string& text, const std::string& problem) {
            end_fetch(text, problem);
        });
    return all;
}

bool KeyRing::with_keys(bool missing, Time now, std::function<void(Keys)> go) {
    Keys all = keys(now);
    bool fetch = false;
    {
        std::lock_guard lock(mutex_);
        fetch = fetch_ && missing && begin_fetch(now);
        // One that is under way may bring what is missing.
        if (fetching_ && (missing || got_ == Time{})) {
            if (waiting_.size() >= kMaxWaiting) return false;
            waiting_.push_back(std::move(go));
            go = nullptr;
        } else {
            all = all_;
        }
    }
    if (fetch)
        fetch_([this](const std::string& text, const std::string& problem) {
            end_fetch(text, problem);
        });
    if (go) go(std::move(all));
    return true;
}

void KeyRing::look_at_files(Time now) {
    if (files_.empty() || now - looked_ < kFileInterval) return;
    looked_ = now;
    bool changed = false;
    for (File& each : files_) {
        if (!each.file.changed()) continue;
        try {
            each.keys = each.file.read();
            changed = true;
        } catch (const std::runtime_error& problem) {
            warn_("keys not read anew, the old ones stay", problem.what());
        }
    }
    if (changed) gather();
}

bool KeyRing::begin_fetch(Time now) {
    if (fetching_ || (asked_ != Time{} && now - asked_ < kAskInterval)) return false;
    asked_ = now;
    return fetching_ = true;
}

void KeyRing::end_fetch(const std::string& text, const std::string& problem) {
    std::string reason = problem;
    std::vector<Key> keys;
    if (reason.empty()) {
        try {
            keys = jwks_keys(text, true);
        } catch (const std::runtime_error& wrong) {
            reason = wrong.what();
        }
    }
    std::vector<std::function<void(Keys)>> waiting;
    Keys all;
    {
        std::lock_guard lock(mutex_);
        fetching_ = false;
        if (reason.empty()) {
            got_ = asked_;
            fetched_ = std::move(keys);
            gather();
        }
        waiting = std::exchange(waiting_, {});
        all = all_;
    }
    if (!reason.empty()) warn_("keys not fetched, the old ones stay", reason);
    for (const auto& go : waiting) go(all);
}

void KeyRing::gather() {
    auto all = std::make_shared<std::vector<Key>>(own_);
    for (const File& each : files_) all->insert(all->end(), each.keys.begin(), each.keys.end());
    all->insert(all->end(), fetched_.begin(), fetched_.end());
    all_ = std::move(all);
}

}  // namespace moonwire::jwt
