#include "core/plugin/arrivals.hpp"

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "core/socketio/event_check.hpp"

namespace moonwire::plugin {
namespace {

/// What is done with a message on its namespace's reactor.
using Deed = Function<void(const socketio::Group&)>;

struct Prepared {
    Deed deed;
    std::size_t bytes = 0;
    std::string wrong = {};  // why it can't be done
};

std::size_t bytes_of(const std::vector<std::string>& rooms) {
    std::size_t bytes = 0;
    for (const std::string& each : rooms) bytes += each.size() + sizeof(std::string);
    return bytes;
}

/// This node's sockets alone.
socketio::Target target_of(ClusterTarget& target, std::size_t& bytes) {
    bytes += bytes_of(target.rooms) + bytes_of(target.except);
    return {std::move(target.rooms), std::move(target.except), true};
}

struct Event {
    std::string name;
    socketio::OwnedPayload payload;
};

std::optional<Event> event_of(Values& packet, Prepared& prepared) {
    Event event;
    event.payload.json = std::move(packet.json);
    for (const std::string& each : packet.attachments) {
        event.payload.attachments.push_back(SharedBytes::copy(each));
        prepared.bytes += each.size();
    }
    prepared.bytes += event.payload.json.size();
    auto name = socketio::check_event(event.payload.view());
    if (!name) {
        prepared.wrong = name.error().message;
        return std::nullopt;
    }
    event.name = *std::move(name);
    return event;
}

/// Makes of each kind of message what is to be done.
struct Preparation {
    Prepared operator()(ClusterBroadcast& message) const {
        Prepared prepared;
        auto event = event_of(message.packet, prepared);
        if (!event) return prepared;
        engineio::SendOptions options;
        options.is_volatile = message.is_volatile;
        options.compress = message.compress;
        prepared.deed =
            [event = *std::move(event), options,
             target = target_of(message.target, prepared.bytes)](const socketio::Group& group) {
                group.broadcast(target, event.payload.view(), options);
            };
        return prepared;
    }
    Prepared operator()(ClusterJoin& message) const {
        return change(message.target, std::move(message.rooms), &socketio::Group::join);
    }
    Prepared operator()(ClusterLeave& message) const {
        return change(message.target, std::move(message.rooms), &socketio::Group::leave);
    }
    Prepared operator()(ClusterDisconnect& message) const {
        Prepared prepared;
        prepared.deed = [target = target_of(message.target, prepared.bytes), close = message.close](
                            const socketio::Group& group) { group.disconnect(target, close); };
        return prepared;
    }
    Prepared operator()(ClusterServerEmit& message) const {
        Prepared prepared;
        auto event = event_of(message.packet, prepared);
        if (!event) return prepared;
        prepared.deed = [event = *std::move(event)](const socketio::Group& group) {
            group.server_event(event.name, event.payload.view());
        };
        return prepared;
    }

private:
    using Change = void (socketio::Group::*)(const socketio::Target&,
                                             const std::vector<std::string>&) const;

    static Prepared change(ClusterTarget& target, std::vector<std::string> rooms, Change act) {
        Prepared prepared;
        prepared.bytes = bytes_of(rooms);
        prepared.deed = [target = target_of(target, prepared.bytes), rooms = std::move(rooms),
                         act](const socketio::Group& group) { (group.*act)(target, rooms); };
        return prepared;
    }
};

}  // namespace

/// A message's place among those that wait, while it is there.
class Arrivals::Place {
public:
    Place(std::shared_ptr<Waiting> waiting, std::size_t bytes)
        : waiting_(std::move(waiting)), bytes_(bytes) {
        const std::size_t messages = waiting_->messages.fetch_add(1);
        const std::size_t before = waiting_->bytes.fetch_add(bytes_);
        // One that is larger than all that may wait has its turn when nothing else does.
        fits_ = messages < kMaxMessages && (before == 0 || before + bytes_ <= kMaxBytes);
    }
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place() {
        if (!waiting_) return;
        waiting_->messages.fetch_sub(1);
        waiting_->bytes.fetch_sub(bytes_);
    }
    bool fits() const noexcept { return fits_; }

private:
    std::shared_ptr<Waiting> waiting_;
    const std::size_t bytes_;
    bool fits_ = false;
};

Arrivals::Arrivals(std::string plugin)
    : plugin_(std::move(plugin)),
      invalid_(log::Level::warn, "another node sent what can't be passed on"),
      full_(log::Level::warn, "what another node sent was dropped, for too much waits") {}

Receipt Arrivals::take(socketio::Server& server, ClusterMessage message) {
    auto group = server.group(message.nsp);
    if (!group) return Receipt::unknown_namespace;
    Prepared prepared = std::visit(Preparation{}, message.what);
    if (!prepared.wrong.empty())
        return refuse(invalid_, Receipt::invalid, message.nsp, prepared.wrong);
    Reactor& home = group->home();
    Place place(waiting_for(home), prepared.bytes);
    if (!place.fits()) return refuse(full_, Receipt::full, message.nsp, "limit reached");
    // Posted even from its own reactor: what was brought earlier comes first.
    home.post([group = *std::move(group), deed = std::move(prepared.deed),
               place = std::move(place)]() mutable { deed(group); });
    return Receipt::taken;
}

std::shared_ptr<Arrivals::Waiting> Arrivals::waiting_for(Reactor& reactor) {
    std::lock_guard lock(mutex_);
    auto& waiting = waiting_[&reactor];
    if (!waiting) waiting = std::make_shared<Waiting>();
    return waiting;
}

Receipt Arrivals::refuse(LimitedLog& log, Receipt receipt, const std::string& nsp,
                         const std::string& why) {
    log.write(Clock::now(), 1, [&] {
        return std::vector<log::Field>{{"plugin", plugin_}, {"namespace", nsp}, {"reason", why}};
    });
    return receipt;
}

}  // namespace moonwire::plugin
