#include "core/socketio/recovery.hpp"

#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "core/base/ids.hpp"
#include "core/socketio/socket.hpp"

namespace moonwire::socketio {
namespace {

constexpr Offset kStillIn = std::numeric_limits<Offset>::max();
/// Rooms left that a socket remembers; who leaves more within a heartbeat may miss events of them.
constexpr std::size_t kMaxLeft = 256;
/// What an entry of the log weighs beside its bytes.
constexpr std::size_t kEntryBytes = 200;
/// Nothing expires more precisely than this.
constexpr auto kSweepInterval = std::chrono::seconds(1);
constexpr std::array<std::string_view, 4> kFinal = {
    "parse error", "client namespace disconnect", "server namespace disconnect",
    "server shutting down"};

/// Finds "pid" and "offset" at the top of CONNECT's payload.
struct ClaimReader : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, ClaimReader> {
    std::optional<std::string> pid, offset;
    int depth = 0;
    std::string key;

    bool Default() { return true; }
    bool StartObject() { return ++depth > 0; }
    bool EndObject(rapidjson::SizeType) { return --depth >= 0; }
    bool StartArray() { return ++depth > 0; }
    bool EndArray(rapidjson::SizeType) { return --depth >= 0; }
    bool Key(const char* text, rapidjson::SizeType size, bool) {
        if (depth == 1) key.assign(text, size);
        return true;
    }
    bool String(const char* text, rapidjson::SizeType size, bool) {
        if (depth == 1 && key == "pid") pid.emplace(text, size);
        if (depth == 1 && key == "offset") offset.emplace(text, size);
        return true;
    }
    bool RawNumber(const char*, rapidjson::SizeType, bool) { return true; }
};

bool concerns(const Target& target, const Socket& socket, const Continuity& continuity,
              Offset offset) {
    const auto in = [&](const std::string& room) {
        return room == socket.id() || continuity.was_in(room, offset);
    };
    return (target.rooms.empty() || std::any_of(target.rooms.begin(), target.rooms.end(), in)) &&
           std::none_of(target.except.begin(), target.except.end(), in);
}

}  // namespace

void Continuity::joined(std::string_view room, Offset now) {
    stays.push_back({std::string(room), now, kStillIn});
}

void Continuity::left(std::string_view room, Offset now) {
    std::size_t left = 0;
    for (Stay& stay : stays) {
        if (stay.until == kStillIn && stay.room == room) stay.until = now;
        left += stay.until != kStillIn;
    }
    if (left > kMaxLeft)
        stays.erase(std::find_if(stays.begin(), stays.end(),
                                 [](const Stay& stay) { return stay.until != kStillIn; }));
}

bool Continuity::was_in(std::string_view room, Offset offset) const {
    return std::any_of(stays.begin(), stays.end(), [&](const Stay& stay) {
        return stay.from < offset && offset <= stay.until && stay.room == room;
    });
}

std::optional<RecoveryClaim> recovery_claim(std::string_view auth_json) {
    if (auth_json.find("\"pid\"") == std::string_view::npos) return std::nullopt;
    ClaimReader found;
    rapidjson::Reader reader;
    rapidjson::MemoryStream stream(auth_json.data(), auth_json.size());
    reader.Parse<rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag>(stream,
                                                                                         found);
    if (reader.HasParseError() || !found.pid) return std::nullopt;
    RecoveryClaim claim{*std::move(found.pid), std::nullopt};
    if (found.offset) {
        Offset offset = 0;
        const char* end = found.offset->data() + found.offset->size();
        if (std::from_chars(found.offset->data(), end, offset).ptr == end) claim.offset = offset;
    }
    return claim;
}

bool is_recoverable(std::string_view reason) {
    return std::find(kFinal.begin(), kFinal.end(), reason) == kFinal.end();
}

Recovery::Recovery(const RecoveryOptions& options, Reactor& home,
                   Function<void(const SocketPtr&)> expire)
    : options_(options),
      home_(home),
      expire_(std::move(expire)),
      last_(static_cast<Offset>(wall_seconds() * 1e6)) {}

Outgoing Recovery::event(Format format, const std::string& nsp, const Target& target,
                         Payload payload, bool is_volatile) {
    if (is_volatile && !payload.json.ends_with("\"]"))
        return Outgoing(format, PacketType::event, nsp, {}, payload);
    const Offset offset = is_volatile ? last_ : ++last_;
    Outgoing packet(format, PacketType::event, nsp, {}, payload, offset);
    if (!is_volatile) remember(offset, target, packet);
    return packet;
}

void Recovery::remember(Offset offset, const Target& target, const Outgoing& packet) {
    std::size_t bytes = kEntryBytes + packet.bytes();
    for (const auto* rooms : {&target.rooms, &target.except})
        for (const std::string& room : *rooms) bytes += sizeof room + room.size();
    log_.push_back({offset, home_.now(), target, packet, bytes});
    log_bytes_.add(bytes);
    while (log_bytes_.get() > options_.log_bytes) {
        lost_through_ = log_.front().offset;
        drop_oldest();
    }
    arm();
}

void Recovery::drop_oldest() {
    log_bytes_.subtract(log_.front().bytes);
    log_.pop_front();
}

void Recovery::begin(const SocketPtr& socket) {
    auto continuity = std::make_shared<Continuity>();
    continuity->pid = make_id(static_cast<unsigned char>(home_.index()));
    continuity->start = last_;
    continuity->current = socket;
    for (const std::string& room : socket->rooms()) continuity->joined(room, last_);
    by_pid_.emplace(continuity->pid, socket);
    socket->continuity_ = std::move(continuity);
}

void Recovery::park(const SocketPtr& socket) {
    Continuity& continuity = *socket->continuity_;
    continuity.away_since = home_.now();
    queue_.push_back({continuity.away_since, continuity.pid});
    away_.add();
    while (away_.get() > options_.max_sessions) expire_first();
    // Coming and going as fast as it can, a client must not grow the queue.
    if (queue_.size() > 2 * options_.max_sessions)
        std::erase_if(queue_, [this](const Away& entry) { return !absent(entry); });
    arm();
}

void Recovery::expire_first() {
    const Away first = std::move(queue_.front());
    queue_.pop_front();
    if (const SocketPtr socket = absent(first)) expire_(socket);
}

SocketPtr Recovery::absent(const Away& entry) const {
    SocketPtr socket = find(entry.pid);
    const bool still = socket && socket->is_away() &&
                       socket->continuity_->away_since == entry.since;
    return still ? socket : nullptr;
}

void Recovery::resume(const SocketPtr& before, const SocketPtr& socket) {
    away_.subtract();
    Continuity& continuity = *before->continuity_;
    socket->continuity_ = before->continuity_;
    continuity.current = socket;
    continuity.recovered = true;
    by_pid_[continuity.pid] = socket;
}

void Recovery::forget(Socket& socket) {
    if (socket.is_away()) away_.subtract();
    by_pid_.erase(socket.continuity_->pid);
}

void Recovery::expire_all() {
    while (!queue_.empty()) expire_first();
}

SocketPtr Recovery::find(std::string_view pid) const {
    const auto found = by_pid_.find(std::string(pid));
    return found == by_pid_.end() ? nullptr : found->second;
}

std::optional<std::vector<Outgoing>> Recovery::missed(const Socket& socket) const {
    const Continuity& continuity = *socket.continuity_;
    // A client may bring an offset of the session that it had before this one.
    const Offset received =
        std::max(continuity.start, continuity.resume_from.value_or(continuity.start));
    if (received < lost_through_) return std::nullopt;
    std::vector<Outgoing> missed;
    const auto first = std::upper_bound(
        log_.begin(), log_.end(), received,
        [](Offset offset, const Entry& entry) { return offset < entry.offset; });
    for (auto entry = first; entry != log_.end(); ++entry)
        if (concerns(entry->target, socket, continuity, entry->offset))
            missed.push_back(entry->packet);
    return missed;
}

void Recovery::sweep() {
    const TimePoint now = home_.now();
    while (!queue_.empty() && queue_.front().since + options_.max_disconnection <= now)
        expire_first();
    // Older than this, an event was received: the heartbeat of who is still here says so.
    const auto kept = options_.max_disconnection + options_.detection;
    while (!log_.empty() && log_.front().at + kept <= now) drop_oldest();
    arm();
}

void Recovery::arm() {
    if (timer_ || (log_.empty() && queue_.empty())) return;
    timer_ = home_.after(kSweepInterval, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->timer_ = {};
        self->sweep();
    });
}

}  // namespace moonwire::socketio
