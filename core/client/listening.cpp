#include "core/client/listening.hpp"

#include <algorithm>
#include <utility>

#include "core/base/json_text.hpp"
#include "core/client/json_values.hpp"

namespace moonwire::client {
namespace {

std::string seconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

}  // namespace

std::string event_line(std::string_view name, std::string_view arguments, bool json) {
    if (json) {
        std::string line = "{\"event\":";
        append_json_string(line, name);
        line += ",\"args\":";
        line += arguments;
        return line + '}';
    }
    const bool word = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) > ' ' && c != '"' && c != '\x7f';
    });
    return (word ? std::string(name) : json_string(name)) + ' ' + std::string(arguments);
}

Duration Listening::pause_before(unsigned attempt) {
    return std::chrono::seconds(std::min(30u, 1u << std::min(attempt, 5u)));
}

Listening::Listening(Reactor& reactor, Options options, Output output,
                     Function<void(Outcome)> done)
    : reactor_(reactor),
      options_(std::move(options)),
      output_(std::move(output)),
      done_(std::move(done)) {}

Listening::~Listening() {
    reactor_.cancel(over_);
    reactor_.cancel(pause_);
}

void Listening::start(Connect connect) {
    connect_ = std::move(connect);
    if (options_.timeout > Duration::zero())
        over_ = reactor_.after(options_.timeout, [this] { on_time_over(); });
    this->connect();
}

void Listening::connect() {
    session_ = std::make_shared<Session>(reactor_, options_.session, *this);
    session_->start(connect_);
}

void Listening::on_time_over() {
    if (!was_connected_)
        return conclude({false, {}, "cannot connect to " + options_.server + ": timed out"});
    if (options_.count == 0) return conclude({});
    conclude({false,
              {},
              "timed out after " + std::to_string(told_) + " of " +
                  std::to_string(options_.count) + " events"});
}

void Listening::on_connected(std::string_view socket_id) {
    was_connected_ = true;
    attempt_ = 0;
    output_.note("connected to " + options_.session.nsp + " as " + std::string(socket_id));
}

void Listening::on_event(std::string_view name, const Incoming& incoming) {
    if (outcome_ || (!options_.events.empty() && !options_.events.contains(name))) return;
    const std::string arguments = *from_wire(incoming.arguments, incoming.attachments);
    if (!output_.event(event_line(name, arguments, options_.json))) return conclude({false, {}, {}});
    if (++told_ == options_.count) conclude({});
}

void Listening::on_acknowledged(const Incoming&) {}

void Listening::on_settled() {}

void Listening::conclude(Outcome outcome) {
    if (outcome_) return;
    outcome_ = std::move(outcome);
    if (session_) session_->leave();
    else finish();
}

void Listening::on_end(SessionEnd end) {
    if (outcome_) return finish();
    const std::string what = describe(end, options_.server, options_.session.nsp);
    const bool again = options_.reconnect && was_connected_ &&
                       (end.kind == SessionEnd::Kind::lost ||
                        end.kind == SessionEnd::Kind::unreachable);
    if (!again) {
        outcome_ = {false, {}, what};
        return finish();
    }
    const Duration pause = pause_before(attempt_++);
    output_.note(what + "; trying again in " + seconds(pause));
    // The session calls this, and lives until it returns.
    reactor_.post([session = std::move(session_)] {});
    pause_ = reactor_.after(pause, [this] { connect(); });
}

void Listening::finish() {
    reactor_.cancel(over_);
    reactor_.cancel(pause_);
    // Not from within the session, which may end with this object.
    reactor_.post([done = std::move(done_), outcome = *std::move(outcome_)]() mutable {
        done(std::move(outcome));
    });
}

}  // namespace moonwire::client
