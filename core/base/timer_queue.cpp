#include "core/base/timer_queue.hpp"

namespace moonwire {

TimerId TimerQueue::add(TimePoint when, Task task) {
    std::uint32_t slot;
    if (free_.empty()) {
        slot = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    slots_[slot].task = std::move(task);
    ++slots_[slot].generation;
    heap_.push_back({when, order_++, slot});
    slots_[slot].position = static_cast<std::uint32_t>(heap_.size() - 1);
    sift_up(heap_.size() - 1);
    return {slot, slots_[slot].generation};
}

bool TimerQueue::cancel(TimerId id) {
    if (!id || id.slot >= slots_.size() || slots_[id.slot].generation != id.generation)
        return false;
    remove(slots_[id.slot].position);
    return true;
}

std::optional<TimePoint> TimerQueue::next() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().when;
}

void TimerQueue::run_due(TimePoint now) {
    const std::uint64_t newest = order_;
    while (!heap_.empty() && heap_.front().when <= now && heap_.front().order < newest) {
        Task task = remove(0);
        task();
    }
}

Task TimerQueue::remove(std::size_t position) {
    Slot& slot = slots_[heap_[position].slot];
    Task task = std::move(slot.task);
    ++slot.generation;
    free_.push_back(heap_[position].slot);
    const Entry last = heap_.back();
    heap_.pop_back();
    if (position < heap_.size()) {
        place(position, last);
        sift_up(position);
        sift_down(slots_[last.slot].position);
    }
    return task;
}

void TimerQueue::place(std::size_t position, Entry entry) {
    heap_[position] = entry;
    slots_[entry.slot].position = static_cast<std::uint32_t>(position);
}

void TimerQueue::sift_up(std::size_t position) {
    const Entry entry = heap_[position];
    while (position > 0) {
        const std::size_t parent = (position - 1) / 2;
        if (!(entry < heap_[parent])) break;
        place(position, heap_[parent]);
        position = parent;
    }
    place(position, entry);
}

void TimerQueue::sift_down(std::size_t position) {
    const Entry entry = heap_[position];
    for (;;) {
        std::size_t child = 2 * position + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
        if (!(heap_[child] < entry)) break;
        place(position, heap_[child]);
        position = child;
    }
    place(position, entry);
}

}  // namespace moonwire
