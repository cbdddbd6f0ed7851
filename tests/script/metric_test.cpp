#include "core/script/metric.hpp"

#include <doctest/doctest.h>

#include "tests/script/host_fixture.hpp"
#include "tests/script/log_capture.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

MetricShape shape(std::string name, std::vector<std::string> labels = {},
                  plugin::MetricKind kind = plugin::MetricKind::counter) {
    MetricShape made{kind, std::move(name), "Help.", std::move(labels), {}};
    if (kind == plugin::MetricKind::histogram) made.bounds = {1, 2};
    return made;
}

std::string key(std::initializer_list<std::string_view> values) {
    std::string made;
    for (const std::string_view each : values) Metric::append_label(made, each);
    return made;
}

/// As "name{namespace,values} value [counts]", in order.
Lines shown(const plugin::Metrics& metrics) {
    Lines lines;
    for (const plugin::MetricFamily& family : metrics)
        for (const plugin::MetricSample& sample : family.samples) {
            std::string line = family.name + "{";
            for (const std::string& each : sample.labels)
                line += (&each == &sample.labels.front() ? "" : ",") + each;
            line += "} " + std::to_string(static_cast<int>(sample.value * 10));
            for (const std::uint64_t each : sample.counts) line += " " + std::to_string(each);
            lines.push_back(line);
        }
    return lines;
}

constexpr const char* kShop = R"(
local ns = namespace '/t'
local sold = metrics.counter('sold_total', 'Sold.', { 'item' })
local open = metrics.gauge('open', 'Open.')
local took = metrics.histogram('took_seconds', 'Took.', { 'item' }, { 0.1, 1 })
ns:on('inc', function(socket, item, by) sold:inc({ item = item }, by) end)
ns:on('open', function(socket, what, by) open[what](open, by) end)
ns:on('took', function(socket, item, seconds) took:observe({ item = item }, seconds) end)
)";

struct MetricTest : ScriptTest {
    /// The first line of what loading this says, without the place.
    std::string declared(const std::string& call) {
        const Lines lines = load_errors("local ns = namespace '/t'\n" + call);
        return lines.empty() ? "" : lines.front().substr(lines.front().find(": ") + 2);
    }
    Lines figures() const { return shown(host->metrics()); }
};

}  // namespace

TEST_CASE("names that Prometheus or the broker would not have are refused") {
    const auto problem = [](const MetricShape& made) { return made.problem().value_or(""); };
    using Kind = plugin::MetricKind;
    CHECK(problem(shape("a_total", {"b"})) == "");
    CHECK(problem(shape("a", {}, Kind::gauge)) == "");
    CHECK(problem(shape("a", {}, Kind::histogram)) == "");
    for (const char* bad : {"", "1a_total", "a-b_total", "a:b_total", "\xc3\xa4_total"})
        CHECK(problem(shape(bad)).find("is no metric's name") != std::string::npos);
    CHECK(problem(shape("a")) == "a counter's name ends in _total");
    CHECK(problem(shape("a_total", {}, Kind::gauge)) == "only a counter's name ends in _total");
    CHECK(problem(shape("a_count", {}, Kind::gauge)) == "a name must not end in _count");
    CHECK(problem(shape("moonwire_a_total")) == "names with moonwire_ are the broker's own");
    CHECK(problem(shape("a_total", {"1"})).find("is no label's name") != std::string::npos);
    CHECK(problem(shape("a_total", {"__a"})).find("is no label's name") != std::string::npos);
    CHECK(problem(shape("a_total", {"le"})) == "the label 'le' is set by the broker");
    CHECK(problem(shape("a_total", {"namespace"})) == "the label 'namespace' is set by the broker");
    CHECK(problem(shape("a_total", {"b", "b"})) == "the label 'b' is there twice");
    CHECK(problem(shape("a_total", std::vector<std::string>(11, "b"))) == "more than 10 labels");
    MetricShape made = shape("a", {}, Kind::histogram);
    made.bounds = {1, 1};
    CHECK(problem(made) == "the buckets are 1 to 50 numbers that grow");
    made = shape("a_total");
    made.help.clear();
    CHECK(problem(made) == "the help must be a text");
}

