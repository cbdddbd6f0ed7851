#include "core/server/audit_log.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace moonwire;
using namespace moonwire::server;
using namespace std::chrono_literals;

namespace fs = std::filesystem;

namespace {

/// A folder for a log, that goes with the test.
struct Folder {
    Folder() {
        static int count = 0;
        path = fs::temp_directory_path() /
               ("moonwire-audit-" + std::to_string(getpid()) + "-" + std::to_string(count++));
        fs::create_directories(path);
    }
    ~Folder() { fs::remove_all(path); }

    AuditOptions options() const { return {.file = file("audit.jsonl")}; }
    std::string file(const std::string& name) const { return (path / name).string(); }
    std::string text(const std::string& name = "audit.jsonl") const {
        std::ostringstream text;
        text << std::ifstream(file(name)).rdbuf();
        return text.str();
    }
    fs::path path;
};

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

bool wait_until(auto&& condition) {
    for (int i = 0; i < 10'000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

}  // namespace

TEST_CASE("an incident is a JSON line of what is known, and the file is for few eyes") {
    Folder folder;
    AuditLog log(folder.options());
    REQUIRE(log.open());
    log.on_incident({.kind = IncidentKind::auth_failed,
                     .address = "192.0.2.1",
                     .user = "a \"b\"",
                     .nsp = "/chat",
                     .socket = "s1",
                     .detail = "line\nbreak",
                     .count = 2});
    log.on_incident({.kind = IncidentKind::admin});
    log.close();
    const auto lines = lines_of(folder.text());
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].substr(lines[0].find(",\"kind\"")) ==
          R"(,"kind":"auth_failed","address":"192.0.2.1","user":"a \"b\"","namespace":"/chat",)"
          R"("socket":"s1","detail":"line\nbreak","count":2})");
    CHECK(lines[1].ends_with(R"(Z","kind":"admin"})"));
    CHECK(log.written() == 2);
    struct stat status {};
    REQUIRE(::stat(folder.file("audit.jsonl").c_str(), &status) == 0);
    CHECK((status.st_mode & 07) == 0);
}

TEST_CASE("a log goes on where the last one ended") {
    Folder folder;
    for (int i = 0; i < 2; ++i) {
        AuditLog log(folder.options());
        REQUIRE(log.open());
        log.on_incident({.kind = IncidentKind::admin});
    }
    CHECK(lines_of(folder.text()).size() == 2);
}

TEST_CASE("without a file nothing is opened, and one that can't be had is named") {
    AuditLog none({});
    CHECK_FALSE(none.enabled());
    CHECK(none.open());
    AuditLog bad({.file = "/nowhere/audit.jsonl"});
    const auto opened = bad.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().message ==
          "audit.file: can't open /nowhere/audit.jsonl: No such file or directory");
}

TEST_CASE("a full file is put aside, so many are kept, and no line is split or lost") {
    for (const unsigned keep : {2u, 0u}) {
        CAPTURE(keep);
        Folder folder;
        AuditOptions options = folder.options();
        options.max_bytes = 1000;
        options.keep = keep;
        AuditLog log(options);
        REQUIRE(log.open());
        for (int i = 0; i < 100; ++i) {
            const std::string detail = std::to_string(i);
            log.on_incident({.kind = IncidentKind::refused, .detail = detail});
            if (i % 10 == 0) REQUIRE(wait_until([&] { return log.written() == unsigned(i) + 1; }));
        }
        log.close();
        CHECK(log.written() == 100);
        std::size_t files = 0;
        for (const auto& each : fs::directory_iterator(folder.path)) {
            ++files;
            CHECK(fs::file_size(each) <= 1000);
        }
        CHECK(files == keep + 1);
        std::string all;
        for (unsigned n = keep; n > 0; --n) all += folder.text("audit.jsonl." + std::to_string(n));
        all += folder.text();
        const auto lines = lines_of(all);
        REQUIRE(!lines.empty());
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const std::string number = std::to_string(100 - lines.size() + i);
            CHECK(lines[i].ends_with("\"detail\":\"" + number + "\"}"));
        }
    }
}

TEST_CASE("a file that was moved away is opened anew when asked") {
    Folder folder;
    AuditLog log(folder.options());
    REQUIRE(log.open());
    log.on_incident({.kind = IncidentKind::admin, .detail = "before"});
    REQUIRE(wait_until([&] { return log.written() == 1; }));
    fs::rename(folder.file("audit.jsonl"), folder.file("moved"));
    log.reopen();
    REQUIRE(wait_until([&] { return fs::exists(folder.file("audit.jsonl")); }));
    log.on_incident({.kind = IncidentKind::admin, .detail = "after"});
    log.close();
    CHECK(folder.text("moved").find("before") != std::string::npos);
    CHECK(folder.text().find("after") != std::string::npos);
    CHECK(folder.text().find("before") == std::string::npos);
}

TEST_CASE("lines beyond the queue are dropped and counted, and the log says so") {
    Folder folder;
    // A pipe that nobody reads is as slow a disk as there can be.
    AuditOptions options{.file = folder.file("pipe")};
    REQUIRE(::mkfifo(options.file.c_str(), 0600) == 0);
    const int reader = ::open(options.file.c_str(), O_RDONLY | O_NONBLOCK);
    REQUIRE(reader >= 0);
    AuditLog log(options);
    REQUIRE(log.open());
    const std::string detail(200, 'x');
    constexpr std::uint64_t kLines = 60'000;
    for (std::uint64_t i = 0; i < kLines; ++i)
        log.on_incident({.kind = IncidentKind::refused, .detail = detail});
    CHECK(log.dropped() > 0);
    std::string text;
    std::atomic<bool> closed{false};
    std::thread closing([&] {
        // So that something is written after what was dropped.
        while (log.written() == 0) std::this_thread::sleep_for(1ms);
        log.on_incident({.kind = IncidentKind::admin});
        log.close();
        closed = true;
    });
    char buffer[65536];
    for (;;) {
        const bool last = closed;
        const ssize_t got = ::read(reader, buffer, sizeof buffer);
        if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
        else if (last) break;
        else std::this_thread::sleep_for(1ms);
    }
    closing.join();
    ::close(reader);
    CHECK(text.find("\"kind\":\"dropped\",\"count\":" + std::to_string(log.dropped())) !=
          std::string::npos);
    CHECK(log.written() + log.dropped() == kLines + 1);
}
