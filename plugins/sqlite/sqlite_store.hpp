#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/plugin/stores.hpp"
#include "plugins/sqlite/store_file.hpp"

namespace moonwire::sqlite {

/// A store in one SQLite file, with a write-ahead log.
///
/// Two threads, from the first request on: one writes, one reads, each with a connection of its
/// own, so that reads don't wait for the disk. The writer takes all that waits as one transaction,
/// which is synced once for everybody in it (group commit). Requests that need not be durable are
/// written at once and synced within about a second. What the disk refuses fails the whole group;
/// the next one tries anew.
class SqliteStore final : public plugin::Store {
public:
    explicit SqliteStore(const plugin::StoreSettings& settings);
    ~SqliteStore() override { close(); }

    std::string start() override;
    void execute(plugin::StoreRequest request, plugin::StoreCompletion completion) override;
    void close() override;

private:
    using Clock = std::chrono::steady_clock;
    struct Job {
        plugin::StoreRequest request;
        plugin::StoreCompletion completion;
        plugin::StoreReply reply;
    };
    using Jobs = std::vector<Job>;
    struct Line {
        std::deque<Job> jobs;
        std::condition_variable wakes;
        std::thread thread;
    };

    void write_loop();
    void read_loop();
    /// False: there is nothing left to do, ever. Empty: the deadline came first.
    bool take(Line& line, Jobs& jobs, const Clock::time_point* deadline);
    /// Opens the file if that has not happened, and makes `connection` one to it. Why it can't.
    std::string connect(std::unique_ptr<Connection>& connection);
    void write(Connection& connection, Jobs& jobs);
    void read(Connection& connection, Jobs& jobs);
    void run(Connection& connection, Job& job);
    void set_synchronous(Connection& connection, bool full);
    void fail(Jobs& jobs, const SqliteError& error);
    void answer(Jobs& jobs);

    const plugin::StoreSettings settings_;
    StoreFile file_;  // under opening_
    std::mutex opening_;
    std::atomic<bool> failing_{false};  // the last try failed, and that was logged

    // The writer's.
    bool synchronous_full_ = false;
    Clock::time_point unsynced_since_{};  // zero: all is synced
    plugin::StoreTime swept_ = 0;

    std::mutex mutex_;
    Line writes_, reads_;
    std::size_t waiting_ = 0;
    bool closing_ = false;
};

}  // namespace moonwire::sqlite