TEST_CASE("labels' values are made short and valid, and stay apart") {
    CHECK(key({"ab", "c"}) != key({"a", "bc"}));
    CHECK(key({std::string(128, 'x')}) == key({std::string(500, 'x')}));
    CHECK(key({"a\xff"
               "b"}) == key({"a?b"}));
    // A sequence that has no room goes as a whole.
    CHECK(key({std::string(127, 'x') + "\xc3\xa4"}) == key({std::string(127, 'x')}));
    CHECK(key({std::string(127, 'x') + "\xff\xff"}) == key({std::string(127, 'x') + "?"}));
}

TEST_CASE("beyond the limit of series all is other, and the log says so once") {
    LogCapture log;
    Metric metric(shape("a_total", {"x"}), "/t", 2);
    metric.add(key({"1"}), 1);
    metric.add(key({"2"}), 1);
    metric.add(key({"3"}), 1);
    metric.add(key({"4"}), 1);
    metric.add(key({"2"}), 1);
    plugin::Metrics all{{"a_total", "", plugin::MetricKind::counter, {}, {}, {}}};
    metric.append(all.front().samples);
    CHECK(shown(all) == Lines{"a_total{/t,1} 10", "a_total{/t,2} 20", "a_total{/t,other} 20"});
    const std::string text = log.text();
    const std::string told = "a metric has too many series";
    CHECK(text.find(told) != std::string::npos);
    CHECK(text.find(told) == text.rfind(told));
}

TEST_CASE("scripts count, set and observe") {
    MetricTest test;
    test.load(kShop);
    CHECK(test.figures().empty());  // nothing that was not counted
    const auto client = test.join();
    CHECK(test.ask(client, R"(["inc","cup"])") == "[]");
    CHECK(test.ask(client, R"(["inc","cup",2.5])") == "[]");
    CHECK(test.ask(client, R"(["inc",true])") == "[]");
    CHECK(test.ask(client, R"(["open","set",5])") == "[]");
    CHECK(test.ask(client, R"(["open","inc"])") == "[]");
    CHECK(test.ask(client, R"(["open","dec",3])") == "[]");
    for (const char* each : {"0.1", "0.2", "7"})
        CHECK(test.ask(client, R"(["took","cup",)" + std::string(each) + "]") == "[]");
    CHECK(test.figures() == Lines{"open{/t} 30", "sold_total{/t,cup} 35", "sold_total{/t,true} 10",
                                  "took_seconds{/t,cup} 73 1 1 1"});
}

TEST_CASE("a wrong call is an error that names the metric, and counts nothing") {
    LogCapture log;
    MetricTest test;
    test.load(R"(
local ns = namespace '/t'
local sold = metrics.counter('sold_total', 'Sold.', { 'item' })
local open = metrics.gauge('open', 'Open.')
local calls = {
  function() sold:inc() end,
  function() sold:inc { thing = "x" } end,
  function() sold:inc {} end,
  function() sold:inc { item = {} } end,
  function() sold:inc({ item = "a" }, -1) end,
  function() sold:inc({ item = "a" }, 0 / 0) end,
  function() sold.inc({ item = "a" }) end,
  function() open:set() end,
  function() open:set({ item = "x" }, 1) end,
  function() open:observe(1) end,
  function() metrics.gauge("late", "Too late.") end,
}
ns:on('try', function(socket, i)
  local ok, why = pcall(calls[i])
  return ok, (why:gsub("^.-:%d+: ", ""))
end)
)");
    const auto client = test.join();
    const auto attempt = [&](int i) {
        return test.ask(client, "[\"try\"," + std::to_string(i) + "]");
    };
    const auto says = [&](int i, const std::string& text) {
        const std::string said = attempt(i);
        CHECK_MESSAGE(said.find(text) != std::string::npos, said);
    };
    says(1,
         R"([false,"metric 'sold_total': its labels are expected first, as in {item = \"x\"}"])");
    says(2, "metric 'sold_total' has no label 'thing'");
    says(3, "metric 'sold_total': its label 'item' is missing");
    says(4, "metric 'sold_total': label 'item' must be a text, a number or a boolean, got table");
    says(5, "a counter only grows");
    says(6, "a number expected, got NaN");
    says(7, "inc is a counter's (called with ':'?)");
    says(8, "number expected, got nil");
    says(9, "metric 'open' has no label 'item'");
    says(10, "gauge has no field 'observe'");
    says(11, "metrics.gauge can only be used while a file loads");
    CHECK(test.figures().empty());
}

