#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/counter.hpp"
#include "core/base/latencies.hpp"

namespace moonwire::script {

/// What became of one inbound event of a namespace. Its home reactor writes, any thread reads.
struct EventFigures {
    Counter received, failed;  // failed: answered with an error, be it a bug or fail()
    Latencies ran;             // what the handler took of its reactor, without its waits
    Latencies answered;        // from its start to its end
};

/// The same at one moment.
struct EventReport {
    std::string event;
    std::uint64_t received = 0, failed = 0;
    Latencies::Snapshot ran, answered;
};

/// The figures of a namespace's events. Names come from peers, so only those that a handler is
/// registered for have figures of their own, and of these `limit`; all else is "other". They stay
/// from generation to generation, whether the next one has the handler or not.
class EventTable {
public:
    static constexpr const char* kOther = "other";

    explicit EventTable(std::size_t limit) : limit_(limit) {}

    /// Of a registered event: its own or, beyond the limit, those of the others. Home reactor.
    EventFigures& of(std::string_view event);
    EventFigures& other() noexcept { return other_; }
    /// Any thread.
    std::vector<EventReport> report() const;

private:
    const std::size_t limit_;
    mutable std::mutex mutex_;  // guards the table, not the figures
    std::map<std::string, std::unique_ptr<EventFigures>, std::less<>> named_;
    EventFigures other_;
};

}  // namespace moonwire::script
