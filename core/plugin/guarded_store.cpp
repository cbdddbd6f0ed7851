#include "core/plugin/guarded_store.hpp"

#include <cstdint>
#include <exception>
#include <unordered_map>
#include <utility>

#include "core/plugin/guarded.hpp"

namespace moonwire::plugin {
namespace {

constexpr const char* kFailed = "the store failed";

}  // namespace

/// The requests that the plugin has not answered yet. Any thread.
class GuardedStore::Requests {
public:
    explicit Requests(std::string plugin) : plugin_(std::move(plugin)) {}

    std::uint64_t add(StoreCompletion completion) {
        std::lock_guard lock(mutex_);
        waiting_.emplace(++last_, std::move(completion));
        return last_;
    }
    /// The first answer counts, and none does after `end`. False if this one did not.
    bool answer(std::uint64_t id, StoreReply reply) {
        StoreCompletion completion;
        {
            std::lock_guard lock(mutex_);
            const auto found = waiting_.find(id);
            if (found == waiting_.end()) return false;
            completion = std::move(found->second);
            waiting_.erase(found);
            ++answering_;
        }
        completion(std::move(reply));
        completion = nullptr;  // and what it holds
        std::lock_guard lock(mutex_);
        if (--answering_ == 0) answered_.notify_all();
        return true;
    }
    /// No more is added. Answers what is left, and returns when nobody is at it any more: whom the
    /// completions belong to may go then.
    void end() {
        std::unique_lock lock(mutex_);
        const auto left = std::exchange(waiting_, {});
        answered_.wait(lock, [this] { return answering_ == 0; });
        lock.unlock();
        if (!left.empty())
            log_failure(plugin_, "store",
                        std::to_string(left.size()) + " requests unanswered at its end");
        for (const auto& [id, completion] : left) completion({kStoreClosed, {}});
    }

    const std::string& plugin() const noexcept { return plugin_; }

private:
    const std::string plugin_;
    std::mutex mutex_;  // guards what follows
    std::condition_variable answered_;
    std::unordered_map<std::uint64_t, StoreCompletion> waiting_;
    std::uint64_t last_ = 0;
    std::size_t answering_ = 0;  // completions that run
};

/// What a plugin answers one request with. One that it drops is answered, too.
class GuardedStore::Answer {
public:
    Answer(std::shared_ptr<Requests> requests, std::uint64_t id, std::size_t operations)
        : requests_(std::move(requests)), id_(id), operations_(operations) {}
    ~Answer() {
        if (requests_->answer(id_, {kFailed, {}}))
            log_failure(requests_->plugin(), "store", "a request was dropped without an answer");
    }

    void give(StoreReply reply) {
        // Who asked looks at the results by their number.
        const std::size_t results = reply.results.size();
        const bool whole = !reply.error.empty() || results == operations_;
        if (requests_->answer(id_, whole ? std::move(reply) : StoreReply{kFailed, {}}) && !whole)
            log_failure(requests_->plugin(), "store",
                        std::to_string(results) + " results of " + std::to_string(operations_) +
                            " operations");
    }
    void fail() { requests_->answer(id_, {kFailed, {}}); }

private:
    const std::shared_ptr<Requests> requests_;
    const std::uint64_t id_;
    const std::size_t operations_;
};

GuardedStore::GuardedStore(std::string plugin, StoreKind kind, const StoreLimits& limits)
    : plugin_(std::move(plugin)),
      kind_(std::move(kind)),
      limits_(limits),
      requests_(std::make_shared<Requests>(plugin_)) {}

std::string GuardedStore::start() {
    std::unique_ptr<Store> made;
    std::string problem;
    try {
        made = kind_.make(limits_);
        problem = made ? made->start() : "it made no store";
    } catch (const std::exception& exception) {
        problem = exception.what();
        if (problem.empty()) problem = "its store failed";
    } catch (...) {
        problem = "an exception of an unknown type";
    }
    if (!problem.empty()) {
        if (made) guarded(plugin_, "store", [&] { made->close(); });
        return "plugin " + plugin_ + ": " + problem;
    }
    std::lock_guard lock(mutex_);
    inner_ = std::move(made);
    open_ = true;
    return {};
}

void GuardedStore::execute(StoreRequest request, StoreCompletion completion) {
    std::shared_ptr<Answer> answer;
    {
        std::lock_guard lock(mutex_);
        if (open_) {
            ++inside_;
            answer = std::make_shared<Answer>(requests_, requests_->add(std::move(completion)),
                                              request.operations.size());
        }
    }
    if (!answer) return completion({kStoreClosed, {}});
    const bool done = guarded(plugin_, "store", [&] {
        inner_->execute(std::move(request),
                        [answer](StoreReply reply) { answer->give(std::move(reply)); });
    });
    if (!done) answer->fail();
    answer.reset();
    std::lock_guard lock(mutex_);
    if (--inside_ == 0) left_.notify_all();
}

void GuardedStore::close() {
    {
        std::lock_guard lock(mutex_);
        if (!std::exchange(open_, false)) return;
    }
    guarded(plugin_, "store", [this] { inner_->close(); });
    {
        std::unique_lock lock(mutex_);
        left_.wait(lock, [this] { return inside_ == 0; });
    }
    inner_.reset();
    requests_->end();
}

}  // namespace moonwire::plugin
