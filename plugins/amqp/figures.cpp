#include "plugins/amqp/figures.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>

namespace moonwire::amqp {
namespace {

double seconds(Status::Time::duration duration) {
    // Milliseconds are enough.
    return std::round(std::chrono::duration<double>(duration).count() * 1000) / 1000;
}

}  // namespace

std::string status_json(const Status& status, Status::Time now) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    const auto text = [&](const char* name, const std::string& value) {
        writer.Key(name);
        writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    };
    const auto number = [&](const char* name, std::uint64_t value) {
        writer.Key(name);
        writer.Uint64(value);
    };
    const auto real = [&](const char* name, double value) {
        writer.Key(name);
        writer.Double(value);
    };
    const auto up =
        status.connected_since ? now - *status.connected_since : Status::Time::duration();
    const double life = status.first_connected ? seconds(now - *status.first_connected) : 0;
    writer.StartObject();
    text("state", status.state);
    writer.Key("connected");
    writer.Bool(status.connected_since.has_value());
    text("url", status.url);
    real("uptime_seconds", seconds(up));
    real("uptime_percent", life > 0 ? 100 * std::min(seconds(status.up_before + up) / life, 1.0)
                           : status.connected_since ? 100
                                                    : 0);
    const Figures& figures = status.figures;
    number("attempts", figures.attempts);
    number("reconnections", figures.reconnections);
    number("queued", status.queued);
    number("sent", figures.sent);
    number("failed", figures.failed);
    number("dropped", figures.dropped);
    number("received", figures.received);
    number("acknowledged", figures.acknowledged);
    number("retried", figures.retried);
    number("dead_lettered", figures.dead_lettered);
    number("rejected", figures.rejected);
    if (!status.last_error.empty()) text("last_error", status.last_error);
    writer.Key("consumers");
    writer.StartArray();
    for (const ConsumerFigures& each : status.consumers) {
        writer.StartObject();
        text("queue", each.queue);
        text("state", each.state);
        number("in_hand", each.in_hand);
        if (!each.error.empty()) text("error", each.error);
        writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
    return {buffer.GetString(), buffer.GetSize()};
}

plugin::Metrics metrics_of(const std::vector<ConnectionStatus>& connections) {
    using plugin::MetricKind;
    plugin::Metrics all;
    const auto add = [&](const char* name, const char* help, MetricKind kind, auto value_of) {
        plugin::MetricFamily family{name, help, kind, {"namespace", "connection"}, {}, {}};
        for (const ConnectionStatus& each : connections)
            family.samples.push_back(
                {{each.nsp, each.name}, static_cast<double>(value_of(each.status)), {}});
        all.push_back(std::move(family));
    };
    const auto count = [&](const char* name, const char* help, std::uint64_t Figures::*figure) {
        add(name, help, MetricKind::counter,
            [figure](const Status& status) { return status.figures.*figure; });
    };
    add("amqp_up", "Whether the connection to the server is there.", MetricKind::gauge,
        [](const Status& status) { return status.connected_since.has_value(); });
    add("amqp_queued", "Messages published and not confirmed yet.", MetricKind::gauge,
        [](const Status& status) { return status.queued; });
    count("amqp_reconnections_total", "Connections made anew.", &Figures::reconnections);
    count("amqp_sent_total", "Messages that the server confirmed.", &Figures::sent);
    count("amqp_failed_total", "Messages unroutable, refused or timed out.", &Figures::failed);
    count("amqp_dropped_total", "Messages for which the buffer had no room.", &Figures::dropped);
    count("amqp_received_total", "Messages handed to scripts.", &Figures::received);
    count("amqp_acknowledged_total", "Messages whose handler succeeded.", &Figures::acknowledged);
    count("amqp_retried_total", "Messages put back after a failure.", &Figures::retried);
    count("amqp_dead_lettered_total", "Messages given up and kept.", &Figures::dead_lettered);
    count("amqp_rejected_total", "Messages given up and not kept.", &Figures::rejected);
    return all;
}

}  // namespace moonwire::amqp
