#include "core/script/cron.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>

#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

std::int64_t at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0,
                int second = 0) {
    using namespace std::chrono;
    return sys_days(std::chrono::year(year) / month / day).time_since_epoch().count() * 86400LL +
           hour * 3600 + minute * 60 + second;
}

std::string show(std::int64_t seconds) {
    return iso_time(static_cast<double>(seconds)).substr(0, 16);
}

std::string next(std::string_view expression, std::int64_t after) {
    const auto times = CronTimes::parse(expression);
    return times ? show(times->next(after)) : times.error().message;
}

std::string problem(std::string_view expression) {
    const auto times = CronTimes::parse(expression);
    return times ? "none" : times.error().message;
}

}  // namespace

TEST_CASE("cron finds the next time after a moment") {
    const std::int64_t noon = at(2026, 3, 14, 12, 0);  // a Saturday
    CHECK(next("* * * * *", noon) == "2026-03-14T12:01");
    CHECK(next("* * * * *", noon - 1) == "2026-03-14T12:00");
    CHECK(next("*/10 * * * *", noon + 61) == "2026-03-14T12:10");
    CHECK(next("*/10 * * * *", at(2026, 3, 14, 12, 59, 59)) == "2026-03-14T13:00");
    CHECK(next("0 0 * * *", noon) == "2026-03-15T00:00");
    CHECK(next("59 23 31 12 *", noon) == "2026-12-31T23:59");
    CHECK(next("30 4 1,15 * *", noon) == "2026-03-15T04:30");
    CHECK(next("15 8-18/5 * * *", noon) == "2026-03-14T13:15");
    CHECK(next("0 9 * * mon-fri", noon) == "2026-03-16T09:00");
    CHECK(next("0 9 * * MON", noon) == "2026-03-16T09:00");
    CHECK(next("0 0 * * 0", noon) == "2026-03-15T00:00");
    CHECK(next("0 0 * * 7", noon) == "2026-03-15T00:00");
    CHECK(next("0 0 * * 5-7", noon) == "2026-03-15T00:00");
    CHECK(next("0 0 1 jan,Jul *", noon) == "2026-07-01T00:00");
    CHECK(next("\t0  0 1 */3 * ", noon) == "2026-04-01T00:00");
    CHECK(next("0 0 31 * *", at(2026, 3, 31)) == "2026-05-31T00:00");
    CHECK(next("5-7,9 * * * *", at(2026, 3, 14, 12, 7)) == "2026-03-14T12:09");
    CHECK(next("59 23 * * *", at(2026, 12, 31, 23, 59)) == "2027-01-01T23:59");
}

TEST_CASE("cron knows leap years and before 1970") {
    CHECK(next("0 0 29 2 *", at(2026, 3, 1)) == "2028-02-29T00:00");
    CHECK(next("0 0 29 2 *", at(2096, 2, 29)) == "2104-02-29T00:00");
    CHECK(next("0 0 29 feb */7", at(2026, 1, 1)) == "2032-02-29T00:00");  // a Sunday
    CHECK(next("0 12 28-31 2 *", at(2028, 2, 28, 12, 0)) == "2028-02-29T12:00");
    CHECK(next("* * * * *", -30) == "1970-01-01T00:00");
    CHECK(next("0 0 * * *", -86400 * 2 + 5) == "1969-12-31T00:00");
}

TEST_CASE("cron takes either day field when both are restricted, as Vixie's does") {
    const std::int64_t start = at(2026, 3, 14, 12, 0);
    CHECK(next("0 0 20 * 1", start) == "2026-03-16T00:00");
    CHECK(next("0 0 20 * 1", at(2026, 3, 16)) == "2026-03-20T00:00");
    CHECK(next("0 0 30 2 1", start) == "2027-02-01T00:00");
    // A star with a step is a star: both must hold.
    CHECK(next("0 0 */2 * 1", start) == "2026-03-23T00:00");
    CHECK(next("0 0 13 * */5", start) == "2026-09-13T00:00");
}

TEST_CASE("cron has nicknames") {
    const std::int64_t start = at(2026, 3, 14, 12, 30);
    CHECK(next("@hourly", start) == "2026-03-14T13:00");
    CHECK(next("@daily", start) == "2026-03-15T00:00");
    CHECK(next("@midnight", start) == "2026-03-15T00:00");
    CHECK(next("@weekly", start) == "2026-03-15T00:00");
    CHECK(next("@Monthly", start) == "2026-04-01T00:00");
    CHECK(next("@yearly", start) == "2027-01-01T00:00");
    CHECK(next("@annually", start) == "2027-01-01T00:00");
}

