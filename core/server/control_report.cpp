#include "core/server/control_report.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/base/clock.hpp"

namespace moonwire::server {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr std::size_t kRoomsShown = 5;  // in a table

void value(Writer& out, const std::string& text) {
    out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}
void value(Writer& out, std::uint64_t number) { out.Uint64(number); }
void value(Writer& out, double number) { out.Double(number); }
void value(Writer& out, const std::vector<std::string>& list) {
    out.StartArray();
    for (const std::string& each : list) value(out, each);
    out.EndArray();
}

void value(Writer& out, const script::LoadError& error);

template <typename Value>
void member(Writer& out, const char* name, const Value& what) {
    out.Key(name);
    value(out, what);
}

void value(Writer& out, const NamespaceReport& nsp) {
    out.StartObject();
    member(out, "name", nsp.name);
    member(out, "generation", nsp.generation);
    member(out, "members", nsp.members);
    member(out, "sockets", nsp.sockets);
    member(out, "rooms", nsp.rooms);
    member(out, "events_in", nsp.events_in);
    member(out, "events_out", nsp.events_out);
    member(out, "handlers_failed", nsp.handlers_failed);
    member(out, "memory_bytes", nsp.memory_bytes);
    if (nsp.load_error) member(out, "load_error", *nsp.load_error);
    out.EndObject();
}

void value(Writer& out, const script::LoadError& error) {
    out.StartObject();
    member(out, "file", error.file);
    if (error.line > 0) member(out, "line", static_cast<std::uint64_t>(error.line));
    member(out, "message", error.message);
    out.EndObject();
}

void value(Writer& out, const SocketReport& socket) {
    out.StartObject();
    member(out, "id", socket.id);
    member(out, "namespace", socket.nsp);
    member(out, "transport", socket.transport);
    member(out, "address", socket.address);
    member(out, "connected_since", iso_time(socket.connected_since));
    member(out, "rooms", socket.rooms);
    member(out, "room_count", std::uint64_t{socket.room_count});
    out.EndObject();
}

template <typename Item>
void array(Writer& out, const char* name, const std::vector<Item>& items) {
    out.Key(name);
    out.StartArray();
    for (const Item& each : items) value(out, each);
    out.EndArray();
}

/// An object with the members that `write` writes, and a line's end.
template <typename Write>
std::string json(Write&& write) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    write(out);
    out.EndObject();
    return std::string(buffer.GetString(), buffer.GetSize()) + '\n';
}

/// Lines of cells under one another; the first line is the heading. Numbers stand to the right.
std::string table(const std::vector<std::vector<std::string>>& lines) {
    const auto is_number = [](const std::string& cell) {
        return !cell.empty() && cell.find_first_not_of("0123456789") == std::string::npos;
    };
    std::vector<std::size_t> widths(lines.front().size());
    std::vector<bool> numbers(lines.front().size(), lines.size() > 1);
    for (std::size_t row = 0; row < lines.size(); ++row) {
        for (std::size_t i = 0; i < widths.size(); ++i) {
            widths[i] = std::max(widths[i], lines[row][i].size());
            if (row > 0 && !is_number(lines[row][i])) numbers[i] = false;
        }
    }
    std::string text;
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < widths.size(); ++i) {
            const std::string padding(widths[i] - line[i].size(), ' ');
            if (i > 0) text += "  ";
            text += numbers[i] ? padding + line[i] : line[i] + padding;
        }
        text.erase(text.find_last_not_of(' ') + 1);
        text += '\n';
    }
    return text;
}

/// What a client or a script chose, without what a terminal might obey.
std::string printable(std::string text) {
    std::replace_if(
        text.begin(), text.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return text;
}

/// "3 d 4 h", "4 h 12 min", "12 min 5 s", "5 s".
std::string span(double seconds) {
    const auto whole = static_cast<long long>(std::max(0.0, std::floor(seconds)));
    const std::pair<const char*, long long> units[] = {
        {"d", whole / 86400}, {"h", whole / 3600 % 24}, {"min", whole / 60 % 60}, {"s", whole % 60}};
    std::size_t first = 0;
    while (first < 3 && units[first].second == 0) ++first;
    std::string text = std::to_string(units[first].second) + " " + units[first].first;
    if (first < 3)
        text += " " + std::to_string(units[first + 1].second) + " " + units[first + 1].first;
    return text;
}

std::string lines_of(const std::vector<script::LoadError>& errors) {
    std::string text;
    for (const script::LoadError& error : errors) text += error.text() + "\n";
    return text;
}

}  // namespace

