#include "plugins/sqlite/store_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>

namespace moonwire::sqlite {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kApplication = 0x4d577374;  // "MWst", in the file's header
constexpr std::int64_t kVersion = 1;

std::string quoted(const std::string& path) { return "store \"" + path + "\": "; }

}  // namespace

bool StoreFile::exists() const {
    std::error_code error;
    return fs::exists(settings_.path, error);
}

std::optional<std::string> StoreFile::open() {
    if (is_open()) return std::nullopt;
    if (auto problem = lock()) return problem;
    const Verdict verdict = prepare();
    if (verdict.sort == Verdict::good) return std::nullopt;
    if (verdict.sort == Verdict::damaged && settings_.set_aside) return set_aside(verdict.why);
    close();
    if (verdict.sort == Verdict::foreign) return quoted(settings_.path) + verdict.why;
    return quoted(settings_.path) + "the file is damaged (" + verdict.why +
           "); put a backup in its place, or let store.set_aside = true keep it under another name "
           "and begin anew";
}

std::optional<std::string> StoreFile::lock() {
    const fs::path folder = fs::path(settings_.path).parent_path();
    std::error_code error;
    if (!folder.empty()) fs::create_directories(folder, error);
    if (error) return quoted(settings_.path) + "can't make its folder: " + error.message();
    // What namespaces keep is nobody else's to read.
    const int file = ::open(settings_.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
        const int reason = errno;
        return quoted(settings_.path) +
               (reason == EROFS || reason == EACCES ? "can't be written: " : "can't be opened: ") +
               std::strerror(reason);
    }
    // Not fcntl's locks, which SQLite uses, and which any close() of the file would drop.
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        const bool used = errno == EWOULDBLOCK;
        const std::string reason = std::strerror(errno);
        ::close(file);
        return quoted(settings_.path) +
               (used ? "another process uses it; store.path names another" : reason);
    }
    lock_ = file;
    return std::nullopt;
}

StoreFile::Verdict StoreFile::prepare() const try {
    Database database(settings_.path);
    const std::int64_t version = database.integer("PRAGMA user_version");
    const bool is_new = database.integer("SELECT count(*) FROM sqlite_schema") == 0;
    if (!is_new && database.integer("PRAGMA application_id") != kApplication)
        return {Verdict::foreign, "it is another program's database"};
    if (version > kVersion) return {Verdict::foreign, "a newer Moonwire has written it"};
    database.run("PRAGMA journal_mode = WAL");
    if (is_new) {
        database.run("BEGIN IMMEDIATE");
        Operations::create_tables(database);
        database.run(("PRAGMA application_id = " + std::to_string(kApplication)).c_str());
        database.run(("PRAGMA user_version = " + std::to_string(kVersion)).c_str());
        database.run("COMMIT");
    } else if (settings_.check) {
        std::string verdict = database.text("PRAGMA quick_check(1)");
        std::replace(verdict.begin(), verdict.end(), '\n', ' ');
        if (verdict != "ok") return {Verdict::damaged, std::move(verdict)};
    }
    return {};
} catch (const SqliteError& error) {
    return {error.is_damage() ? Verdict::damaged : Verdict::foreign,
            error.is_disk_full() ? plugin::kStoreDiskFull : error.message};
}

std::optional<std::string> StoreFile::set_aside(const std::string& why) {
    char stamp[32];
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    const std::string aside = settings_.path + ".damaged-" + stamp;
    close();
    std::error_code error;
    fs::rename(settings_.path, aside, error);
    if (error)
        return quoted(settings_.path) + "is damaged and can't be set aside: " + error.message();
    // Its journal goes with it; the index is made anew.
    fs::rename(settings_.path + "-wal", aside + "-wal", error);
    fs::remove(settings_.path + "-shm", error);
    settings_.warn("the store's file was damaged (" + why + "): it is kept as \"" + aside +
                   "\", and a new one begun");
    if (auto problem = lock()) return problem;
    const Verdict verdict = prepare();
    if (verdict.sort == Verdict::good) return std::nullopt;
    close();
    return quoted(settings_.path) + verdict.why;
}

std::unique_ptr<Connection> StoreFile::connect() const {
    auto connection = std::make_unique<Connection>(settings_.path, settings_.limits);
    connection->database.run(
        "PRAGMA secure_delete = FAST; PRAGMA cache_size = -8000; PRAGMA journal_size_limit = "
        "67108864");
    return connection;
}

void StoreFile::close() {
    if (lock_ >= 0) ::close(std::exchange(lock_, -1));
}

}  // namespace moonwire::sqlite
