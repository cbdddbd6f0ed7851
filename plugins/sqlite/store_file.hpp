#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/plugin/stores.hpp"
#include "plugins/sqlite/database.hpp"
#include "plugins/sqlite/operations.hpp"

namespace moonwire::sqlite {

/// A connection and what is prepared on it.
struct Connection {
    Connection(const std::string& path, const plugin::StoreLimits& limits)
        : database(path), operations(database, limits) {}
    Database database;
    Operations operations;
    // What each group and each of its requests runs.
    Statement begin_reading{database, "BEGIN"}, begin_writing{database, "BEGIN IMMEDIATE"};
    Statement commit{database, "COMMIT"};
    Statement save{database, "SAVEPOINT request"}, release{database, "RELEASE request"};
};

/// The file: made when it is first needed, this process's alone while it is open.
///
/// One thread at a time, but for `path`.
class StoreFile {
public:
    explicit StoreFile(const plugin::StoreSettings& settings) : settings_(settings) {}
    ~StoreFile() { close(); }

    const std::string& path() const noexcept { return settings_.path; }
    bool exists() const;
    /// Opens or creates it, with the folders that it is in. Nothing, or why it can't be used,
    /// naming it; then another try is welcome.
    std::optional<std::string> open();
    bool is_open() const noexcept { return lock_ >= 0; }
    /// A connection of its own to the open file; throws.
    std::unique_ptr<Connection> connect() const;
    /// After the last connection went.
    void close();

private:
    struct Verdict {
        enum { good, damaged, foreign } sort = good;
        std::string why;
    };
    std::optional<std::string> lock();
    /// Looks the locked file over, and makes what is in it if it is new.
    Verdict prepare() const;
    std::optional<std::string> set_aside(const std::string& why);

    const plugin::StoreSettings settings_;
    int lock_ = -1;  // held by an open description of the file; -1: not open
};

}  // namespace moonwire::sqlite
