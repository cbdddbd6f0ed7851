#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "core/base/incidents.hpp"
#include "core/base/result.hpp"

namespace moonwire::server {

struct AuditOptions {
    std::string file;  // empty: none is kept
    std::size_t max_bytes = 64u << 20;
    unsigned keep = 5;  // older files: FILE.1 is the newest of them
};

/// Writes every incident as a JSON line: `{"time":…,"kind":…,"address":…}`, without what is not
/// known. A file that is full becomes FILE.1, that FILE.2, and so on; the last is removed.
///
/// Lines are queued, from any thread, for a thread that writes: nobody waits for the disk. Beyond
/// `kQueuedBytes` they are dropped and counted, and a line of kind `dropped` then says how many. A
/// disk that takes nothing is logged, once until it does again, and costs lines in the same way.
class AuditLog final : public Incidents::Listener {
public:
    static constexpr std::size_t kQueuedBytes = 4u << 20;

    explicit AuditLog(AuditOptions options) : options_(std::move(options)) {}
    ~AuditLog() override { close(); }
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;

    bool enabled() const noexcept { return !options_.file.empty(); }
    /// Opens the file, to add to it, and starts writing; an error names the file. Once.
    Result<void> open();
    /// Opens the file of that name anew: who rotates it has moved the old one. Any thread.
    void reopen();
    /// Writes what is queued, and ends. Idempotent.
    void close();

    void on_incident(const Incident& incident) override;

    std::uint64_t written() const noexcept { return written_; }
    std::uint64_t dropped() const noexcept { return dropped_; }

private:
    void run();
    /// From the writing thread. Lines that could not be written are dropped.
    void write(const std::deque<std::string>& lines);
    bool append(std::string_view text);
    void rotate();
    /// Logs the first of several failures.
    void fail(const char* what);
    bool open_file();

    const AuditOptions options_;
    std::atomic<std::uint64_t> written_{0}, dropped_{0};
    std::mutex mutex_;  // guards the next five
    std::condition_variable changed_;
    std::deque<std::string> queue_;
    std::size_t queued_bytes_ = 0;
    bool reopening_ = false;
    bool closing_ = false;
    // The writing thread's.
    int file_ = -1;
    std::size_t file_bytes_ = 0;
    bool failing_ = false;
    std::uint64_t told_dropped_ = 0;
    std::thread thread_;
};

}  // namespace moonwire::server
