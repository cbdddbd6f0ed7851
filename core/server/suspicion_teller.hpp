#pragma once

#include "core/base/incidents.hpp"
#include "core/script/host.hpp"

namespace moonwire::server {

/// Gives the scripts' `on_suspicious` the incidents that clients brought about. Any thread; the
/// host outlives it.
class SuspicionTeller final : public Incidents::Listener {
public:
    explicit SuspicionTeller(script::Host& scripts) : scripts_(scripts) {}
    void on_incident(const Incident& incident) override {
        if (incident.suspicious()) scripts_.tell_suspicion(incident);
    }

private:
    script::Host& scripts_;
};

}  // namespace moonwire::server
