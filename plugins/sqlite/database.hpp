#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace moonwire::sqlite {

/// What SQLite says of a call that failed. Thrown within this plugin only.
struct SqliteError {
    int code = 0;          // extended
    int system_error = 0;  // errno, where the system was the reason
    std::string message;

    bool is_damage() const { return (code & 0xff) == SQLITE_CORRUPT || code == SQLITE_NOTADB; }
    bool is_disk_full() const;
    /// What a caller is told.
    std::string text() const;
};

/// One connection. One thread at a time.
class Database {
public:
    /// Opens or creates; throws.
    explicit Database(const std::string& path);
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    sqlite3* handle() const noexcept { return handle_.get(); }
    /// Runs statements without results; throws.
    void run(const char* sql);
    /// The first value of the first row.
    std::int64_t integer(const char* sql);
    std::string text(const char* sql);
    bool in_transaction() const noexcept { return sqlite3_get_autocommit(handle()) == 0; }

private:
    struct Close {
        void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    };
    std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement. Its texts are bytes, bound as blobs.
class Statement {
public:
    Statement(Database& database, std::string_view sql);

    /// The rows of one run, which ends with this object. What is bound must outlive it.
    class Rows {
    public:
        explicit Rows(sqlite3_stmt* statement) : statement_(statement) {}
        Rows(const Rows&) = delete;
        Rows& operator=(const Rows&) = delete;
        ~Rows() {
            sqlite3_reset(statement_);
            sqlite3_clear_bindings(statement_);
        }
        /// Whether there is one more; throws.
        bool next();
        std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
        std::string bytes(int column) const;

    private:
        sqlite3_stmt* const statement_;
    };

    template <typename... Values>
    Rows query(const Values&... values) {
        int index = 0;
        (bind(++index, values), ...);
        return Rows(statement_.get());
    }
    /// Runs it to its end; how many rows it changed.
    template <typename... Values>
    int run(const Values&... values) {
        Rows rows = query(values...);
        while (rows.next()) {
        }
        return sqlite3_changes(sqlite3_db_handle(statement_.get()));
    }

private:
    void bind(int index, std::int64_t value);
    void bind(int index, const std::string& bytes);

    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace moonwire::sqlite
