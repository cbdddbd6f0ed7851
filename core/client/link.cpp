#include "core/client/link.hpp"

#include <algorithm>
#include <utility>

namespace moonwire::client {
namespace {

/// What a connection is given ahead of what it has sent: little is lost with it.
constexpr std::size_t kWindowBytes = 256 * 1024;
constexpr std::size_t kMaxCalls = 10'000;  // unanswered
constexpr auto kFlushTime = std::chrono::seconds(2);

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

/// Of one call; on the reactor once it was queued.
struct LinkCall {
    LinkAnswered answered;  // null once it was
    TimerId timer;
    std::optional<socketio::AckId> id;  // once it was sent
    std::uint64_t number = 0;           // in the queue
};

std::string_view name_of(LinkState state) {
    switch (state) {
        case LinkState::connecting: return "connecting";
        case LinkState::connected: return "connected";
        case LinkState::disconnected: return "disconnected";
        case LinkState::refused: return "refused";
        case LinkState::gave_up: return "gave_up";
        case LinkState::closed: break;
    }
    return "closed";
}

Link::Link(Reactor& reactor, LinkOptions options, std::vector<Connect> ways, LinkListener& listener)
    : reactor_(reactor),
      options_(std::move(options)),
      ways_(std::move(ways)),
      listener_(listener),
      outbox_(options_.queue) {}

Link::~Link() {
    reactor_.cancel(pause_);
    reactor_.cancel(flush_);
}

void Link::start() { connect(); }

void Link::connect() {
    self_ = shared_from_this();
    ++session_number_;
    session_ = std::make_shared<Session>(reactor_, options_.session, *this);
    session_->start(ways_[way_]);
}

void Link::reconnect() {
    if (closing_) return;
    figures_.attempts = 0;
    reactor_.cancel(pause_);
    if (session_) {
        again_ = true;
        return session_->leave();
    }
    enter(LinkState::connecting, "asked to");
    connect();
}

void Link::close() {
    if (std::exchange(closing_, true)) return;
    reactor_.cancel(pause_);
    if (!session_) return finish();
    if (state_ != LinkState::connected) return session_->leave();
    flush_ = reactor_.after(kFlushTime, [this] {
        if (session_) session_->leave();
    });
    pump();
}

bool Link::emit(OutgoingEvent event) {
    auto pushed = outbox_.push({std::move(event), nullptr});
    if (!pushed.number) ++dropped_;
    drop(std::move(pushed.dropped));
    wake();
    return pushed.number.has_value();
}

void Link::call(OutgoingEvent event, Duration timeout, LinkAnswered answered) {
    auto call = std::make_shared<LinkCall>();
    call->answered = std::move(answered);
    if (++calls_ > kMaxCalls) {
        return reactor_.post([self = shared_from_this(), call = std::move(call)] {
            self->finish_call(call, {"too many calls", {}});
        });
    }
    auto pushed = outbox_.push({std::move(event), call});
    drop(std::move(pushed.dropped));
    // What was popped meanwhile may even be answered: the reactor sorts it out.
    reactor_.post(
        [self = shared_from_this(), call = std::move(call), timeout, number = pushed.number] {
            if (!call->answered) return;
            if (!number) {
                ++self->dropped_;
                return self->finish_call(call, {"queue full", {}});
            }
            if (self->state_ == LinkState::closed) return self->finish_call(call, {"closed", {}});
            call->number = *number;
            call->timer = self->reactor_.after(timeout, [weak = self->weak_from_this(), call] {
                if (const auto self = weak.lock()) self->expire(call);
            });
            self->pump();
        });
}

void Link::wake() {
    if (woken_.exchange(true)) return;
    reactor_.post([self = shared_from_this()] {
        self->woken_ = false;
        self->pump();
    });
}

void Link::pump() {
    if (state_ != LinkState::connected) return;
    while (session_->buffered_bytes() < kWindowBytes) {
        auto entry = outbox_.pop();
        if (!entry) {
            // Close, as soon as the server has had time for all of it.
            if (closing_) session_->settle();
            return;
        }
        std::optional<socketio::AckId> id;
        if (const auto& call = entry->call) {
            id = call->id = next_id_++;
            awaiting_[*id] = call;
        }
        ++figures_.sent;
        session_->emit(entry->event, id);
    }
}

void Link::drop(std::vector<OutboxEntry> entries) {
    for (OutboxEntry& each : entries) {
        ++dropped_;
        if (!each.call) continue;
        reactor_.post([self = shared_from_this(), call = std::move(each.call)] {
            self->finish_call(call, {"queue full", {}});
        });
    }
}

void Link::expire(const std::shared_ptr<LinkCall>& call) {
    if (call->id) awaiting_.erase(*call->id);
    else outbox_.take(call->number);  // nobody waits for it any more
    finish_call(call, {"timeout", {}});
}

void Link::finish_call(const std::shared_ptr<LinkCall>& call, LinkAnswer answer) {
    const auto answered = std::exchange(call->answered, nullptr);
    if (!answered) return;
    reactor_.cancel(call->timer);
    --calls_;
    if (!answer.error.empty()) ++figures_.failed;
    answered(std::move(answer));
}

void Link::on_connected(std::string_view socket_id) {
    connected_since_ = reactor_.now();
    if (!first_connected_) first_connected_ = connected_since_;
    else ++figures_.reconnections;
    figures_.attempts = 0;
    enter(LinkState::connected, std::string(socket_id));
    pump();
}

void Link::on_event(std::string_view name, const Incoming& incoming) {
    if (closing_) return;
    ++figures_.received;
    std::function<void(OutgoingEvent)> answer;
    if (incoming.id) {
        answer = [weak = weak_from_this(), &reactor = reactor_, session = session_number_,
                  id = *incoming.id](OutgoingEvent values) {
            auto self = weak.lock();
            if (!self) return;
            reactor.post([self = std::move(self), session, id, values = std::move(values)] {
                self->acknowledge(session, id, values);
            });
        };
    }
    listener_.on_event(std::string(name),
                       {std::string(incoming.arguments),
                        {incoming.attachments.begin(), incoming.attachments.end()}},
                       std::move(answer));
}

void Link::acknowledge(unsigned session, socketio::AckId id, const OutgoingEvent& arguments) {
    // The server of another connection did not ask.
    if (session_ && session == session_number_) session_->acknowledge(id, arguments);
}

void Link::on_acknowledged(const Incoming& incoming) {
    const auto found = incoming.id ? awaiting_.find(*incoming.id) : awaiting_.end();
    if (found == awaiting_.end()) return;  // it came too late
    const auto call = std::move(found->second);
    awaiting_.erase(found);
    finish_call(call, {{},
                       {std::string(incoming.arguments),
                        {incoming.attachments.begin(), incoming.attachments.end()}}});
}

void Link::on_settled() {
    if (closing_) session_->leave();
}

void Link::on_drained() { pump(); }

void Link::on_end(SessionEnd end) {
    // The session calls this, and lives until it returns; so does this.
    reactor_.post([session = std::move(session_), self = std::move(self_)] {});
    session_ = nullptr;
    if (connected_since_) connected_before_ += reactor_.now() - *connected_since_;
    connected_since_.reset();
    for (auto& [id, call] : std::exchange(awaiting_, {})) finish_call(call, {"disconnected", {}});
    if (closing_) return finish();
    if (end.kind != SessionEnd::Kind::left)
        figures_.last_error = end.reason + (end.data.empty() ? "" : " " + end.data);
    if (std::exchange(again_, false)) {
        way_ = 0;
        enter(LinkState::connecting, "asked to");
        return connect();
    }
    if (end.kind == SessionEnd::Kind::unreachable && ++way_ < ways_.size()) return connect();
    way_ = 0;
    switch (end.kind) {
        case SessionEnd::Kind::refused: return enter(LinkState::refused, figures_.last_error);
        case SessionEnd::Kind::disconnected:
        case SessionEnd::Kind::left: return enter(LinkState::disconnected, end.reason);
        case SessionEnd::Kind::unreachable:
        case SessionEnd::Kind::lost: break;
    }
    retry();
}

void Link::retry() {
    if (options_.attempts && figures_.attempts >= *options_.attempts)
        return enter(LinkState::gave_up, figures_.last_error);
    if (state_ != LinkState::disconnected) enter(LinkState::disconnected, figures_.last_error);
    if (closing_) return;
    pause_ = reactor_.after(pause(), [this] {
        ++figures_.attempts;
        connect();
    });
}

Duration Link::pause() {
    const double doubled =
        seconds_of(options_.delay) * static_cast<double>(1u << std::min(figures_.attempts, 20u));
    const double jitter =
        std::uniform_real_distribution<double>(-options_.jitter, options_.jitter)(random_);
    const double seconds = std::min(doubled * (1 + jitter), seconds_of(options_.delay_max));
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

void Link::enter(LinkState state, const std::string& detail) {
    state_ = state;
    listener_.on_state(state, detail);
}

void Link::finish() {
    reactor_.cancel(flush_);
    std::vector<OutboxEntry> left;
    while (auto entry = outbox_.pop()) left.push_back(*std::move(entry));
    state_ = LinkState::closed;
    for (const OutboxEntry& each : left)
        if (each.call) finish_call(each.call, {"closed", {}});
    dropped_ += left.size();
    listener_.on_state(LinkState::closed,
                       left.empty() ? "" : std::to_string(left.size()) + " events were not sent");
    // Not from within the session, which may end with this object.
    reactor_.post([self = shared_from_this()] { self->listener_.on_closed(); });
}

LinkStatus Link::status() const {
    LinkStatus status = figures_;
    status.state = state_;
    status.queued = outbox_.size();
    status.dropped = dropped_;
    const TimePoint now = reactor_.now();
    Duration connected = connected_before_;
    if (connected_since_) {
        status.uptime_seconds = seconds_of(now - *connected_since_);
        connected += now - *connected_since_;
    }
    if (first_connected_) {
        const double all = seconds_of(now - *first_connected_);
        status.uptime_percent = all > 0 ? 100 * (seconds_of(connected) / all) : 100;  // exactly 100
    }
    return status;
}

}  // namespace moonwire::client
