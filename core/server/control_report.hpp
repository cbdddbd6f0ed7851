#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/script/host.hpp"

/// What `moonwire ctl` shows, as data, as text for people and as JSON for programs.
namespace moonwire::server {

/// A namespace, or a family with all its members.
struct NamespaceReport {
    std::string name;
    std::uint64_t generation = 0;
    std::uint64_t members = 1;  // of a family
    std::uint64_t sockets = 0, rooms = 0, events_in = 0, events_out = 0;
    std::uint64_t handlers_failed = 0;
    std::uint64_t memory_bytes = 0;
    std::optional<script::LoadError> load_error{};  // of the newest code, if it did not take over
};

struct StatusReport {
    std::string version;
    std::string state;  // "ready", "draining"
    long process = 0;
    double uptime_seconds = 0;
    std::vector<std::string> addresses;
    unsigned reactors = 0;
    std::uint64_t connections = 0;
    std::vector<NamespaceReport> namespaces;
    std::vector<script::LoadError> errors;  // of the last load
};

struct SocketReport {
    std::string id, nsp, transport, address;
    double connected_since = 0;      // wall-clock seconds
    std::vector<std::string> rooms;  // the first kRoomsReported
    std::size_t room_count = 0;
};
inline constexpr std::size_t kRoomsReported = 100;

/// One page of sockets.
struct SocketsReport {
    std::vector<SocketReport> sockets;
    std::size_t offset = 0, total = 0;
};

enum class ReportForm : std::uint8_t { text, json };

std::string render(const StatusReport& report, ReportForm form);
std::string render(const std::vector<NamespaceReport>& report, ReportForm form);
std::string render(const SocketsReport& report, ReportForm form);
/// The outcome of a reload: a line an error, or "ok".
std::string render(const std::vector<script::LoadError>& errors, ReportForm form);
/// Something that was done, or why not: `{"message":…}`.
std::string render_message(const std::string& message, ReportForm form);

}  // namespace moonwire::server
