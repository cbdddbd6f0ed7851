#include "core/script/schedules.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <lua.hpp>

#include "core/base/ids.hpp"
#include "core/base/log.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/stored_value.hpp"
#include "core/script/tasks.hpp"

namespace moonwire::script {

using namespace plugin;

namespace {

/// The wall clock may be set: it is looked at least this often. And so long until another try of
/// what the store refused.
constexpr StoreTime kLongestWait = 60'000, kRetry = 5'000;
constexpr std::size_t kPage = 100;
constexpr int kTimeDigits = 16;  // hexadecimal

/// "4:name…" is the name and what is behind it.
std::pair<std::string_view, std::string_view> split_value(std::string_view value) {
    std::size_t size = 0;
    const char* const end = value.data() + value.size();
    const auto [colon, error] = std::from_chars(value.data(), end, size);
    if (error != std::errc() || colon == end || static_cast<std::size_t>(end - colon) < 1 + size)
        return {};
    return {{colon + 1, size},
            {colon + 1 + size, static_cast<std::size_t>(end - colon) - 1 - size}};
}

}  // namespace

std::string Schedules::make_key(StoreTime at) {
    char digits[kTimeDigits + 1];
    std::snprintf(digits, sizeof digits, "%016llx",
                  static_cast<unsigned long long>(std::max<StoreTime>(at, 0)));
    return digits + ("-" + make_id(0));
}

StoreTime Schedules::time_of(std::string_view key) {
    StoreTime at = 0;
    std::from_chars(key.data(), key.data() + std::min<std::size_t>(key.size(), kTimeDigits), at,
                    16);
    return at;
}

std::string Schedules::make_value(std::string_view name, std::string_view packed) {
    return std::to_string(name.size()) + ":" + std::string(name) + std::string(packed);
}

void Schedules::look() {
    if (!owner_.runtime() || owner_.generation().schedules.empty()) return;
    if (looking_) {
        look_again_ = true;
        return;
    }
    looking_ = true;
    full_ = false;
    scan({});
}

void Schedules::note(std::string_view key) {
    if (const StoreTime at = time_of(key); at < armed_) arm(at);
}

void Schedules::scan(std::string after) {
    StoreScan scan{.after = std::move(after), .limit = kPage, .table = StoreTable::schedules};
    store_.run({std::move(scan)}, false, [weak = weak_from_this()](StoreReply reply) {
        if (const auto self = weak.lock()) self->take_page(std::move(reply));
    });
}

void Schedules::take_page(StoreReply reply) {
    const StoreTime now = store_.now();
    if (!reply.error.empty()) {
        if (!std::exchange(failing_, true))
            log::warn("schedules can't be read, and wait",
                      {{"namespace", owner_.name()}, {"why", reply.error}});
        arm(now + kRetry);
        return finish_looking();
    }
    failing_ = false;
    const auto& entries = reply.results.front().entries;
    for (const StoreEntry& entry : entries) {
        const StoreTime at = time_of(entry.key);
        if (at > now) {
            arm(at);
            return finish_looking();
        }
        full_ = running_.size() >= kAtOnce;
        if (full_) return finish_looking();
        if (fire(entry) == Fired::no_room) {
            arm(now + kRetry);
            return finish_looking();
        }
    }
    if (entries.empty()) return finish_looking();
    scan(entries.back().key);
}

void Schedules::finish_looking() {
    looking_ = false;
    if (std::exchange(look_again_, false)) look();
}

Schedules::Fired Schedules::fire(const StoreEntry& entry) {
    if (running_.contains(entry.key) || !owner_.runtime()) return Fired::passed_over;
    const auto generation = owner_.generation().shared_from_this();
    const auto [name, packed] = split_value(entry.value);
    const auto handler = generation->schedules.find(name);
    if (handler == generation->schedules.end()) {
        if (generation->told.insert("schedule " + std::string(name)).second)
            log::warn("a schedule waits for its handler, ns:on_schedule",
                      {{"namespace", owner_.name()}, {"schedule", name}});
        return Fired::passed_over;
    }
    const double at = static_cast<double>(time_of(entry.key)) / 1000;
    std::string error;
    Scheduler& scheduler = *generation->runtime().scheduler;
    Scheduler::Task* task = scheduler.open(
        {generation, TaskKind::foreground, {}},
        [&, packed = packed](lua_State* state) {
            generation->push(state, handler->second.slot);
            push_stored(state, std::string(packed));
            lua_pushnumber(state, at);
            return 2;
        },
        &error);
    if (!task) {
        log_task_not_started(*generation, "on_schedule", error);
        return Fired::no_room;
    }
    running_.insert(entry.key);
    scheduler.set_done(*task,
                       [weak = weak_from_this(), generation, key = entry.key](Outcome& outcome) {
                           report_background(*generation, "on_schedule", outcome);
                           if (const auto self = weak.lock()) self->remove(key);
                       });
    scheduler.run(*task);
    return Fired::yes;
}

void Schedules::remove(const std::string& key) {
    store_.run({StoreDelete{key, StoreTable::schedules}}, store_.options().durable,
               [weak = weak_from_this(), key](StoreReply reply) {
                   const auto self = weak.lock();
                   if (!self) return;
                   if (reply.error.empty()) {
                       self->running_.erase(key);
                       if (self->full_) self->look();
                       return;
                   }
                   // It must not run again while this process lives.
                   self->store_.home().after(std::chrono::milliseconds(kRetry), [weak, key] {
                       if (const auto still = weak.lock()) still->remove(key);
                   });
               });
}

void Schedules::arm(StoreTime at) {
    Reactor& home = store_.home();
    home.cancel(timer_);
    armed_ = at;
    const StoreTime wait = std::clamp<StoreTime>(at - store_.now(), 0, kLongestWait);
    // The clock is cut to whole milliseconds: a schedule is never early.
    timer_ = home.after(std::chrono::milliseconds(wait), [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->armed_ = kNever;
        self->look();
    });
}

}  // namespace moonwire::script
