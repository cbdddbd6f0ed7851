#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "plugins/redis/wire.hpp"

namespace moonwire::redis {

/// What waits to be published, in its order, up to a limit. Any thread.
class Outbox {
public:
    Outbox(std::size_t max_messages, std::size_t max_bytes)
        : max_messages_(max_messages), max_bytes_(max_bytes) {}

    enum class Put { first, behind, full };
    /// `first`: it was empty, so whoever takes must be woken. `full`: it was not taken.
    Put put(Publication message) {
        const std::size_t bytes = bytes_of(message);
        std::lock_guard lock(mutex_);
        if (queue_.size() >= max_messages_ || bytes > max_bytes_ - bytes_) return Put::full;
        bytes_ += bytes;
        queue_.push_back(std::move(message));
        return queue_.size() == 1 ? Put::first : Put::behind;
    }
    /// The first of them: at least one if there is any, and no more than so many.
    std::vector<Publication> take(std::size_t messages, std::size_t bytes) {
        std::vector<Publication> taken;
        std::lock_guard lock(mutex_);
        for (std::size_t sum = 0; !queue_.empty() && taken.size() < messages;) {
            const std::size_t next = bytes_of(queue_.front());
            if (!taken.empty() && sum + next > bytes) break;
            sum += next;
            bytes_ -= next;
            taken.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
        return taken;
    }
    std::size_t size() const {
        std::lock_guard lock(mutex_);
        return queue_.size();
    }

private:
    static std::size_t bytes_of(const Publication& message) {
        return message.channel.size() + message.payload.size();
    }

    const std::size_t max_messages_, max_bytes_;
    mutable std::mutex mutex_;  // guards what follows
    std::deque<Publication> queue_;
    std::size_t bytes_ = 0;
};

}  // namespace moonwire::redis
