#include "core/server/control_report.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>

#include "core/server/control_socket.hpp"

using namespace moonwire;
using namespace moonwire::server;

namespace {

struct Variable {
    Variable(const char* name, const char* value) : name(name) {
        if (const char* was = std::getenv(name)) before = was;
        if (value) setenv(name, value, 1);
        else unsetenv(name);
    }
    ~Variable() {
        if (before) setenv(name, before->c_str(), 1);
        else unsetenv(name);
    }
    const char* name;
    std::optional<std::string> before;
};

}  // namespace

TEST_CASE("a table lines its columns up, numbers to the right") {
    NamespaceReport small{"/", 1}, large{"/a\nb", 12};
    large.sockets = 100'000;
    CHECK(render({small, large}, ReportForm::text) ==
          "NAMESPACE  GENERATION  SOCKETS  ROOMS  EVENTS IN  EVENTS OUT  FAILED  MEMORY KB\n"
          "/                   1        0      0          0           0       0          0\n"
          "/a?b               12   100000      0          0           0       0          0\n");
}

TEST_CASE("a page of sockets says what follows it") {
    SocketsReport page;
    page.total = 3;
    page.offset = 1;
    SocketReport socket{"ID", "/", "polling", "::1", 0, {"1", "2", "3", "4", "5", "6"}, 200};
    page.sockets = {socket};
    CHECK(render(page, ReportForm::text) ==
          "ID  NAMESPACE  TRANSPORT  ADDRESS  CONNECTED SINCE           ROOMS\n"
          "ID  /          polling    ::1      1970-01-01T00:00:00.000Z  1, 2, 3, 4, 5, and 195 more\n"
          "1 of 3; the next: --offset 2\n");
    CHECK(render(page, ReportForm::json) ==
          R"({"sockets":[{"id":"ID","namespace":"/","transport":"polling","address":"::1",)"
          R"("connected_since":"1970-01-01T00:00:00.000Z","rooms":["1","2","3","4","5","6"],)"
          R"("room_count":200}],"offset":1,"total":3})"
          "\n");
}

TEST_CASE("errors are lines with their places") {
    CHECK(render(std::vector<script::LoadError>{}, ReportForm::text) == "ok\n");
    const std::vector<script::LoadError> errors = {{"a.lua", 3, "bad"}, {"b.lua", 0, "none"}};
    CHECK(render(errors, ReportForm::text) == "a.lua:3: bad\nb.lua: none\n");
    CHECK(render(errors, ReportForm::json) ==
          R"({"errors":[{"file":"a.lua","line":3,"message":"bad"},)"
          R"({"file":"b.lua","message":"none"}]})"
          "\n");
}

TEST_CASE("the status tells how long the broker has run") {
    const auto first_line = [](double seconds) {
        StatusReport report;
        report.version = "1";
        report.state = "ready";
        report.process = 7;
        report.uptime_seconds = seconds;
        const std::string text = render(report, ReportForm::text);
        return text.substr(0, text.find('\n'));
    };
    CHECK(first_line(0.4) == "moonwire 1, process 7, ready for 0 s");
    CHECK(first_line(125) == "moonwire 1, process 7, ready for 2 min 5 s");
    CHECK(first_line(4 * 3600 + 60) == "moonwire 1, process 7, ready for 4 h 1 min");
    CHECK(first_line(3 * 86400) == "moonwire 1, process 7, ready for 3 d 0 h");
}

TEST_CASE("the default control socket is apart from other users'") {
    {
        const Variable runtime("XDG_RUNTIME_DIR", "/run/user/7");
        CHECK(default_control_socket("3000") == "/run/user/7/moonwire-3000.sock");
    }
    const Variable none("XDG_RUNTIME_DIR", nullptr);
    const Variable temporary("TMPDIR", "/tmp");
    const std::string path = default_control_socket("3000");
    CHECK(path.starts_with("/tmp/moonwire-"));
    CHECK(path.ends_with("-3000.sock"));
}
