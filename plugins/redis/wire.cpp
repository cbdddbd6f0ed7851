#include "plugins/redis/wire.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>
#include <random>
#include <stdexcept>
#include <utility>

#include "plugins/redis/packing.hpp"

namespace moonwire::redis {
namespace {

using plugin::ClusterBroadcast;
using plugin::ClusterDisconnect;
using plugin::ClusterJoin;
using plugin::ClusterLeave;
using plugin::ClusterServerEmit;
using plugin::ClusterTarget;
using plugin::Values;
using Kind = Received::Kind;
using Value = rapidjson::Value;
using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

/// Socket.IO's packet types, and the adapter's requests.
constexpr unsigned kEvent = 2, kBinaryEvent = 5;
constexpr unsigned kSockets = 0, kAllRooms = 1, kJoin = 2, kLeave = 3, kDisconnect = 4, kFetch = 5,
                   kServerEmit = 6, kBroadcastAsking = 7;

[[noreturn]] void refuse(const std::string& what) { throw std::runtime_error(what); }

// Writing.

void put(Writer& to, std::string_view text) {
    to.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void put(Writer& to, const std::vector<std::string>& texts) {
    to.StartArray();
    for (const std::string& each : texts) put(to, std::string_view(each));
    to.EndArray();
}

/// `{"uid":…,"type":…}`, with what `rest` adds.
template <typename Rest>
std::string request(std::string_view uid, unsigned type, Rest rest) {
    rapidjson::StringBuffer buffer;
    Writer to(buffer);
    to.StartObject();
    to.Key("uid");
    put(to, uid);
    to.Key("type");
    to.Uint(type);
    rest(to);
    to.EndObject();
    return {buffer.GetString(), buffer.GetSize()};
}

/// The same with `"opts":{"rooms":[…],"except":[…]}`.
template <typename Rest>
std::string request(std::string_view uid, unsigned type, const ClusterTarget& target, Rest rest) {
    return request(uid, type, [&](Writer& to) {
        to.Key("opts");
        to.StartObject();
        to.Key("rooms");
        put(to, target.rooms);
        to.Key("except");
        put(to, target.except);
        to.EndObject();
        rest(to);
    });
}

std::string request_about_rooms(std::string_view uid, unsigned type, const ClusterTarget& target,
                                const std::vector<std::string>& rooms) {
    return request(uid, type, target, [&](Writer& to) {
        to.Key("rooms");
        put(to, rooms);
    });
}

std::string packed_broadcast(std::string_view uid, std::string_view nsp,
                             const ClusterBroadcast& it) {
    std::string out;
    append_packed_array(out, 3);
    append_packed_text(out, uid);
    append_packed_map(out, 3);
    append_packed_text(out, "type");
    append_packed_number(out, kEvent);
    append_packed_text(out, "data");
    append_packed(out, it.packet);
    append_packed_text(out, "nsp");
    append_packed_text(out, nsp);
    append_packed_map(out, 3);
    append_packed_text(out, "rooms");
    append_packed_texts(out, it.target.rooms);
    append_packed_text(out, "except");
    append_packed_texts(out, it.target.except);
    append_packed_text(out, "flags");
    append_packed_map(out, (it.is_volatile ? 1u : 0u) + (it.compress ? 0u : 1u));
    if (it.is_volatile) {
        append_packed_text(out, "volatile");
        append_packed_bool(out, true);
    }
    if (!it.compress) {
        append_packed_text(out, "compress");
        append_packed_bool(out, false);
    }
    return out;
}

/// JSON as Node writes it; msgpack, which Node reads here too, if there are binary values.
std::string server_emit(std::string_view uid, const Values& packet) {
    if (packet.attachments.empty()) {
        return request(uid, kServerEmit, [&](Writer& to) {
            to.Key("data");
            to.RawValue(packet.json.data(), packet.json.size(), rapidjson::kArrayType);
        });
    }
    std::string out;
    append_packed_map(out, 3);
    append_packed_text(out, "uid");
    append_packed_text(out, uid);
    append_packed_text(out, "type");
    append_packed_number(out, kServerEmit);
    append_packed_text(out, "data");
    append_packed(out, packet);
    return out;
}

// Reading.

/// Whether the brackets of a JSON text are open further than what follows may recurse.
bool is_too_deep(std::string_view json) {
    int depth = 0;
    bool in_text = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (in_text) {
            if (c == '\\') ++i;
            else if (c == '"') in_text = false;
        } else if (c == '"') {
            in_text = true;
        } else if (c == '[' || c == '{') {
            if (++depth > kMaxDepth) return true;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return false;
}

rapidjson::Document parse(std::string_view json) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag |
                   rapidjson::kParseValidateEncodingFlag>(json.data(), json.size());
    if (document.HasParseError()) refuse("malformed JSON");
    return document;
}

/// Null if it is not there.
const Value* find(const Value& object, const char* key) {
    const auto found = object.FindMember(key);
    return found == object.MemberEnd() ? nullptr : &found->value;
}

std::string_view text_of(const Value& text) { return {text.GetString(), text.GetStringLength()}; }

std::string json_of(const Value& value) {
    rapidjson::StringBuffer buffer;
    Writer writer(buffer);
    value.Accept(writer);
    return {buffer.GetString(), buffer.GetSize()};
}

/// Rooms, which in Node can be numbers.
std::vector<std::string> rooms_of(const Value& object, const char* key) {
    std::vector<std::string> rooms;
    const Value* list = find(object, key);
    if (!list || list->IsNull()) return rooms;
    if (!list->IsArray()) refuse(std::string("\"") + key + "\" is no list");
    for (const Value& each : list->GetArray()) {
        if (each.IsString()) rooms.emplace_back(text_of(each));
        else if (each.IsNumber()) rooms.push_back(json_of(each));
        else refuse(std::string("\"") + key + "\" has what is no room");
    }
    return rooms;
}

ClusterTarget target_of(const Value& opts) {
    return {rooms_of(opts, "rooms"), rooms_of(opts, "except")};
}

bool is_flag(const Value* flags, const char* key, bool fallback) {
    const Value* flag = flags && flags->IsObject() ? find(*flags, key) : nullptr;
    return flag && flag->IsBool() ? flag->GetBool() : fallback;
}

/// The packet `["event",…]`.
Values event_of(const Value& holder, Values&& whole) {
    const Value* data = find(holder, "data");
    if (!data || !data->IsArray() || data->Empty() || !(*data)[0].IsString())
        refuse("\"data\" is no event");
    return {json_of(*data), std::move(whole.attachments)};
}

std::string pattern_of(std::string_view prefix) {
    std::string pattern;
    for (const char c : prefix) {
        if (std::string_view("*?[]\\").find(c) != std::string_view::npos) pattern += '\\';
        pattern += c;
    }
    return pattern + "/*";
}

}  // namespace

std::string_view name_of(Kind kind) {
    constexpr std::array<std::string_view, Received::kKinds> kNames{
        "broadcast", "join", "leave", "disconnect", "server_emit", "own", "question"};
    return kNames[static_cast<std::size_t>(kind)];
}

Wire::Wire(std::string key, std::string uid, const std::map<std::string, std::string>& names)
    : broadcasts_(key + "#"), requests_(key + "-request#"), uid_(std::move(uid)) {
    for (const auto& [outside, here] : names) {
        here_.emplace(outside, here);
        outside_.emplace(here, outside);
    }
}

std::string Wire::name_outside(const std::string& nsp) const {
    const auto found = outside_.find(nsp);
    return found == outside_.end() ? nsp : found->second;
}

std::string Wire::name_here(std::string_view nsp) const {
    const auto found = here_.find(nsp);
    return found == here_.end() ? std::string(nsp) : found->second;
}

std::string Wire::broadcast_pattern() const { return pattern_of(broadcasts_); }
std::string Wire::request_pattern() const { return pattern_of(requests_); }

Publication Wire::write(const plugin::ClusterMessage& message) const {
    const std::string nsp = name_outside(message.nsp);
    Publication out;
    if (const auto* broadcast = std::get_if<ClusterBroadcast>(&message.what)) {
        out.channel = broadcasts_ + nsp + "#";
        if (broadcast->target.rooms.size() == 1) out.channel += broadcast->target.rooms[0] + "#";
        out.payload = packed_broadcast(uid_, nsp, *broadcast);
        return out;
    }
    out.channel = requests_ + nsp + "#";
    if (const auto* join = std::get_if<ClusterJoin>(&message.what))
        out.payload = request_about_rooms(uid_, kJoin, join->target, join->rooms);
    else if (const auto* leave = std::get_if<ClusterLeave>(&message.what))
        out.payload = request_about_rooms(uid_, kLeave, leave->target, leave->rooms);
    else if (const auto* disconnect = std::get_if<ClusterDisconnect>(&message.what))
        out.payload = request(uid_, kDisconnect, disconnect->target, [&](Writer& to) {
            to.Key("close");
            to.Bool(disconnect->close);
        });
    else out.payload = server_emit(uid_, std::get<ClusterServerEmit>(message.what).packet);
    return out;
}

Received Wire::read(std::string_view channel, std::string_view payload) const {
    if (channel.starts_with(broadcasts_)) return read_broadcast(channel, payload);
    if (!channel.starts_with(requests_) || !channel.ends_with('#')) refuse("an unknown channel");
    std::string_view nsp = channel.substr(requests_.size());
    if (nsp.empty()) refuse("an unknown channel");
    nsp.remove_suffix(1);
    return read_request(nsp, payload);
}

Received Wire::read_broadcast(std::string_view channel, std::string_view payload) const {
    Values whole = unpack(payload);
    const rapidjson::Document parts = parse(whole.json);
    if (!parts.IsArray() || parts.Size() < 3) refuse("no broadcast");
    const Value &uid = parts[0], &packet = parts[1], &opts = parts[2];
    if (uid.IsString() && text_of(uid) == uid_) return {};
    if (!packet.IsObject() || !opts.IsObject()) refuse("no broadcast");
    const Value* type = find(packet, "type");
    if (!type || !type->IsUint() || (type->GetUint() != kEvent && type->GetUint() != kBinaryEvent))
        refuse("a packet that is no event");
    std::string_view nsp = "/";
    if (const Value* given = find(packet, "nsp"); given && !given->IsNull())
        nsp = given->IsString() ? text_of(*given) : std::string_view();
    // Node's servers hear only what is on the namespace's channels.
    if (!nsp.starts_with('/') ||
        !channel.substr(broadcasts_.size()).starts_with(std::string(nsp) + "#"))
        refuse("another namespace than its channel's");
    const Value* flags = find(opts, "flags");
    ClusterBroadcast broadcast;
    broadcast.target = target_of(opts);
    broadcast.is_volatile = is_flag(flags, "volatile", false);
    broadcast.compress = is_flag(flags, "compress", true);
    broadcast.packet = event_of(packet, std::move(whole));
    return {Kind::broadcast, {name_here(nsp), std::move(broadcast)}};
}

Received Wire::read_request(std::string_view nsp, std::string_view payload) const {
    const bool is_json = payload.starts_with('{');
    if (is_json && is_too_deep(payload)) refuse("nested too deeply");
    Values whole = is_json ? Values{std::string(payload)} : unpack(payload);
    const rapidjson::Document request = parse(whole.json);
    if (!request.IsObject()) refuse("no request");
    const Value* type = find(request, "type");
    if (!type || !type->IsUint()) refuse("a request without a type");
    if (const Value* uid = find(request, "uid"); uid && uid->IsString() && text_of(*uid) == uid_)
        return {};
    const unsigned number = type->GetUint();
    if (number == kServerEmit)
        return {Kind::server_emit,
                {name_here(nsp), ClusterServerEmit{event_of(request, std::move(whole))}}};
    const bool asks =
        number == kSockets || number == kAllRooms || number == kFetch || number == kBroadcastAsking;
    if (asks) return {Kind::question};
    if (number != kJoin && number != kLeave && number != kDisconnect)
        refuse("a request of unknown type " + std::to_string(number));
    const Value* opts = find(request, "opts");
    // Adapters before version 7 named one socket, and waited for an answer.
    if (!opts) return {Kind::question};
    if (!opts->IsObject()) refuse("\"opts\" is no table");
    const ClusterTarget target = target_of(*opts);
    std::string name = name_here(nsp);
    if (number == kDisconnect)
        return {Kind::disconnect,
                {std::move(name), ClusterDisconnect{target, is_flag(&request, "close", false)}}};
    std::vector<std::string> rooms = rooms_of(request, "rooms");
    if (number == kJoin)
        return {Kind::join, {std::move(name), ClusterJoin{target, std::move(rooms)}}};
    return {Kind::leave, {std::move(name), ClusterLeave{target, std::move(rooms)}}};
}

std::string new_uid() {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    std::random_device random;
    std::uniform_int_distribution<std::size_t> any(0, kAlphabet.size() - 1);
    std::string uid(6, '\0');
    std::generate(uid.begin(), uid.end(), [&] { return kAlphabet[any(random)]; });
    return uid;
}

}  // namespace moonwire::redis
