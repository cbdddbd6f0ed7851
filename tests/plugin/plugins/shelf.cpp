// A plugin that provides a store, for the tests: it answers on a thread of its own, and does what
// no store may when a setting or a key says so.
#include <condition_variable>
#include <mutex>
#include <queue>
#include <stdexcept>
#include <thread>
#include <utility>

#include "core/plugin/api/plugin.hpp"
#include "core/plugin/memory_store.hpp"

namespace {

using namespace moonwire::plugin;

class ShelfStore final : public Store {
public:
    ShelfStore(Host& host, const StoreLimits& limits, std::string fail_at)
        : host_(host), inner_(limits), fail_at_(std::move(fail_at)) {}
    ~ShelfStore() override { host_.log(LogLevel::info, "store gone"); }

    std::string start() override {
        if (fail_at_ == "store_start") return "shelf.db: it is full of books";
        if (fail_at_ == "store_throws") throw std::runtime_error("its start failed as told");
        thread_ = std::thread([this] { work(); });
        return {};
    }
    void execute(StoreRequest request, StoreCompletion completion) override {
        std::string key;
        if (const auto* set = std::get_if<StoreSet>(&request.operations.front())) key = set->key;
        if (key == "throw") throw std::runtime_error("thrown as told");
        if (key == "drop") return;
        if (key == "short") return completion({});
        std::unique_lock lock(mutex_);
        if (key == "keep") return kept_.push_back(std::move(completion));
        if (closed_) {
            lock.unlock();
            return completion({kStoreClosed, {}});
        }
        jobs_.push([this, key, request = std::move(request), completion = std::move(completion)] {
            inner_.execute(request, completion);
            if (key == "twice") completion({"a second answer", {}});
        });
        added_.notify_one();
    }
    void close() override {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        added_.notify_one();
        if (thread_.joinable()) thread_.join();
        host_.log(LogLevel::info, "store closed");
    }

private:
    void work() {
        std::unique_lock lock(mutex_);
        for (;;) {
            added_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
            if (jobs_.empty()) return;
            const auto job = std::move(jobs_.front());
            jobs_.pop();
            lock.unlock();
            job();
            lock.lock();
        }
    }

    Host& host_;
    MemoryStore inner_;
    const std::string fail_at_;
    std::thread thread_;
    std::mutex mutex_;  // guards what follows
    std::condition_variable added_;
    std::vector<StoreCompletion> kept_;
    std::queue<std::function<void()>> jobs_;
    bool closed_ = false;
};

class Shelf final : public Plugin {
public:
    void configure(Host& host, Settings& settings) override {
        host_ = &host;
        const std::string fail_at = settings.text("fail_at");
        StoreKind kind;
        kind.make = [this, fail_at](const StoreLimits& limits) -> std::unique_ptr<Store> {
            if (fail_at == "make") throw std::runtime_error("no store as told");
            if (fail_at == "null") return nullptr;
            host_->log(LogLevel::info, "store made");
            return std::make_unique<ShelfStore>(*host_, limits, fail_at);
        };
        host.provide(std::move(kind));
    }
    void start() override { host_->log(LogLevel::info, "started"); }
    void stop() override { host_->log(LogLevel::info, "stopped"); }

private:
    Host* host_ = nullptr;
};

}  // namespace

MOONWIRE_PLUGIN("shelf", Shelf)
