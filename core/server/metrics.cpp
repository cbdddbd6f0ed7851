#include "core/server/metrics.hpp"

#include <iterator>
#include <set>

#include "core/base/incidents.hpp"
#include "core/plugin/api/version.hpp"
#include "core/server/metric_writer.hpp"
#include "core/server/process_figures.hpp"

namespace moonwire::server {
namespace {

void write_process(MetricWriter& out, const StatsSources& sources) {
    const ProcessFigures process = process_figures();
    out.gauge("moonwire_build_info", "Always 1; says what runs.", {"version", "build"})
        .add(1, {MOONWIRE_VERSION, plugin::kBuildSignature});
    out.gauge("moonwire_plugin_info", "Always 1; a plugin that is loaded.", {"plugin"});
    for (const std::string& name : sources.plugins.names()) out.add(1, {name});
    out.counter("process_cpu_seconds_total", "CPU time of all threads.").add(process.cpu_seconds);
    out.gauge("process_resident_memory_bytes", "Memory in use.").add(process.resident_bytes);
    out.gauge("process_virtual_memory_bytes", "Memory reserved.").add(process.virtual_bytes);
    out.gauge("process_open_fds", "Open file descriptors.").add(process.open_descriptors);
    out.gauge("process_max_fds", "File descriptors that may be open.").add(process.max_descriptors);
    out.gauge("process_threads", "Threads.").add(process.threads);
    out.gauge("process_start_time_seconds", "When it began, since the epoch.")
        .add(process.start_seconds);
}

void write_reactors(MetricWriter& out, const StatsSources& sources) {
    const auto& transport = sources.transport;
    const unsigned n = transport.reactor_count();
    out.histogram("moonwire_reactor_lag_seconds",
                  "By how much a timer, asked for every 0.1 s, came too late.", {"reactor"});
    for (unsigned i = 0; i < n; ++i) out.add(sources.lag.of(i), {std::to_string(i)});
    out.gauge("moonwire_reactor_posted_tasks", "Work that other threads gave, not begun yet.",
              {"reactor"});
    for (unsigned i = 0; i < n; ++i) out.add(transport.posted(i), {std::to_string(i)});
}

void write_connections(MetricWriter& out, const StatsSources& sources) {
    using engineio::EngineStats;
    using transport::TransportStats;
    const auto& transport = sources.transport;
    const auto& engine = sources.engine;
    const unsigned n = transport.reactor_count();
    const auto engine_sum = [&](auto figure) { return sum_of(engine, n, figure); };
    const auto transport_sum = [&](auto figure) { return sum_of(transport, n, figure); };

    out.gauge("moonwire_sessions", "Engine.IO sessions that are open.", {"transport"})
        .add(engine_sum(&EngineStats::polling), {"polling"})
        .add(engine_sum(&EngineStats::websocket), {"websocket"});
    out.counter("moonwire_handshakes_total", "Sessions opened.")
        .add(engine_sum(&EngineStats::opened));
    out.counter("moonwire_sessions_closed_total", "Sessions closed.")
        .add(engine_sum(&EngineStats::closed));
    out.counter("moonwire_upgrades_total", "Sessions that went from polling to WebSocket.")
        .add(engine_sum(&EngineStats::upgrades));
    out.counter("moonwire_refused_requests_total", "Handshakes and requests refused.", {"reason"});
    for (std::size_t reason = 0; reason < engineio::kRefusalReasons; ++reason)
        out.add(refused_requests(engine, n, static_cast<engineio::RefusalReason>(reason)),
                {std::string(to_string(static_cast<engineio::RefusalReason>(reason)))});
    out.gauge("moonwire_connections", "TCP and Unix-domain connections that are open.")
        .add(transport_sum(&TransportStats::connections) -
             transport_sum(&TransportStats::connections_closed));
    out.counter("moonwire_connections_accepted_total", "Connections accepted.")
        .add(transport_sum(&TransportStats::connections));
    out.counter("moonwire_connections_refused_total", "Connections closed at once, for a limit.")
        .add(transport_sum(&TransportStats::refused));
    out.counter("moonwire_http_requests_total", "HTTP requests received.")
        .add(transport_sum(&TransportStats::http_requests));
    out.counter("moonwire_received_bytes_total", "Bytes read from clients.")
        .add(transport_sum(&TransportStats::bytes_in));
    out.counter("moonwire_sent_bytes_total", "Bytes written to clients.")
        .add(transport_sum(&TransportStats::bytes_out));
    out.counter("moonwire_writes_total", "Writes to connections.")
        .add(transport_sum(&TransportStats::writes));
    out.counter("moonwire_received_packets_total", "Engine.IO packets received.")
        .add(engine_sum(&EngineStats::packets_in));
    out.counter("moonwire_sent_packets_total", "Engine.IO packets sent.")
        .add(engine_sum(&EngineStats::packets_out));
    out.gauge("moonwire_send_queue_bytes",
              "Bytes that wait for their client to take them: "
              "of connections, WebSockets' before all, and of sessions until their next poll.",
              {"queue"})
        .add(transport_sum(&TransportStats::queued_bytes), {"connections"})
        .add(engine_sum(&EngineStats::polling_queued_bytes), {"polls"});
    out.counter("moonwire_volatile_dropped_total",
                "Volatile events dropped: their client was busy.")
        .add(engine_sum(&EngineStats::volatile_dropped));
    out.counter("moonwire_incidents_total",
                "Limits reached, refusals, failed authentications, breaches of the protocol; "
                "send_queue_bytes and send_queue_ms are slow consumers cut off.",
                {"kind"});
    for (std::size_t i = 0; i < kIncidentKinds; ++i) {
        const auto kind = static_cast<IncidentKind>(i);
        out.add(incidents().count(kind), {std::string(to_string(kind))});
    }
    if (!sources.audit.enabled()) return;
    out.counter("moonwire_audit_lines_total", "Lines of the audit log.", {"result"})
        .add(sources.audit.written(), {"written"})
        .add(sources.audit.dropped(), {"dropped"});
}

void write_namespaces(MetricWriter& out, const StatsSources& sources) {
    using socketio::NamespaceFigures;
    const std::vector<NamespaceFigures> all = sources.sockets.figures();
    const auto each = [&](std::uint64_t NamespaceFigures::*figure) {
        for (const NamespaceFigures& nsp : all) out.add(nsp.*figure, {nsp.name});
    };
    const std::vector<std::string> labels{"namespace"};
    out.gauge("moonwire_namespace_members", "Namespaces of this name: a family has several.",
              labels);
    each(&NamespaceFigures::members);
    out.gauge("moonwire_sockets", "Sockets that are connected.", {"namespace", "transport"});
    for (const NamespaceFigures& nsp : all)
        out.add(nsp.polling, {nsp.name, "polling"}).add(nsp.websocket, {nsp.name, "websocket"});
    out.gauge("moonwire_rooms", "Rooms with somebody in them.", labels);
    each(&NamespaceFigures::rooms);
    out.counter("moonwire_connects_total", "Sockets let in.", labels);
    each(&NamespaceFigures::connects);
    out.counter("moonwire_connects_refused_total", "Sockets refused.", labels);
    each(&NamespaceFigures::refused);
    out.counter("moonwire_disconnects_total", "Sockets that left.", labels);
    each(&NamespaceFigures::disconnects);
    out.counter("moonwire_recoveries_total", "Clients that came back and missed nothing.", labels);
    each(&NamespaceFigures::recovered);
    out.counter("moonwire_recoveries_expired_total", "Clients that did not come back in time.",
                labels);
    each(&NamespaceFigures::expired);
    out.gauge("moonwire_recovery_away", "Clients that may come back.", labels);
    each(&NamespaceFigures::away);
    out.gauge("moonwire_recovery_log_bytes", "Events kept for them.", labels);
    each(&NamespaceFigures::recovery_bytes);
    out.counter("moonwire_sent_events_total", "Events sent; a broadcast is one.", labels);
    each(&NamespaceFigures::events_out);
    out.counter("moonwire_received_acks_total", "Acknowledgements received.", labels);
    each(&NamespaceFigures::acks_in);
    out.counter("moonwire_sent_acks_total", "Acknowledgements sent.", labels);
    each(&NamespaceFigures::acks_out);
    out.counter("moonwire_busy_events_total", "Events answered busy: too many were in flight.",
                labels);
    each(&NamespaceFigures::overloaded);
    out.counter("moonwire_rate_limited_total", "Packets dropped: too many a second.", labels);
    each(&NamespaceFigures::limited);
    out.histogram("moonwire_client_acknowledgement_seconds",
                  "From asking a client until its acknowledgement.", labels);
    for (const NamespaceFigures& nsp : all) out.add(nsp.answers, {nsp.name});
}

void write_events(MetricWriter& out, const StatsSources& sources) {
    const auto all = sources.scripts.events();
    const auto each = [&](const auto& add) {
        for (const auto& [nsp, events] : all)
            for (const script::EventReport& event : events) add(event, {nsp, event.event});
    };
    // Counters begin at 0, for a rate can't be told from the first value; the buckets of what never
    // came would only cost.
    const auto each_that_came = [&](const auto& add) {
        each([&](const script::EventReport& event, std::vector<std::string> values) {
            if (event.received > 0) add(event, std::move(values));
        });
    };
    using Labels = std::vector<std::string>;
    const Labels labels{"namespace", "event"};
    out.counter("moonwire_received_events_total",
                "Events received; those that no handler is registered for are \"other\".", labels);
    each([&](const auto& event, Labels values) { out.add(event.received, std::move(values)); });
    out.counter("moonwire_failed_events_total", "Events answered with an error.", labels);
    each([&](const auto& event, Labels values) { out.add(event.failed, std::move(values)); });
    out.histogram("moonwire_handler_seconds",
                  "What a handler took of its reactor, without its waits.", labels);
    each_that_came(
        [&](const auto& event, Labels values) { out.add(event.ran, std::move(values)); });
    out.histogram("moonwire_acknowledgement_seconds",
                  "From a handler's start to its end and acknowledgement, its waits included.",
                  labels);
    each_that_came(
        [&](const auto& event, Labels values) { out.add(event.answered, std::move(values)); });
}

void write_scripts(MetricWriter& out, const StatsSources& sources) {
    using script::ScriptStats;
    const std::vector<ScriptStats> all = sources.scripts.stats();
    const auto each = [&](const auto& figure) {
        for (const ScriptStats& stats : all) out.add(figure(stats), {stats.name});
    };
    const std::vector<std::string> labels{"namespace"};
    out.gauge("moonwire_script_generation", "Which version of the scripts serves.", labels);
    each([](const ScriptStats& stats) { return stats.generation; });
    out.counter("moonwire_script_reloads_total", "Versions that took over from another.", labels);
    each([](const ScriptStats& stats) { return stats.generation - 1; });
    out.gauge("moonwire_script_load_error", "1 while the newest version could not take over.",
              labels);
    each([](const ScriptStats& stats) { return stats.load_error.has_value() ? 1 : 0; });
    out.counter("moonwire_script_load_failures_total", "Versions that could not take over.")
        .add(sources.scripts.load_failures());
    out.gauge("moonwire_script_errors", "What is wrong with the scripts' files now.")
        .add(sources.scripts.errors().size());
    out.gauge("moonwire_lua_memory_bytes", "Memory of the namespace's Lua state.", labels);
    each([](const ScriptStats& stats) { return stats.memory_bytes; });
    out.gauge("moonwire_coroutines", "Handlers, timers and tasks at work or waiting.", labels);
    each([](const ScriptStats& stats) { return stats.coroutines; });
    out.counter("moonwire_started_coroutines_total", "Handlers, timers and tasks started.", labels);
    each([](const ScriptStats& stats) { return stats.handlers_run; });
    out.counter("moonwire_script_seconds_total", "Time that the scripts took of their reactor.",
                labels);
    each([](const ScriptStats& stats) { return stats.handler_seconds; });
    out.counter("moonwire_script_bugs_total", "Errors in the scripts that were no fail().", labels);
    each([](const ScriptStats& stats) { return stats.handlers_failed; });
    out.counter("moonwire_script_stopped_total", "Handlers stopped at their budget.", labels);
    each([](const ScriptStats& stats) { return stats.handlers_stopped; });
    out.counter("moonwire_relayed_events_total", "Events passed on by ns:relay.", labels);
    each([](const ScriptStats& stats) { return stats.relayed; });
    out.counter("moonwire_relays_limited_total", "Events over the rate of their relay.", labels);
    each([](const ScriptStats& stats) { return stats.relays_limited; });
    out.counter("moonwire_tokens_refused_total", "Tokens missing or refused.", labels);
    each([](const ScriptStats& stats) { return stats.tokens_refused; });
    out.counter("moonwire_tokens_expired_total", "Tokens that expired while connected.", labels);
    each([](const ScriptStats& stats) { return stats.tokens_expired; });
}

void write_store(MetricWriter& out, const StatsSources& sources) {
    const plugin::StoreFigures store = sources.store.figures();
    out.counter("moonwire_store_requests_total", "Requests of scripts.", {"kind"})
        .add(store.reads, {"read"})
        .add(store.writes, {"write"});
    out.gauge("moonwire_store_waiting", "Requests that are not answered yet.").add(store.waiting);
    out.counter("moonwire_store_errors_total", "Requests that came to nothing.", {"reason"});
    for (const auto& [reason, count] : store.errors) out.add(count, {reason});
    out.counter("moonwire_store_bytes_total", "Bytes of values.", {"kind"})
        .add(store.bytes_read, {"read"})
        .add(store.bytes_written, {"write"});
    out.histogram("moonwire_store_request_seconds",
                  "From a request to its answer; a durable write's is on the disk then.", {"kind"})
        .add(store.read_time, {"read"})
        .add(store.write_time, {"write"});
}

/// Takes over what has a name that is not there yet. OpenMetrics does not count `_total`.
void append(plugin::Metrics& all, plugin::Metrics more) {
    const auto name_of = [](const plugin::MetricFamily& family) {
        return family.name.substr(0,
                                  family.name.size() - (family.name.ends_with("_total") ? 6 : 0));
    };
    std::set<std::string> names;
    for (const plugin::MetricFamily& each : all) names.insert(name_of(each));
    std::erase_if(more, [&](const plugin::MetricFamily& each) {
        return !names.insert(name_of(each)).second;
    });
    all.insert(all.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
}

}  // namespace

plugin::Metrics collect_metrics(const StatsSources& sources) {
    MetricWriter out;
    write_process(out, sources);
    write_reactors(out, sources);
    write_connections(out, sources);
    write_namespaces(out, sources);
    write_events(out, sources);
    write_scripts(out, sources);
    write_store(out, sources);
    plugin::Metrics all = out.take();
    append(all, sources.scripts.metrics());
    append(all, sources.plugins.provisions().metrics());
    return all;
}

}  // namespace moonwire::server
