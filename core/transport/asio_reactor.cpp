#include "core/transport/asio_reactor.hpp"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <exception>
#include <string>

#include "core/base/log.hpp"

namespace moonwire::transport {
namespace {

constexpr int kHandlersPerTurn = 256;  // so that timers and writes are never starved
constexpr unsigned kBusyTurns = 8;     // while connections are ready Asio is asked this seldom
constexpr int kDrainTurns = 1000;      // at stop: what closing set off, but no endless chain

thread_local const AsioReactor* current_reactor = nullptr;

template <typename F>
void guarded(unsigned reactor, F&& work) {
    try {
        work();
    } catch (const std::exception& error) {
        log::error("exception in a reactor task", {{"reactor", reactor}, {"what", error.what()}});
    } catch (...) {
        log::error("exception in a reactor task", {{"reactor", reactor}});
    }
}

}  // namespace

AsioReactor::AsioReactor(unsigned index)
    : Reactor(index), work_(context_.get_executor()), timer_(context_), poller_(context_) {}

AsioReactor::~AsioReactor() {
    stop();
    // Destroyed tasks may post and arm in their destructors; one level of that is plenty.
    for (int i = 0; i < 2; ++i) {
        std::vector<Task>().swap(inbox_);
        std::vector<Task>().swap(turn_end_);
        timers_ = TimerQueue();
    }
}

void AsioReactor::start() {
    thread_ = std::thread([this] { loop(); });
}

void AsioReactor::stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    boost::asio::post(context_, [] {});
    thread_.join();
}

bool AsioReactor::is_current() const noexcept { return current_reactor == this; }

void AsioReactor::post(Task task) {
    bool asleep;
    {
        std::lock_guard lock(inbox_mutex_);
        inbox_.push_back(std::move(task));
        if (is_current()) woken_ = true;  // it looks into the inbox before it blocks
        asleep = !woken_;
    }
    if (asleep && !LateWakes::take(*this)) wake();
}

void AsioReactor::wake() {
    {
        std::lock_guard lock(inbox_mutex_);
        if (inbox_.empty() || std::exchange(woken_, true)) return;
    }
    boost::asio::post(context_, [] {});
}

TimePoint AsioReactor::now() const {
    if (!now_known_) {
        now_ = Clock::now();
        now_known_ = true;
    }
    return now_;
}

void AsioReactor::loop() {
    current_reactor = this;
    ::pthread_setname_np(::pthread_self(), ("reactor-" + std::to_string(index())).c_str());
    arm_timer();
    while (!stopping_.load(std::memory_order_relaxed)) turn(true);
    for (int i = 0; i < kDrainTurns && turn(false); ++i) {
    }
    current_reactor = nullptr;
}

bool AsioReactor::turn(bool may_block) {
    const bool block = may_block && turn_end_.empty() && inbox_empty();
    now_known_ = false;
    bool any = dispatch();
    if (!any || ++busy_turns_ == kBusyTurns) {
        busy_turns_ = 0;
        any |= run_asio(block && !any);
    }

    {
        std::lock_guard lock(inbox_mutex_);
        batch_.swap(inbox_);
        woken_ = false;
    }
    any |= run_batch(batch_);
    guarded(index(), [&] {
        const LateWakes late;
        timers_.run_due(now());
    });

    // What a turn-end task adds belongs to the next turn, which then won't block.
    batch_.swap(turn_end_);
    any |= run_batch(batch_);
    arm_timer();
    return any;
}

bool AsioReactor::dispatch() {
    const LateWakes late;
    bool any = true;
    guarded(index(), [&] { any = poller_.dispatch(); });
    return any;
}

bool AsioReactor::run_asio(bool block) {
    if (block) poller_.wake_on_ready();
    bool any = false;
    for (int i = 0; i < kHandlersPerTurn; ++i) {
        bool ran = true;
        guarded(index(), [&] { ran = i == 0 && block ? context_.run_one() : context_.poll_one(); });
        if (i == 0 && block) {
            now_known_ = false;
            dispatch();
            if (!poller_.waiting()) return true;  // it was the poller that woke it
        }
        if (!ran) break;
        any = true;
    }
    return any;
}

bool AsioReactor::inbox_empty() {
    std::lock_guard lock(inbox_mutex_);
    return inbox_.empty();
}

bool AsioReactor::run_batch(std::vector<Task>& tasks) {
    if (tasks.empty()) return false;
    const LateWakes late;
    for (Task& task : tasks) {
        guarded(index(), [&] { task(); });
        task = nullptr;
    }
    tasks.clear();
    return true;
}

void AsioReactor::arm_timer() {
    // Only ever moved earlier: a cancelled timer costs at most one idle wake-up.
    const auto next = timers_.next();
    if (!next || *next >= armed_for_) return;
    armed_for_ = *next;
    timer_.expires_at(*next);
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error) armed_for_ = TimePoint::max();
    });
}

}  // namespace moonwire::transport
