#include "core/socketio/packet.hpp"

#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace moonwire::socketio {
namespace {

constexpr std::array<std::string_view, 6> kReserved = {
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Reads the digits at the front of `text` and removes them; nothing if there are none or too many.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end == text.data()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

Error wrong(std::string what) { return Error{std::move(what)}; }

/// Receives the first element of an event's array and stops the reader there.
struct FirstElement : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, FirstElement> {
    bool in_array = false;
    std::optional<std::string> name;

    bool Default() { return false; }
    bool StartArray() {
        if (in_array) return false;
        in_array = true;
        return true;
    }
    bool String(const char* text, rapidjson::SizeType size, bool) {
        if (in_array) name.emplace(text, size);
        return false;
    }
    bool RawNumber(const char* text, rapidjson::SizeType size, bool copy) {
        return String(text, size, copy);
    }
};

}  // namespace

bool is_reserved_event(std::string_view name) {
    return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

Result<Packet> decode_packet(std::string_view text, std::size_t max_attachments, Sender sender) {
    Packet packet;
    if (text.empty() || text[0] < '0' || text[0] > '6') return wrong("unknown packet type");
    packet.type = static_cast<PacketType>(text[0] - '0');
    text.remove_prefix(1);

    if (packet.type == PacketType::binary_event || packet.type == PacketType::binary_ack) {
        const auto count = take_number(text);
        if (!count || text.empty() || text[0] != '-') return wrong("malformed attachment count");
        if (*count > max_attachments)
            return wrong("too many attachments: " + std::to_string(*count) + ", the limit is " +
                         std::to_string(max_attachments));
        packet.attachments = *count;
        text.remove_prefix(1);
    }

    if (!text.empty() && text[0] == '/') {
        const std::size_t end = std::min(text.find(','), text.size());
        packet.nsp = text.substr(0, end);
        if (const auto mark = packet.nsp.find('?'); mark != std::string_view::npos) {
            packet.query = packet.nsp.substr(mark + 1);
            packet.nsp = packet.nsp.substr(0, mark);
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }

    if (!text.empty() && is_digit(text[0])) {
        packet.id = take_number(text);
        if (!packet.id) return wrong("acknowledgement id out of range");
    }

    packet.data = text;
    const char first = text.empty() ? '\0' : text[0];
    switch (packet.type) {
        case PacketType::connect:
            if (first != '\0' && first != '{') return wrong("CONNECT payload is not an object");
            break;
        case PacketType::disconnect:
            if (first != '\0') return wrong("DISCONNECT with a payload");
            break;
        case PacketType::event:
        case PacketType::binary_event:
            if (first != '[') return wrong("EVENT payload is not an array");
            break;
        case PacketType::ack:
        case PacketType::binary_ack:
            if (first != '[') return wrong("ACK payload is not an array");
            if (!packet.id) return wrong("ACK without an id");
            break;
        case PacketType::connect_error:
            if (sender == Sender::client) return wrong("CONNECT_ERROR from a client");
            break;
    }
    return packet;
}

Result<std::string> event_name(std::string_view data) {
    // The common case needs no parser: ["name" without escapes or controls.
    if (data.size() > 2 && data[0] == '[' && data[1] == '"') {
        const std::size_t end = data.find_first_of("\"\\", 2);
        if (end != std::string_view::npos && data[end] == '"' &&
            std::all_of(data.begin() + 2, data.begin() + static_cast<std::ptrdiff_t>(end),
                        [](char c) { return c >= 0x20; })) {
            const std::string_view name = data.substr(2, end - 2);
            if (is_reserved_event(name)) return wrong("reserved event name " + std::string(name));
            return std::string(name);
        }
    }
    FirstElement first;
    rapidjson::Reader reader;
    rapidjson::MemoryStream stream(data.data(), data.size());
    reader.Parse<rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag |
                 rapidjson::kParseStopWhenDoneFlag>(stream, first);
    if (!first.name) return wrong("EVENT without a name");
    if (is_reserved_event(*first.name)) return wrong("reserved event name " + *first.name);
    return *first.name;
}

std::string packet_header(PacketType type, std::string_view nsp, std::optional<AckId> id,
                          std::size_t attachments) {
    std::string header(1, static_cast<char>('0' + static_cast<int>(type)));
    if (type == PacketType::binary_event || type == PacketType::binary_ack) {
        header += std::to_string(attachments);
        header += '-';
    }
    if (nsp != "/") {
        header += nsp;
        header += ',';
    }
    if (id) header += std::to_string(*id);
    return header;
}

}  // namespace moonwire::socketio
