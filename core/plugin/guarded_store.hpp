#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "core/plugin/api/store.hpp"

namespace moonwire::plugin {

/// A plugin's store as the broker uses it: whatever the plugin does, nothing here throws, and each
/// request is answered once.
///
/// Any thread may call; the owner calls `start` first and `close` last. The plugin's own store is
/// made by `start` and gone when `close` returns, for the plugin may be gone then.
class GuardedStore final : public Store {
public:
    GuardedStore(std::string plugin, StoreKind kind, const StoreLimits& limits);
    ~GuardedStore() override { close(); }

    /// What is wrong names the plugin.
    std::string start() override;
    void execute(StoreRequest request, StoreCompletion completion) override;
    /// Waits for those that are in the plugin's `execute`.
    void close() override;

private:
    class Requests;
    class Answer;

    const std::string plugin_;
    const StoreKind kind_;
    const StoreLimits limits_;
    const std::shared_ptr<Requests> requests_;
    std::mutex mutex_;  // guards what follows
    std::condition_variable left_;
    std::unique_ptr<Store> inner_;  // constant while it is open or somebody is in it
    bool open_ = false;
    std::size_t inside_ = 0;  // calls of the plugin's `execute`
};

}  // namespace moonwire::plugin