TEST_CASE("a wrong declaration is an error at load") {
    MetricTest test;
    CHECK(test.declared("metrics.counter('a_total')") ==
          "metric 'a_total': the second argument is its help, a text");
    CHECK(test.declared("metrics.counter()") == "metric '?': the first argument is its name");
    CHECK(test.declared("metrics.gauge('a', 'A.', 'b')") ==
          "metric 'a': the third argument is a list of labels");
    CHECK(test.declared("metrics.gauge('a', 'A.', {1})") == "metric 'a': labels are texts");
    CHECK(test.declared("metrics.histogram('a', 'A.', {}, {'x'})") ==
          "metric 'a': buckets are numbers");
    CHECK(test.declared("metrics.histogram('a', 'A.', {}, {2, 1})") ==
          "metric 'a': the buckets are 1 to 50 numbers that grow");
    CHECK(test.declared("metrics.counter('a', 'A.')") ==
          "metric 'a': a counter's name ends in _total");
    CHECK(test.declared("metrics.gauge('a', 'A.') metrics.histogram('a', 'A.')") ==
          "metric 'a': is a gauge, not a histogram");
    // To OpenMetrics they would be one.
    CHECK(test.declared("metrics.gauge('a', 'A.') metrics.counter('a_total', 'A.')") ==
          "metric 'a_total': is a gauge, not a counter");
    CHECK(test.declared("metrics.gauge('a', 'A.'):set(1)") ==
          "set can't be used while a file loads");
    CHECK(test.declared("for i = 1, 1001 do metrics.gauge('a' .. i, 'A.') end") ==
          "metric 'a1001': there are too many metrics");
}

TEST_CASE("a reload keeps the values; another kind or other labels don't load") {
    LogCapture log;
    MetricTest test;
    test.load(kShop);
    const auto client = test.join();
    test.ask(client, R"(["inc","cup"])");
    std::string next = kShop;
    next += "-- changed";
    CHECK(test.reload(next).empty());
    test.ask(client, R"(["inc","cup"])");
    CHECK(test.figures() == Lines{"sold_total{/t,cup} 20"});

    const Lines errors = test.reload(R"(local ns = namespace '/t'
metrics.counter('sold_total', 'Sold.', { 'item', 'size' }))");
    CHECK(errors ==
          Lines{"app/main.lua:2: metric 'sold_total': has the labels {item}, not {item, size}; "
                "a metric keeps its kind, labels and buckets while the broker runs"});
    test.ask(client, R"(["inc","cup"])");
    CHECK(test.figures() == Lines{"sold_total{/t,cup} 30"});

    // What no version declares any more is gone, and may come back as something else.
    CHECK(test.reload("local ns = namespace '/t'").empty());
    CHECK(test.figures().empty());
    CHECK(
        test.reload("local ns = namespace '/t'\nmetrics.counter('sold_total', 'Sold.', { 'size' })")
            .empty());
}

TEST_CASE("a metric is one thing in all namespaces, each with series of its own") {
    MetricTest test;
    const std::string counts =
        "local c = metrics.counter('a_total', 'A.', {'x'})\n"
        "ns:on('e', function() c:inc{x = 'y'} end)";
    test.folder.write("one.lua", "local ns = namespace '/t'\n" + counts);
    test.folder.write("two.lua", "local ns = namespace '/u'\n" + counts);
    test.folder.write("zero.lua", "local ns = namespace '/v'\nmetrics.counter('a_total', 'A.')");
    const Lines errors = test.load_errors();
    CHECK(errors ==
          Lines{"app/zero.lua:2: metric 'a_total': in namespace /t it has the labels {x}, not {}"});
    test.ask(test.join("/t"), R"(["e"])", "/t");
    test.ask(test.join("/u"), R"(["e"])", "/u");
    CHECK(test.figures() == Lines{"a_total{/t,y} 10", "a_total{/u,y} 10"});
}
