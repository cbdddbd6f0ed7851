#include "core/base/incidents.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace moonwire {
namespace {

constexpr std::size_t kMaxTextBytes = 256;  // of each of an incident's texts, that is kept or told

struct Wording {
    std::string_view name;
    log::Level level;
    const char* message;
};
/// By kind.
constexpr Wording kWordings[] = {
    {"connections", log::Level::warn, "connection refused: too many in all"},
    {"connections_per_ip", log::Level::warn, "connection refused: too many from one address"},
    {"connections_per_user", log::Level::warn, "client refused: too many of one user"},
    {"handshakes_per_second_per_ip", log::Level::warn,
     "handshake refused: too many a second from one address"},
    {"events_per_second", log::Level::warn, "a client sends too many packets a second"},
    {"bytes_per_second", log::Level::warn, "a client sends too many bytes a second"},
    {"events_in_flight", log::Level::warn, "a client's event refused: too many in flight"},
    {"max_payload_bytes", log::Level::warn, "a client's message is too large"},
    {"namespaces_per_connection", log::Level::warn, "connection refused another namespace"},
    {"family_members", log::Level::warn, "a namespace refused: its family is too large"},
    {"rooms_per_socket", log::Level::warn, "socket not joined to a room: it is in too many"},
    {"awaited_acks_per_socket", log::Level::warn,
     "a call refused: the client owes too many acknowledgements"},
    {"send_queue_bytes", log::Level::warn,
     "slow consumer disconnected: its send queue is over the limit"},
    {"send_queue_ms", log::Level::warn,
     "slow consumer disconnected: its send queue is too old"},
    {"protocol", log::Level::info, "closing a connection that broke the protocol"},
    {"origin", log::Level::warn, "handshake refused: the page's origin is not allowed"},
    {"refused", log::Level::info, "client refused"},
    {"auth_failed", log::Level::warn, "authentication failed"},
    {"admin", log::Level::info, "administrative command"},
};
static_assert(std::size(kWordings) == kIncidentKinds);

thread_local Incidents* own_incidents = nullptr;

std::string_view shortened(std::string_view text) { return text.substr(0, kMaxTextBytes); }

std::size_t hash_of(const Incident& incident) {
    std::size_t hash = static_cast<std::size_t>(incident.kind);
    for (const std::string_view text :
         {incident.address, incident.user, incident.nsp, incident.socket, incident.detail})
        hash = hash * 0x9e3779b97f4a7c15u ^ std::hash<std::string_view>{}(text);
    return hash;
}

std::vector<log::Field> fields_of(const Incident& incident) {
    std::vector<log::Field> fields;
    const auto add = [&](std::string_view name, std::string_view value) {
        if (!value.empty()) fields.emplace_back(name, value);
    };
    add("address", incident.address);
    add("user", incident.user);
    add("namespace", incident.nsp);
    add("socket", incident.socket);
    add("detail", incident.detail);
    if (incident.count > 1) fields.emplace_back("times", incident.count);
    return fields;
}

}  // namespace

std::string_view to_string(IncidentKind kind) {
    return kWordings[static_cast<std::size_t>(kind)].name;
}

Incidents::Incidents() {
    for (const Wording& wording : kWordings)
        logs_.push_back(std::make_unique<LimitedLog>(wording.level, wording.message));
}

void Incidents::report(const Incident& incident) {
    const auto kind = static_cast<std::size_t>(incident.kind);
    counts_[kind].fetch_add(incident.count, std::memory_order_relaxed);
    const Incident short_one{incident.kind,
                             shortened(incident.address),
                             shortened(incident.user),
                             shortened(incident.nsp),
                             shortened(incident.socket),
                             shortened(incident.detail),
                             incident.count};
    const std::size_t hash = hash_of(short_one);
    {
        std::lock_guard lock(mutex_);
        if (const auto found = told_.find(hash); found != told_.end()) {
            found->second.repeats += incident.count;
            return;
        }
        if (told_.size() >= kDifferent) {
            others_[kind] += incident.count;
            return;
        }
        told_.emplace(hash, Told{incident.kind, std::string(short_one.address),
                                 std::string(short_one.user), std::string(short_one.nsp),
                                 std::string(short_one.socket), std::string(short_one.detail)});
    }
    tell(short_one, Clock::now());
}

void Incidents::tell_repeats(TimePoint now) {
    std::vector<Told> again;
    std::array<std::uint64_t, kIncidentKinds> others{};
    {
        std::lock_guard lock(mutex_);
        for (auto each = told_.begin(); each != told_.end();) {
            Told& told = each->second;
            if (told.repeats == 0) {
                each = told_.erase(each);
                continue;
            }
            again.push_back(told);
            told.repeats = 0;
            ++each;
        }
        others = std::exchange(others_, {});
    }
    for (const Told& told : again)
        tell({told.kind, told.address, told.user, told.nsp, told.socket, told.detail, told.repeats},
             now);
    for (std::size_t kind = 0; kind < kIncidentKinds; ++kind)
        if (others[kind] > 0)
            tell({.kind = static_cast<IncidentKind>(kind),
                  .detail = "others",
                  .count = others[kind]},
                 now);
    for (const auto& log : logs_) log->summarise(now);
}

void Incidents::listen(Listener& listener) {
    std::unique_lock lock(listening_);
    listeners_.push_back(&listener);
}

void Incidents::forget(Listener& listener) {
    std::unique_lock lock(listening_);
    std::erase(listeners_, &listener);
}

void Incidents::tell(const Incident& incident, TimePoint now) {
    logs_[static_cast<std::size_t>(incident.kind)]->write(now, incident.count,
                                                          [&] { return fields_of(incident); });
    std::shared_lock lock(listening_);
    for (Listener* listener : listeners_) listener->on_incident(incident);
}

ThreadIncidents::ThreadIncidents() { own_incidents = this; }
ThreadIncidents::~ThreadIncidents() { own_incidents = nullptr; }

Incidents& incidents() {
    static Incidents all;
    return own_incidents ? *own_incidents : all;
}

}  // namespace moonwire
