#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/script/scheduler.hpp"

namespace moonwire::script {

/// The keys that one namespace's tasks hold and wait for (`ns:lock`), over all generations.
///
/// Home reactor. A task's place is a ticket that goes with the task, however that ends; giving a
/// held one back lets the next in line have the key, in a later turn. Must outlive the tickets.
class Locks {
public:
    class Ticket {
    public:
        Ticket(Locks& locks, Scheduler& scheduler, std::string key)
            : locks_(locks), scheduler_(scheduler), key_(std::move(key)) {}
        ~Ticket() { locks_.leave(*this); }
        Ticket(const Ticket&) = delete;
        Ticket& operator=(const Ticket&) = delete;

    private:
        friend class Locks;
        Locks& locks_;
        Scheduler& scheduler_;
        const std::string key_;
        std::uint64_t task_ = 0;
        WaitId wait_;
    };

    /// More waiters than this for one key are told `busy`.
    static constexpr std::size_t kMaxWaiting = 1000;

    /// The task that holds the key; 0: nobody.
    std::uint64_t holder(std::string_view key) const;
    /// How many wait for it.
    std::size_t waiting(std::string_view key) const;
    /// For the running task: the key, which nobody holds.
    void take(Scheduler& scheduler, std::string key);
    /// For the running task, whose wait has begun: a place in the line.
    void queue(Scheduler& scheduler, std::string key, WaitId wait);
    /// Gives the running task's key back.
    void release(Scheduler& scheduler, std::string_view key);

private:
    struct Line {
        Ticket* holder;
        std::deque<Ticket*> waiting;
    };
    void leave(Ticket& ticket);

    std::map<std::string, Line, std::less<>> lines_;  // of held keys
};

}  // namespace moonwire::script
