#include "core/server/stats.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "core/base/incidents.hpp"
#include "core/server/process_figures.hpp"

namespace moonwire::server {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void member(Writer& out, const char* name, std::uint64_t value) {
    out.Key(name);
    out.Uint64(value);
}

void member(Writer& out, const char* name, double value) {
    out.Key(name);
    out.Double(value);
}

void write_connections(Writer& out, const StatsSources& sources) {
    using transport::TransportStats;
    using engineio::EngineStats;
    const auto& transport = sources.transport;
    const auto& engine = sources.engine;
    const unsigned n = transport.reactor_count();

    std::uint64_t refused = 0;
    for (std::size_t reason = 0; reason < engineio::kRefusalReasons; ++reason)
        refused += refused_requests(engine, n, static_cast<engineio::RefusalReason>(reason));

    out.Key("connections");
    out.StartObject();
    member(out, "total", sources.engine.session_count());
    member(out, "polling", sum_of(engine, n, &EngineStats::polling));
    member(out, "websocket", sum_of(engine, n, &EngineStats::websocket));
    member(out, "opened", sum_of(engine, n, &EngineStats::opened));
    member(out, "closed", sum_of(engine, n, &EngineStats::closed));
    member(out, "refused", refused);
    member(out, "upgrades", sum_of(engine, n, &EngineStats::upgrades));
    member(out, "tcp",
           sum_of(transport, n, &TransportStats::connections) -
               sum_of(transport, n, &TransportStats::connections_closed));
    out.EndObject();

    out.Key("traffic");
    out.StartObject();
    member(out, "bytes_in", sum_of(transport, n, &TransportStats::bytes_in));
    member(out, "bytes_out", sum_of(transport, n, &TransportStats::bytes_out));
    member(out, "writes", sum_of(transport, n, &TransportStats::writes));
    member(out, "http_requests", sum_of(transport, n, &TransportStats::http_requests));
    member(out, "packets_in", sum_of(engine, n, &EngineStats::packets_in));
    member(out, "packets_out", sum_of(engine, n, &EngineStats::packets_out));
    member(out, "slow_consumers", sum_of(transport, n, &TransportStats::slow_consumers));
    out.EndObject();
}

void write_incidents(Writer& out, const StatsSources& sources) {
    out.Key("incidents");
    out.StartObject();
    for (std::size_t i = 0; i < kIncidentKinds; ++i) {
        const auto kind = static_cast<IncidentKind>(i);
        member(out, to_string(kind).data(), incidents().count(kind));
    }
    out.EndObject();
    if (!sources.audit.enabled()) return;
    out.Key("audit");
    out.StartObject();
    member(out, "written", sources.audit.written());
    member(out, "dropped", sources.audit.dropped());
    out.EndObject();
}

/// Returns (events in, events out) over all namespaces.
std::pair<std::uint64_t, std::uint64_t> write_namespaces(Writer& out,
                                                         const StatsSources& sources) {
    std::pair<std::uint64_t, std::uint64_t> events;
    out.Key("namespaces");
    out.StartArray();
    for (const auto& nsp : sources.sockets.namespaces()) {
        const socketio::NamespaceFigures figures = nsp->figures();
        events.first += figures.events_in;
        events.second += figures.events_out;
        out.StartObject();
        out.Key("name");
        out.String(figures.name.data(), static_cast<rapidjson::SizeType>(figures.name.size()));
        member(out, "reactor", std::uint64_t{nsp->reactor().index()});
        member(out, "sockets", figures.sockets());
        member(out, "rooms", figures.rooms);
        member(out, "connects", figures.connects);
        member(out, "refused", figures.refused);
        member(out, "disconnects", figures.disconnects);
        member(out, "recovered", figures.recovered);
        member(out, "expired", figures.expired);
        member(out, "away", figures.away);
        member(out, "recovery_bytes", figures.recovery_bytes);
        member(out, "events_in", figures.events_in);
        member(out, "events_out", figures.events_out);
        member(out, "acks_in", figures.acks_in);
        member(out, "acks_out", figures.acks_out);
        member(out, "overloaded", figures.overloaded);
        member(out, "rate_limited", figures.limited);
        out.EndObject();
    }
    out.EndArray();
    return events;
}

void write_error(Writer& out, const script::LoadError& error) {
    const auto text = [&](const char* name, const std::string& value) {
        out.Key(name);
        out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    };
    out.StartObject();
    text("file", error.file);
    member(out, "line", std::uint64_t(error.line));
    text("message", error.message);
    out.EndObject();
}

/// Returns how many handlers failed.
std::uint64_t write_scripts(Writer& out, const StatsSources& sources) {
    std::uint64_t failed = 0;
    out.Key("scripts");
    out.StartArray();
    for (const script::ScriptStats& stats : sources.scripts.stats()) {
        failed += stats.handlers_failed;
        out.StartObject();
        out.Key("namespace");
        out.String(stats.name.data(), static_cast<rapidjson::SizeType>(stats.name.size()));
        member(out, "generation", stats.generation);
        member(out, "handlers_run", stats.handlers_run);
        member(out, "handlers_failed", stats.handlers_failed);
        member(out, "handlers_stopped", stats.handlers_stopped);
        member(out, "handler_seconds", stats.handler_seconds);
        member(out, "handler_seconds_max", stats.handler_seconds_max);
        member(out, "handler_seconds_mean",
               stats.handlers_run ? stats.handler_seconds / double(stats.handlers_run) : 0.0);
        member(out, "coroutines", stats.coroutines);
        member(out, "relayed", stats.relayed);
        member(out, "relays_limited", stats.relays_limited);
        member(out, "tokens_refused", stats.tokens_refused);
        member(out, "tokens_expired", stats.tokens_expired);
        member(out, "memory_bytes", std::uint64_t{stats.memory_bytes});
        if (stats.load_error) {
            out.Key("load_error");
            write_error(out, *stats.load_error);
        }
        out.EndObject();
    }
    out.EndArray();
    out.Key("script_errors");
    out.StartArray();
    for (const script::LoadError& error : sources.scripts.errors()) write_error(out, error);
    out.EndArray();
    return failed;
}

}  // namespace

std::uint64_t refused_requests(const engineio::Engine& engine, unsigned reactors,
                               engineio::RefusalReason reason) {
    std::uint64_t total = 0;
    for (unsigned i = 0; i < reactors; ++i)
        total += engine.stats(i).refused[static_cast<std::size_t>(reason)].get();
    return total;
}

std::string stats_json(const StatsSources& sources) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    out.Key("version");
    out.String(MOONWIRE_VERSION);
    member(out, "uptime_seconds", std::chrono::duration<double>(sources.uptime).count());
    member(out, "reactors", std::uint64_t{sources.transport.reactor_count()});
    member(out, "resident_bytes", process_figures().resident_bytes);
    write_connections(out, sources);
    write_incidents(out, sources);
    const auto [events_in, events_out] = write_namespaces(out, sources);
    const std::uint64_t errors = write_scripts(out, sources);
    member(out, "events_in", events_in);
    member(out, "events_out", events_out);
    member(out, "errors", errors);
    out.Key("plugins");
    out.StartArray();
    for (const std::string& name : sources.plugins.names())
        out.String(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    out.EndArray();
    out.EndObject();
    return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace moonwire::server
