#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace moonwire {

/// What an operator may want to know of a client: a limit that it ran into, a refusal, a failed
/// authentication; and what operators themselves did. Limits are named as their settings.
enum class IncidentKind : std::uint8_t {
    connections,
    connections_per_ip,
    connections_per_user,
    handshakes_per_second_per_ip,
    events_per_second,
    bytes_per_second,
    events_in_flight,
    max_payload_bytes,
    namespaces_per_connection,
    family_members,
    rooms_per_socket,
    awaited_acks_per_socket,
    send_queue_bytes,
    send_queue_ms,
    protocol,     // something that no client should send
    origin,       // a page that may not connect
    refused,      // by a script
    auth_failed,  // the same for want of a valid token
    admin,        // a command that changed something; not suspicious
};
inline constexpr std::size_t kIncidentKinds = static_cast<std::size_t>(IncidentKind::admin) + 1;

/// "connections_per_ip"
std::string_view to_string(IncidentKind kind);

/// One incident. The texts are only valid during the call that hands it on, are empty where
/// nothing is known, and never hold a token or what a client sent to a handler.
struct Incident {
    IncidentKind kind;
    std::string_view address{};
    std::string_view user{};
    std::string_view nsp{};
    std::string_view socket{};
    std::string_view detail{};
    std::uint64_t count = 1;  // so many of the same

    bool suspicious() const noexcept { return kind != IncidentKind::admin; }
};

}  // namespace moonwire
