#include "plugins/sqlite/sqlite_store.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace moonwire::sqlite {

using namespace plugin;

namespace {

/// Requests that one transaction takes at most, and bytes: it holds the others up.
constexpr std::size_t kGroup = 512, kGroupBytes = 8u << 20;
/// What is not durable is synced after so long.
constexpr std::chrono::seconds kRelaxed{1};
/// Of the requests' clock: how often what has expired is looked for.
constexpr StoreTime kSweepEvery = 1000;

std::size_t size_of(const StoreRequest& request) {
    std::size_t bytes = 0;
    for (const StoreOperation& operation : request.operations) {
        if (const auto* set = std::get_if<StoreSet>(&operation)) bytes += set->value.size();
        if (const auto* append = std::get_if<StoreAppend>(&operation))
            bytes += append->value.size();
    }
    return bytes;
}

}  // namespace

SqliteStore::SqliteStore(const StoreSettings& settings) : settings_(settings), file_(settings) {}

std::string SqliteStore::start() {
    // Too late if the process has used SQLite already; then it only costs what these save. Each
    // request has a savepoint, whose journal would get 64 KB from the heap that go back to the
    // system with it; in memory it grows by a kilobyte, and a group's bytes are bounded. Statistics
    // of the heap, which nobody reads, take a lock an allocation.
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    std::lock_guard lock(opening_);
    if (!file_.exists()) return {};
    return file_.open().value_or("");
}

void SqliteStore::execute(StoreRequest request, StoreCompletion completion) {
    const bool writes = std::any_of(request.operations.begin(), request.operations.end(), is_write);
    std::string refused;
    {
        std::lock_guard lock(mutex_);
        if (closing_) {
            refused = kStoreClosed;
        } else if (waiting_ >= settings_.limits.waiting) {
            refused = kStoreBusy;
        } else {
            ++waiting_;
            Line& line = writes ? writes_ : reads_;
            line.jobs.push_back({std::move(request), std::move(completion), {}});
            if (!writes_.thread.joinable()) {
                writes_.thread = std::thread([this] {
                    ::pthread_setname_np(::pthread_self(), "store-writer");
                    // Handlers and clients first. Of this thread alone, on Linux.
                    ::setpriority(PRIO_PROCESS, 0, 10);
                    write_loop();
                });
                reads_.thread = std::thread([this] {
                    ::pthread_setname_np(::pthread_self(), "store-reader");
                    read_loop();
                });
            }
            line.wakes.notify_one();
        }
    }
    if (!refused.empty()) completion({std::move(refused), {}});
}

void SqliteStore::close() {
    {
        std::lock_guard lock(mutex_);
        closing_ = true;
        writes_.wakes.notify_all();
        reads_.wakes.notify_all();
    }
    if (reads_.thread.joinable()) reads_.thread.join();
    if (writes_.thread.joinable()) writes_.thread.join();
    std::lock_guard lock(opening_);
    file_.close();
}

bool SqliteStore::take(Line& line, Jobs& jobs, const Clock::time_point* deadline) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return closing_ || !line.jobs.empty(); };
    if (deadline) line.wakes.wait_until(lock, *deadline, ready);
    else line.wakes.wait(lock, ready);
    std::size_t bytes = 0;
    while (!line.jobs.empty() && jobs.size() < kGroup && bytes < kGroupBytes) {
        bytes += size_of(line.jobs.front().request);
        jobs.push_back(std::move(line.jobs.front()));
        line.jobs.pop_front();
    }
    return !jobs.empty() || !closing_;
}

std::string SqliteStore::connect(std::unique_ptr<Connection>& connection) {
    if (connection) return {};
    std::string problem;
    try {
        std::lock_guard lock(opening_);
        problem = file_.open().value_or("");
        if (problem.empty()) connection = file_.connect();
    } catch (const SqliteError& error) {
        problem = error.text();
    }
    if (!problem.empty() && !failing_.exchange(true)) settings_.warn(problem);
    return problem;
}

void SqliteStore::write_loop() {
    std::unique_ptr<Connection> connection;
    for (;;) {
        Jobs jobs;
        const bool unsynced = unsynced_since_ != Clock::time_point{};
        const Clock::time_point deadline = unsynced_since_ + kRelaxed;
        if (!take(writes_, jobs, unsynced ? &deadline : nullptr)) break;
        if (jobs.empty()) {
            // Nobody is coming whose sync would do it: the checkpoint syncs the log first.
            try {
                connection->database.run("PRAGMA wal_checkpoint(PASSIVE)");
            } catch (const SqliteError& error) {
                fail(jobs, error);
            }
            unsynced_since_ = {};
            continue;
        }
        if (std::string problem = connect(connection); !problem.empty()) {
            for (Job& job : jobs) job.reply.error = problem;
        } else {
            write(*connection, jobs);
        }
        answer(jobs);
    }
}

