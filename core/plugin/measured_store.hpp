#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/latencies.hpp"
#include "core/plugin/api/store.hpp"

namespace moonwire::plugin {

/// What was asked of a store so far.
struct StoreFigures {
    std::uint64_t reads = 0, writes = 0;              // requests
    std::uint64_t waiting = 0;                        // of them, not answered yet
    std::uint64_t bytes_read = 0, bytes_written = 0;  // of values
    /// By why: "busy", "disk full" …; all those that are known are there, the rest is "other".
    std::map<std::string, std::uint64_t> errors;
    Latencies::Snapshot read_time, write_time;  // until the answer
};

/// A store that counts what goes in and out of another one. Any thread, as the other.
class MeasuredStore final : public Store {
public:
    explicit MeasuredStore(std::unique_ptr<Store> inner);

    std::string start() override { return inner_->start(); }
    void execute(StoreRequest request, StoreCompletion completion) override;
    void close() override { inner_->close(); }

    StoreFigures figures() const;

private:
    void count(bool write, Duration took, std::uint64_t bytes_written, const StoreReply& reply);

    const std::unique_ptr<Store> inner_;
    mutable std::mutex mutex_;  // guards what follows
    StoreFigures figures_;      // but for the times
    Latencies read_time_, write_time_;
};

}  // namespace moonwire::plugin