TEST_CASE("a bad cron expression is an error that names the field") {
    CHECK(problem("60 * * * *") == "minute: '60' is not from 0 to 59");
    CHECK(problem("* 24 * * *") == "hour: '24' is not from 0 to 23");
    CHECK(problem("* * 0 * *") == "day of month: '0' is not from 1 to 31");
    CHECK(problem("* * * 13 *") == "month: '13' is not from 1 to 12");
    CHECK(problem("* * * * 8") == "day of week: '8' is not from 0 to 7");
    CHECK(problem("* * * foo *") == "month: 'foo' is no number");
    CHECK(problem("* * * * january") == "day of week: 'january' is no number");
    CHECK(problem("99999999999 * * * *") == "minute: '99999999999' is not from 0 to 59");
    CHECK(problem("-1 * * * *") == "minute: '' is no number");
    CHECK(problem("1,,2 * * * *") == "minute: '' is no number");
    CHECK(problem("1.5 * * * *") == "minute: '1.5' is no number");
    CHECK(problem("30-10 * * * *") == "minute: '30-10' goes backwards");
    CHECK(problem("*/0 * * * *") == "minute: '*/0' has a step that is not from 1 to 59");
    CHECK(problem("*/90 * * * *") == "minute: '*/90' has a step that is not from 1 to 59");
    CHECK(problem("*/x * * * *") == "minute: '*/x' has a step that is not from 1 to 59");
    CHECK(problem("5/10 * * * *") == "minute: '5/10' has a step without a range (as in 5-59/10)");
    CHECK(problem("0 0 30 2 *") == "day of month: '30' never comes in month '2'");
    CHECK(problem("0 0 31 feb,4,6,9,11 *").starts_with("day of month: '31' never comes"));
    CHECK(problem("* * * *").ends_with("not 4"));
    CHECK(problem("* * * * * *").ends_with("not 6"));
    CHECK(problem("").ends_with("not 0"));
    CHECK(problem("@reboot").starts_with("'@reboot' is none of @hourly"));
}

TEST_CASE("cron runs at the wall clock's minutes, until it is cancelled") {
    ScriptTest test;
    test.reactors[0]->set_wall_start(static_cast<double>(at(2026, 3, 14, 12, 4, 30)));
    test.load(R"(
local ns = namespace "/t"
local job = cron("*/10 * * * *", function() ns:emit("job", iso_time()) end)
ns:on("stop", function() return job:cancel(), job:cancel() end)
)");
    const auto client = test.join();
    test.advance(5 * 60 + 29);
    CHECK(client->take() == Lines{});
    test.advance(2);
    CHECK(client->take().size() == 1);
    test.advance(20 * 60);
    const Lines lines = client->take();
    REQUIRE(lines.size() == 2);
    CHECK(lines[1].starts_with(R"(2/t,["job","2026-03-14T12:30:00.)"));
    CHECK(test.ask(client, R"(["stop"])") == "[true,false]");
    test.advance(3600);
    CHECK(client->take() == Lines{});
}

TEST_CASE("cron never overlaps itself, and outlives an error") {
    ScriptTest test;
    test.load(R"(
local ns = namespace "/t"
local n = 0
cron("* * * * *", function()
  n = n + 1
  ns:emit("job", n)
  if n == 1 then sleep(150) end
  if n == 2 then error("second") end
end)
)");
    const auto client = test.join();
    LogCapture log;
    test.advance(60);
    CHECK(client->take() == Lines{R"(2/t,["job",1])"});
    test.advance(120);
    CHECK(client->take() == Lines{});
    test.advance(60);
    CHECK(client->take() == Lines{R"(2/t,["job",2])"});
    CHECK(log.has("app/main.lua:8: second"));
    test.advance(60);
    CHECK(client->take() == Lines{R"(2/t,["job",3])"});
}

TEST_CASE("a reload ends the old generation's cron and starts the new one's") {
    ScriptTest test;
    test.load("ns = namespace '/t'\ncron('* * * * *', function() ns:emit('old') end)");
    const auto client = test.join();
    CHECK(test.reload("ns = namespace '/t'\ncron('* * * * *', function() ns:emit('new') end)") ==
          Lines{});
    test.advance(60);
    CHECK(client->take() == Lines{R"(2/t,["new"])"});
}

TEST_CASE("cron follows a wall clock that is set") {
    ScriptTest test;
    ManualReactor& reactor = *test.reactors[0];
    const auto start = static_cast<double>(at(2026, 3, 14, 12, 0, 30));
    reactor.set_wall_start(start);
    test.load(R"(
local ns = namespace "/t"
cron("0 * * * *", function() ns:emit("job", iso_time():sub(12, 16)) end)
)");
    const auto client = test.join();
    test.advance(60);
    CHECK(client->take() == Lines{});
    // Two hours forward: what was missed is made up for once, within a minute.
    reactor.set_wall_start(start + 7200);
    test.advance(60);
    CHECK(client->take() == Lines{R"(2/t,["job","14:02"])"});
    // An hour back, as at the end of a correction: 14:00 has been.
    reactor.set_wall_start(start + 3600);
    test.advance(3600);
    CHECK(client->take() == Lines{});
    test.advance(3600);
    CHECK(client->take() == Lines{R"(2/t,["job","15:00"])"});
    // Years back: the clock had been wrong.
    reactor.set_wall_start(static_cast<double>(at(2020, 1, 1, 0, 30)));
    test.advance(60 * 60);
    CHECK(client->take().size() == 1);
}

TEST_CASE("a bad cron is an error at load, with its line") {
    ScriptTest test;
    CHECK(test.load_errors("namespace '/t'\ncron('61 * * * *', function() end)") ==
          Lines{"app/main.lua:2: cron '61 * * * *': minute: '61' is not from 0 to 59"});
}
