#include "tests/bench/load/window.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace bench {
namespace {

/// The generator is the limit when it is busy all the time, or late with what it sends.
constexpr double kBusyCores = 0.95;
constexpr double kLateMs = 5;

}  // namespace

void Window::begin() {
    usage_before_ = ServerUsage::of(options_.pids);
    own_cpu_before_ = std::clock();
    begin_ = Clock::now();
    open_ = true;
}

void Window::end() {
    end_ = Clock::now();
    open_ = false;
    over_ = true;
    own_cpu_after_ = std::clock();
    usage_after_ = ServerUsage::of(options_.pids);
}

void Window::sent(TimePoint due, std::size_t deliveries) {
    if (!open_ || due < begin_) return;
    ++sent_;
    expected_ += deliveries;
    lateness_.add((Clock::now() - due).count());
}

std::string Window::report(std::size_t connections) const {
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> json(text);
    json.SetMaxDecimalPlaces(4);
    const auto number = [&](const char* name, double value) {
        json.Key(name);
        json.Double(value);
    };
    const auto count = [&](const char* name, std::uint64_t value) {
        json.Key(name);
        json.Uint64(value);
    };
    const double seconds = Seconds(end_ - begin_).count();
    const auto threads = usage_after_.since(usage_before_);
    double cpu = 0;
    for (const auto& thread : threads) cpu += thread.cpu_seconds;
    const double own_cores =
        static_cast<double>(own_cpu_after_ - own_cpu_before_) / CLOCKS_PER_SEC / seconds;

    json.StartObject();
    json.Key("scenario");
    json.String(options_.scenario.c_str());
    number("seconds", seconds);
    count("connections", connections);
    number("cpu_cores", cpu / seconds);
    number("client_cpu_cores", own_cores);
    json.Key("threads");
    json.StartArray();
    for (const auto& thread : threads) {
        json.StartObject();
        json.Key("name");
        json.String(thread.name.c_str());
        number("cpu_s", thread.cpu_seconds);
        json.EndObject();
    }
    json.EndArray();
    count("rss_after_kb", usage_after_.resident_kb);
    switch (options_.pattern) {
        case Options::Pattern::storm:
            number("connects_per_s", static_cast<double>(in_window_) / seconds);
            number("cpu_us_per_connect", in_window_ ? cpu * 1e6 / static_cast<double>(in_window_) : 0);
            break;
        case Options::Pattern::idle:
            count("rss_before_kb", resident_before_kb);
            number("kb_per_connection",
                   (static_cast<double>(usage_after_.resident_kb) -
                    static_cast<double>(resident_before_kb)) /
                       static_cast<double>(idle_connections));
            break;
        default:
            number("offered_per_s", options_.rate);
            count("sent", sent_);
            count("expected", expected_);
            count("delivered", delivered_);
            count("lost", expected_ > delivered_ ? expected_ - delivered_ : 0);
            number("delivered_per_s", static_cast<double>(in_window_) / seconds);
            number("cpu_us_per_delivery",
                   in_window_ ? cpu * 1e6 / static_cast<double>(in_window_) : 0);
    }
    if (latency_.total() > 0) {
        number("p50_ms", latency_.quantile_ms(0.5));
        number("p90_ms", latency_.quantile_ms(0.9));
        number("p99_ms", latency_.quantile_ms(0.99));
        number("p999_ms", latency_.quantile_ms(0.999));
        number("max_ms", latency_.max_ms());
    }
    json.Key("saturated");
    json.Bool(own_cores > kBusyCores || lateness_.quantile_ms(0.99) > kLateMs);
    json.EndObject();
    return text.GetString();
}

}  // namespace bench
