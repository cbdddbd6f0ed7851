#include "core/transport/worker.hpp"

#include <algorithm>
#include <cstdio>

#include "core/transport/connection.hpp"

namespace moonwire::transport {

void FlushList::add(SendQueue& queue) {
    if (waiting_.empty()) reactor_.at_turn_end([this] { flush(); });
    waiting_.push_back(&queue);
}

void FlushList::remove(SendQueue& queue) {
    std::replace(waiting_.begin(), waiting_.end(), &queue, static_cast<SendQueue*>(nullptr));
    std::replace(flushing_.begin(), flushing_.end(), &queue, static_cast<SendQueue*>(nullptr));
}

void FlushList::flush() {
    flushing_.swap(waiting_);
    // By index: a flush may end its connection, which removes queues from this list.
    for (std::size_t i = 0; i < flushing_.size(); ++i)
        if (flushing_[i]) flushing_[i]->flush();
    flushing_.clear();
}

void ConnectionSet::add(std::shared_ptr<Connection> connection) {
    connection->set_index_ = all_.size();
    all_.push_back(std::move(connection));
}

void ConnectionSet::remove(Connection& connection) {
    const std::size_t at = connection.set_index_;
    if (at >= all_.size() || all_[at].get() != &connection) return;
    const auto gone = std::move(all_[at]);
    if (at + 1 != all_.size()) {
        all_[at] = std::move(all_.back());
        all_[at]->set_index_ = at;
    }
    all_.pop_back();
}

const std::string& Worker::http_date() {
    const std::time_t second = std::time(nullptr);
    if (second != date_second) {
        static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        std::tm utc{};
        gmtime_r(&second, &utc);
        char text[64];
        std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[utc.tm_wday],
                      utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                      utc.tm_sec);
        date = text;
        date_second = second;
    }
    return date;
}

}  // namespace moonwire::transport
