#pragma once

#include <cstddef>
#include <optional>

#include "core/base/incident.hpp"
#include "core/base/token_bucket.hpp"

namespace moonwire::socketio {

/// How much one socket may send; the same again holds for the CONNECTs of a connection.
struct InboundRates {
    Rate events;  // events and acknowledgements
    Rate bytes;   // of their JSON and attachments
    bool disconnect = false;  // what is over it ends the connection, instead of being dropped

    bool limited() const noexcept { return events || bytes; }
};

/// What one of them has left. On the session's reactor.
class InboundBudget {
public:
    /// Takes a packet's part; which limit does not allow it, if any.
    std::optional<IncidentKind> take(const InboundRates& rates, std::size_t bytes, TimePoint now) {
        if (rates.events && !events_.take(rates.events, now))
            return IncidentKind::events_per_second;
        if (rates.bytes && !bytes_.take(rates.bytes, now, bytes))
            return IncidentKind::bytes_per_second;
        return std::nullopt;
    }
    /// Whether to tell the client, who did not ask, that an event was dropped: once a second, for
    /// nobody may be made to listen to each of too many refusals.
    bool may_tell(TimePoint now) {
        static const Rate kTold(1, 1);
        return told_.take(kTold, now);
    }

private:
    TokenBucket events_, bytes_, told_;
};

}  // namespace moonwire::socketio
