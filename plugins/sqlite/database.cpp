#include "plugins/sqlite/database.hpp"

#include <cerrno>

#include "core/plugin/api/store.hpp"

namespace moonwire::sqlite {
namespace {

[[noreturn]] void raise(sqlite3* handle) {
    throw SqliteError{sqlite3_extended_errcode(handle), sqlite3_system_errno(handle),
                      sqlite3_errmsg(handle)};
}

}  // namespace

bool SqliteError::is_disk_full() const {
    return code == SQLITE_FULL ||
           ((code & 0xff) == SQLITE_IOERR && (system_error == ENOSPC || system_error == EDQUOT));
}

std::string SqliteError::text() const {
    if (is_disk_full()) return plugin::kStoreDiskFull;
    return "the store failed: " + message;
}

Database::Database(const std::string& path) {
    sqlite3* handle = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    handle_.reset(handle);
    if (!handle) throw SqliteError{SQLITE_NOMEM, 0, "out of memory"};
    if (code != SQLITE_OK) raise(handle);
    sqlite3_extended_result_codes(handle, 1);
    // Checkpoints and other programs that look in hold the file for a moment.
    sqlite3_busy_timeout(handle, 5000);
}

void Database::run(const char* sql) {
    if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) raise(handle());
}

std::int64_t Database::integer(const char* sql) {
    Statement statement(*this, sql);
    Statement::Rows rows = statement.query();
    return rows.next() ? rows.integer(0) : 0;
}

std::string Database::text(const char* sql) {
    Statement statement(*this, sql);
    Statement::Rows rows = statement.query();
    return rows.next() ? rows.bytes(0) : std::string();
}

Statement::Statement(Database& database, std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(database.handle(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) raise(database.handle());
    statement_.reset(statement);
}

void Statement::bind(int index, std::int64_t value) {
    if (sqlite3_bind_int64(statement_.get(), index, value) != SQLITE_OK)
        raise(sqlite3_db_handle(statement_.get()));
}

void Statement::bind(int index, const std::string& bytes) {
    if (sqlite3_bind_blob64(statement_.get(), index, bytes.data(), bytes.size(), SQLITE_STATIC) !=
        SQLITE_OK)
        raise(sqlite3_db_handle(statement_.get()));
}

bool Statement::Rows::next() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) raise(sqlite3_db_handle(statement_));
    return false;
}

std::string Statement::Rows::bytes(int column) const {
    const void* data = sqlite3_column_blob(statement_, column);
    const int size = sqlite3_column_bytes(statement_, column);
    return data ? std::string(static_cast<const char*>(data), static_cast<std::size_t>(size))
                : std::string();
}

}  // namespace moonwire::sqlite
