#include "core/client/emission.hpp"

#include <cstdio>
#include <utility>

#include "core/client/json_values.hpp"
#include "core/client/server_messages.hpp"

namespace moonwire::client {
namespace {

constexpr socketio::AckId kAckId = 0;  // of the one event

std::string seconds(Duration duration) {
    char text[32];
    std::snprintf(text, sizeof text, "%g s", std::chrono::duration<double>(duration).count());
    return text;
}

}  // namespace

std::string describe(const SessionEnd& end, const std::string& server, const std::string& nsp) {
    switch (end.kind) {
        case SessionEnd::Kind::unreachable: return "cannot connect to " + server + ": " + end.reason;
        case SessionEnd::Kind::refused:
            return nsp + " refused the connection: " + end.reason +
                   (end.data.empty() ? "" : " " + end.data);
        case SessionEnd::Kind::lost: return "connection lost: " + end.reason;
        case SessionEnd::Kind::disconnected:
        case SessionEnd::Kind::left: return end.reason;
    }
    return end.reason;
}

Emission::Emission(Reactor& reactor, Options options, Function<void(Outcome)> done)
    : reactor_(reactor), options_(std::move(options)), done_(std::move(done)) {}

Emission::~Emission() { reactor_.cancel(timer_); }

void Emission::start(const Connect& connect) {
    timer_ = reactor_.after(options_.timeout, [this] {
        conclude({false,
                  {},
                  connected_ ? "no " + std::string(options_.acknowledge ? "acknowledgement"
                                                                        : "sign of life") +
                                   " within " + seconds(options_.timeout)
                             : "cannot connect to " + options_.server + ": timed out"});
    });
    session_ = std::make_shared<Session>(reactor_, options_.session, *this);
    session_->start(connect);
}

void Emission::interrupt() { conclude({false, {}, "interrupted"}); }

void Emission::on_connected(std::string_view) {
    connected_ = true;
    session_->emit(options_.event, options_.acknowledge ? std::optional(kAckId) : std::nullopt);
    if (!options_.acknowledge) session_->settle();
}

void Emission::on_event(std::string_view, const Incoming&) {}

void Emission::on_acknowledged(const Incoming& incoming) {
    if (incoming.id != kAckId) return;
    std::string values = *from_wire(incoming.arguments, incoming.attachments);
    conclude({!is_failure(values), std::move(values), {}});
}

void Emission::on_settled() { conclude({}); }

void Emission::conclude(Outcome outcome) {
    if (!outcome_) outcome_ = std::move(outcome);
    session_->leave();
}

void Emission::on_end(SessionEnd end) {
    reactor_.cancel(timer_);
    if (!outcome_) outcome_ = {false, {}, describe(end, options_.server, options_.session.nsp)};
    // Not from within the session, which may end with this object.
    reactor_.post([done = std::move(done_), outcome = *std::move(outcome_)]() mutable {
        done(std::move(outcome));
    });
}

}  // namespace moonwire::client