std::string render(const StatusReport& report, ReportForm form) {
    if (form == ReportForm::json) {
        return json([&](Writer& out) {
            member(out, "version", report.version);
            member(out, "state", report.state);
            member(out, "pid", static_cast<std::uint64_t>(report.process));
            member(out, "uptime_seconds", report.uptime_seconds);
            member(out, "addresses", report.addresses);
            member(out, "reactors", std::uint64_t{report.reactors});
            member(out, "connections", report.connections);
            array(out, "namespaces", report.namespaces);
            array(out, "errors", report.errors);
        });
    }
    std::string text = "moonwire " + report.version + ", process " +
                       std::to_string(report.process) + ", " + report.state + " for " +
                       span(report.uptime_seconds) + "\n";
    for (const std::string& address : report.addresses) text += "listening on " + address + "\n";
    text += std::to_string(report.connections) + " connections on " +
            std::to_string(report.reactors) + " reactors\n\n" +
            render(report.namespaces, ReportForm::text);
    if (!report.errors.empty()) text += "\nnot loaded:\n" + lines_of(report.errors);
    return text;
}

std::string render(const std::vector<NamespaceReport>& report, ReportForm form) {
    if (form == ReportForm::json)
        return json([&](Writer& out) { array(out, "namespaces", report); });
    std::vector<std::vector<std::string>> lines = {{"NAMESPACE", "GENERATION", "SOCKETS", "ROOMS",
                                                    "EVENTS IN", "EVENTS OUT", "FAILED",
                                                    "MEMORY KB"}};
    for (const NamespaceReport& nsp : report) {
        lines.push_back({printable(nsp.name), std::to_string(nsp.generation),
                         std::to_string(nsp.sockets), std::to_string(nsp.rooms),
                         std::to_string(nsp.events_in), std::to_string(nsp.events_out),
                         std::to_string(nsp.handlers_failed),
                         std::to_string(nsp.memory_bytes / 1024)});
    }
    return table(lines);
}

std::string render(const SocketsReport& report, ReportForm form) {
    if (form == ReportForm::json) {
        return json([&](Writer& out) {
            array(out, "sockets", report.sockets);
            member(out, "offset", std::uint64_t{report.offset});
            member(out, "total", std::uint64_t{report.total});
        });
    }
    std::vector<std::vector<std::string>> lines = {
        {"ID", "NAMESPACE", "TRANSPORT", "ADDRESS", "CONNECTED SINCE", "ROOMS"}};
    for (const SocketReport& socket : report.sockets) {
        std::string rooms;
        for (std::size_t i = 0; i < std::min(socket.rooms.size(), kRoomsShown); ++i)
            rooms += (i > 0 ? ", " : "") + printable(socket.rooms[i]);
        if (socket.room_count > kRoomsShown)
            rooms += ", and " + std::to_string(socket.room_count - kRoomsShown) + " more";
        lines.push_back({socket.id, printable(socket.nsp), socket.transport, socket.address,
                         iso_time(socket.connected_since), std::move(rooms)});
    }
    const std::size_t end = report.offset + report.sockets.size();
    std::string text = table(lines);
    if (end < report.total || report.offset > 0)
        text += std::to_string(report.sockets.size()) + " of " + std::to_string(report.total);
    if (end < report.total) text += "; the next: --offset " + std::to_string(end);
    if (!text.ends_with('\n')) text += '\n';
    return text;
}

std::string render(const std::vector<script::LoadError>& errors, ReportForm form) {
    if (form == ReportForm::json) return json([&](Writer& out) { array(out, "errors", errors); });
    return errors.empty() ? "ok\n" : lines_of(errors);
}

std::string render_message(const std::string& message, ReportForm form) {
    if (form == ReportForm::json)
        return json([&](Writer& out) { member(out, "message", message); });
    return message + '\n';
}

}  // namespace moonwire::server
