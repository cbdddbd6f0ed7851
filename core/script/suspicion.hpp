#pragma once

#include <cstdint>
#include <string>

#include "core/base/incident.hpp"

namespace moonwire::script {

/// An incident on its way to the scripts' `on_suspicious`. Immutable: any thread.
struct Suspicion {
    Suspicion(const Incident& incident, std::uint64_t skipped)
        : kind(incident.kind),
          address(incident.address),
          user(incident.user),
          nsp(incident.nsp),
          socket(incident.socket),
          detail(incident.detail),
          count(incident.count),
          skipped(skipped) {}

    const IncidentKind kind;
    const std::string address, user, nsp, socket, detail;
    const std::uint64_t count;    // so many of the same
    const std::uint64_t skipped;  // before it, that scripts were not told of: there were too many
};

/// Which of the broker's questions a namespace's scripts want to hear.
struct Hooks {
    bool requests = false;    // on_request
    bool suspicions = false;  // on_suspicious
};

}  // namespace moonwire::script
