#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "core/plugin/api/http.hpp"
#include "core/plugin/api/metrics.hpp"
#include "plugins/metrics/exposition.hpp"

namespace moonwire::metrics {

/// Answers scrapes on a thread of its own, for thousands of series take some time that no reactor
/// has. What is asked for at the same time in the same form is answered with the same text.
///
/// `ask` from any thread; `start` and `stop` on their owner's.
class Scraper {
public:
    static constexpr std::size_t kMaxWaiting = 64;  // further ones are told 503

    using Collect = std::function<plugin::Metrics()>;
    ~Scraper() { stop(); }

    /// `collect` is called on the scraper's thread.
    void start(Collect collect);
    void ask(Format format, plugin::Respond respond);
    /// Those that wait are told that there is nobody.
    void stop();

    std::uint64_t made() const;

private:
    struct Question {
        Format format;
        plugin::Respond respond;
    };
    void run();
    void answer(std::deque<Question> questions);

    Collect collect_;
    std::thread thread_;
    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable asked_;
    std::deque<Question> questions_;
    std::uint64_t made_ = 0;
    bool stopping_ = false;
};

}  // namespace moonwire::metrics
