#include "core/script/locks.hpp"

#include <utility>

namespace moonwire::script {

std::uint64_t Locks::holder(std::string_view key) const {
    const auto found = lines_.find(key);
    return found == lines_.end() ? 0 : found->second.holder->task_;
}

std::size_t Locks::waiting(std::string_view key) const {
    const auto found = lines_.find(key);
    return found == lines_.end() ? 0 : found->second.waiting.size();
}

void Locks::take(Scheduler& scheduler, std::string key) {
    const auto ticket = std::make_shared<Ticket>(*this, scheduler, key);
    ticket->task_ = scheduler.running()->id;
    lines_[std::move(key)] = {ticket.get(), {}};
    scheduler.hold(ticket);
}

void Locks::queue(Scheduler& scheduler, std::string key, WaitId wait) {
    Line& line = lines_.find(key)->second;
    const auto ticket = std::make_shared<Ticket>(*this, scheduler, std::move(key));
    ticket->task_ = scheduler.running()->id;
    ticket->wait_ = wait;
    line.waiting.push_back(ticket.get());
    scheduler.hold(ticket);
}

void Locks::release(Scheduler& scheduler, std::string_view key) {
    if (const auto found = lines_.find(key); found != lines_.end())
        scheduler.let_go(found->second.holder);
}

void Locks::leave(Ticket& ticket) {
    const auto found = lines_.find(ticket.key_);
    Line& line = found->second;
    if (line.holder != &ticket) {
        std::erase(line.waiting, &ticket);
        return;
    }
    if (line.waiting.empty()) {
        lines_.erase(found);
        return;
    }
    line.holder = line.waiting.front();
    line.waiting.pop_front();
    // Never at once: a long line would run down the C stack.
    ticket.scheduler_.home().post(
        [weak = ticket.scheduler_.weak_from_this(), wait = line.holder->wait_] {
            if (const auto scheduler = weak.lock())
                scheduler->end(wait, [](lua_State*) { return 0; });
        });
}

}  // namespace moonwire::script