void SqliteStore::write(Connection& connection, Jobs& jobs) {
    const auto now = Clock::now();
    const bool unsynced = unsynced_since_ != Clock::time_point{};
    const bool durable = (unsynced && now - unsynced_since_ >= kRelaxed) ||
                         std::any_of(jobs.begin(), jobs.end(), [](const Job& job) {
                             return job.request.durable && !job.request.dry_run;
                         });
    Database& database = connection.database;
    try {
        set_synchronous(connection, durable);
        connection.begin_writing.run();
        for (Job& job : jobs) run(connection, job);
        const StoreTime latest = jobs.back().request.now;
        if (latest >= swept_ + kSweepEvery || latest < swept_) {
            connection.operations.sweep(latest);
            swept_ = latest;
        }
        connection.operations.settle();
        connection.commit.run();
        if (durable) unsynced_since_ = {};
        else if (!unsynced) unsynced_since_ = now;
        failing_ = false;
    } catch (const SqliteError& error) {
        fail(jobs, error);
        connection.operations.forget();
        try {
            if (database.in_transaction()) database.run("ROLLBACK");
        } catch (const SqliteError&) {  // the next transaction will tell
        }
    }
}

void SqliteStore::run(Connection& connection, Job& job) {
    // One operation refuses before it changes anything that has not expired.
    const bool in_steps = job.request.dry_run || job.request.operations.size() > 1;
    if (in_steps) {
        connection.operations.settle();
        connection.save.run();
    }
    bool stays = !job.request.dry_run;
    try {
        connection.operations.begin(job.request.space, job.request.now, true);
        for (const StoreOperation& operation : job.request.operations)
            job.reply.results.push_back(connection.operations.run(operation));
    } catch (const Refused& refused) {
        job.reply = {refused.why, {}};
        stays = false;
    }
    if (!in_steps) return;
    if (!stays) {
        connection.database.run("ROLLBACK TO request");
        connection.operations.forget();
    }
    connection.release.run();
}

void SqliteStore::set_synchronous(Connection& connection, bool full) {
    if (std::exchange(synchronous_full_, full) == full) return;
    connection.database.run(full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
}

void SqliteStore::read_loop() {
    std::unique_ptr<Connection> connection;
    for (;;) {
        Jobs jobs;
        if (!take(reads_, jobs, nullptr)) break;
        if (std::string problem = connect(connection); !problem.empty()) {
            for (Job& job : jobs) job.reply.error = problem;
        } else {
            read(*connection, jobs);
        }
        answer(jobs);
    }
}

void SqliteStore::read(Connection& connection, Jobs& jobs) {
    Database& database = connection.database;
    try {
        connection.begin_reading.run();  // one look for all, at what is written by now
        for (Job& job : jobs) {
            connection.operations.begin(job.request.space, job.request.now, false);
            for (const StoreOperation& operation : job.request.operations)
                job.reply.results.push_back(connection.operations.run(operation));
        }
        connection.commit.run();
    } catch (const SqliteError& error) {
        fail(jobs, error);
        try {
            if (database.in_transaction()) database.run("ROLLBACK");
        } catch (const SqliteError&) {
        }
    }
}

void SqliteStore::fail(Jobs& jobs, const SqliteError& error) {
    for (Job& job : jobs) job.reply = {error.text(), {}};
    if (failing_.exchange(true)) return;
    settings_.warn("store \"" + settings_.path +
                   "\": " + (error.is_disk_full() ? kStoreDiskFull : error.message) +
                   "; what is asked of it fails until that is mended");
}

void SqliteStore::answer(Jobs& jobs) {
    {
        std::lock_guard lock(mutex_);
        waiting_ -= jobs.size();
    }
    settings_.answer_together([&] {
        for (Job& job : jobs) job.completion(std::move(job.reply));
    });
}

}  // namespace moonwire::sqlite

namespace moonwire::plugin {

std::unique_ptr<Store> make_sqlite_store(const StoreSettings& settings) {
    return std::make_unique<sqlite::SqliteStore>(settings);
}

}  // namespace moonwire::plugin
