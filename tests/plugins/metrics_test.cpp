#include <doctest/doctest.h>

#include <condition_variable>
#include <limits>
#include <mutex>
#include <vector>

#include "plugins/metrics/bearer.hpp"
#include "plugins/metrics/exposition.hpp"
#include "plugins/metrics/scraper.hpp"

using namespace moonwire;
using namespace moonwire::metrics;
using plugin::MetricKind;

namespace {

const plugin::Metrics kSome{
    {"a_total", "A \"\\\nB.", MetricKind::counter, {"x"}, {}, {{{"q\"\\\n"}, 12, {}}}},
    {"g", "G.", MetricKind::gauge, {}, {}, {{{}, 0.1, {}}}},
    {"h", "H.", MetricKind::histogram, {"x"}, {0.00001, 1}, {{{"y"}, 2.5, {1, 0, 2}}}},
    {"none_total", "None.", MetricKind::counter, {"x"}, {}, {}},
};

/// A door that stays shut until it is opened.
class Door {
public:
    void open() {
        std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void pass() {
        std::unique_lock lock(mutex_);
        inside_ = true;
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
    }
    void wait_until_somebody_waits() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return inside_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false, inside_ = false;
};

}  // namespace

TEST_CASE("the Accept header chooses the form") {
    CHECK(choose_format("") == Format::text);
    CHECK(choose_format("*/*") == Format::text);
    CHECK(choose_format("text/html,*/*;q=0.8") == Format::text);
    CHECK(choose_format("application/openmetrics-text") == Format::open_metrics);
    // Prometheus 2.
    CHECK(choose_format("application/openmetrics-text;version=1.0.0,"
                        "application/openmetrics-text;version=0.0.1;q=0.75,"
                        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1") == Format::open_metrics);
    CHECK(choose_format("text/plain, application/openmetrics-text;q=0.5") == Format::text);
    CHECK(choose_format("application/openmetrics-text; q=0") == Format::text);
    CHECK(choose_format(";;q=,,application/openmetrics-text ;q=x") == Format::text);
}

TEST_CASE("OpenMetrics is written as its specification says") {
    CHECK(expose(kSome, Format::open_metrics) ==
          "# HELP a A \\\"\\\\\\nB.\n"
          "# TYPE a counter\n"
          "a_total{x=\"q\\\"\\\\\\n\"} 12\n"
          "# HELP g G.\n"
          "# TYPE g gauge\n"
          "g 0.1\n"
          "# HELP h H.\n"
          "# TYPE h histogram\n"
          "h_bucket{x=\"y\",le=\"1e-05\"} 1\n"
          "h_bucket{x=\"y\",le=\"1.0\"} 1\n"
          "h_bucket{x=\"y\",le=\"+Inf\"} 3\n"
          "h_count{x=\"y\"} 3\n"
          "h_sum{x=\"y\"} 2.5\n"
          "# HELP none None.\n"
          "# TYPE none counter\n"
          "# EOF\n");
}

TEST_CASE("the text form has the same series") {
    const std::string text = expose(kSome, Format::text);
    CHECK(text.find("# TYPE a_total counter\n") != std::string::npos);
    CHECK(text.find("a_total{x=\"q\\\"\\\\\\n\"} 12\n") != std::string::npos);
    CHECK(text.find("h_bucket{x=\"y\",le=\"+Inf\"} 3\n") != std::string::npos);
    CHECK(text.find("# EOF") == std::string::npos);
}

TEST_CASE("numbers that are none are written as Prometheus reads them") {
    const double infinity = std::numeric_limits<double>::infinity();
    const plugin::Metrics odd{{"g",
                               "G.",
                               MetricKind::gauge,
                               {"x"},
                               {},
                               {{{"a"}, infinity, {}},
                                {{"b"}, -infinity, {}},
                                {{"c"}, std::numeric_limits<double>::quiet_NaN(), {}},
                                {{"d"}, 1e300, {}}}}};
    const std::string text = expose(odd, Format::open_metrics);
    CHECK(text.find("g{x=\"a\"} +Inf\n") != std::string::npos);
    CHECK(text.find("g{x=\"b\"} -Inf\n") != std::string::npos);
    CHECK(text.find("g{x=\"c\"} NaN\n") != std::string::npos);
    CHECK(text.find("g{x=\"d\"} 1e+300\n") != std::string::npos);
}

TEST_CASE("a token is brought as a bearer's") {
    CHECK(brings_token("Bearer secret", "secret"));
    CHECK(brings_token("bearer secret", "secret"));
    CHECK_FALSE(brings_token("Bearer secreT", "secret"));
    CHECK_FALSE(brings_token("Bearer secret ", "secret"));
    CHECK_FALSE(brings_token("Bearer ", "secret"));
    CHECK_FALSE(brings_token("secret", "secret"));
    CHECK_FALSE(brings_token("", "secret"));
}

TEST_CASE("scrapes at once share an answer; too many and late ones are told so") {
    Door door;
    std::mutex mutex;
    std::vector<unsigned> statuses;
    Scraper scraper;
    const auto ask = [&](Format format) {
        scraper.ask(format, [&](plugin::HttpResponse response) {
            std::lock_guard lock(mutex);
            statuses.push_back(response.status);
        });
    };
    scraper.start([&] {
        door.pass();
        return kSome;
    });
    ask(Format::text);
    door.wait_until_somebody_waits();
    for (std::size_t i = 0; i < Scraper::kMaxWaiting; ++i)
        ask(i % 2 ? Format::text : Format::open_metrics);
    CHECK(statuses.empty());
    ask(Format::text);
    CHECK(statuses == std::vector<unsigned>{503});
    door.open();
    for (;;) {
        std::lock_guard lock(mutex);
        if (statuses.size() == Scraper::kMaxWaiting + 2) break;
    }
    CHECK(scraper.made() == 2);
    CHECK(statuses.back() == 200);
    scraper.stop();
    ask(Format::text);
    CHECK(statuses.back() == 503);
}

TEST_CASE("figures that can't be had are an answer, too") {
    Door answered;
    unsigned status = 0;
    Scraper scraper;
    scraper.start([]() -> plugin::Metrics { throw std::bad_alloc(); });
    scraper.ask(Format::text, [&](plugin::HttpResponse response) {
        status = response.status;
        answered.open();
    });
    answered.pass();
    CHECK(status == 500);
}
