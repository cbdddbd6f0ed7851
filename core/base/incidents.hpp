#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/incident.hpp"
#include "core/base/limited_log.hpp"

namespace moonwire {

/// Where every layer and plugin reports incidents: each is counted, logged (a kind's lines are
/// limited) and told to the listeners (the audit log, the scripts' `on_suspicious`).
///
/// Any thread. A flood costs little: an incident that differs in nothing from one already told of
/// is only counted, and told of once, with its count, at the next `tell_repeats`; so are, without
/// their details, those beyond `kDifferent` in that time.
class Incidents {
public:
    class Listener {
    public:
        virtual ~Listener() = default;
        /// On the reporter's thread. Must be quick, and must not report.
        virtual void on_incident(const Incident& incident) = 0;
    };
    static constexpr std::size_t kDifferent = 4096;

    Incidents();

    void report(const Incident& incident);
    /// Those of a kind since the process began.
    std::uint64_t count(IncidentKind kind) const noexcept {
        return counts_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
    }
    /// Tells what has been counted meanwhile. To be called about once a second.
    void tell_repeats(TimePoint now);

    void listen(Listener& listener);
    /// It is called no more once this has returned. Not from a listener.
    void forget(Listener& listener);

private:
    /// An incident that was told of, and how often it came again.
    struct Told {
        IncidentKind kind;
        std::string address, user, nsp, socket, detail;
        std::uint64_t repeats = 0;
    };

    void tell(const Incident& incident, TimePoint now);

    std::array<std::atomic<std::uint64_t>, kIncidentKinds> counts_{};
    std::vector<std::unique_ptr<LimitedLog>> logs_;  // by kind
    std::mutex mutex_;                               // guards the next two
    std::unordered_map<std::size_t, Told> told_;     // by a hash of all that tells them apart
    std::array<std::uint64_t, kIncidentKinds> others_{};
    std::shared_mutex listening_;  // guards the next
    std::vector<Listener*> listeners_;
};

/// While it lives, what its thread reports comes here instead of to the process's: for a broker in
/// a test. One at a time a thread; destroyed on the thread that made it.
class ThreadIncidents final : public Incidents {
public:
    ThreadIncidents();
    ~ThreadIncidents();
};

/// The thread's own, or the process's.
Incidents& incidents();

inline void report(const Incident& incident) { incidents().report(incident); }

}  // namespace moonwire
