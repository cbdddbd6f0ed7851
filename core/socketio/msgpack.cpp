#include "core/socketio/msgpack.hpp"

#include <msgpuck.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "core/base/clock.hpp"
#include "core/base/json_text.hpp"
#include "core/base/msgpack_form.hpp"

namespace moonwire::socketio {
namespace {

/// As deep as scripts' JSON may go; the walk below recurses.
constexpr int kMaxDepth = 128;
/// Types of extension values: notepack's own (undefined, old dates), msgpack's timestamp.
constexpr std::int8_t kNotepack = 0, kTimestamp = -1;

template <typename Number>
void append_number(std::string& out, Number number) {
    char text[32];
    const auto [end, error] = std::to_chars(text, text + sizeof text, number);
    out.append(text, end);
}

/// Writes msgpack as JSON and sets binary aside. Reads what was found well-formed.
class Decoder {
public:
    Decoder(MsgpackPacket& out, std::size_t max_attachments)
        : out_(out), max_attachments_(max_attachments) {}

    /// Appends one value's JSON.
    Result<void> value(const char*& in, int depth = 0) {
        if (depth > kMaxDepth) return Error{"nested too deeply"};
        std::string& json = out_.json;
        switch (mp_typeof(*in)) {
            case MP_NIL: mp_decode_nil(&in); json += "null"; return {};
            case MP_BOOL: json += mp_decode_bool(&in) ? "true" : "false"; return {};
            case MP_UINT: append_number(json, mp_decode_uint(&in)); return {};
            case MP_INT: append_number(json, mp_decode_int(&in)); return {};
            case MP_FLOAT: real(mp_decode_float(&in)); return {};
            case MP_DOUBLE: real(mp_decode_double(&in)); return {};
            case MP_STR: append_json_string(json, text(in)); return {};
            case MP_ARRAY: return array(in, depth);
            case MP_MAP: return map(in, depth);
            case MP_BIN: {
                std::uint32_t size = 0;
                const char* bytes = mp_decode_bin(&in, &size);
                return attachment({bytes, size});
            }
            case MP_EXT: return extension(in);
        }
        return Error{"unknown kind of value"};
    }

    static std::string_view text(const char*& in) {
        std::uint32_t size = 0;
        const char* bytes = mp_decode_str(&in, &size);
        return {bytes, size};
    }

private:
    void real(double number) {
        if (std::isfinite(number)) append_number(out_.json, number);
        else out_.json += "null";
    }

    Result<void> array(const char*& in, int depth) {
        const std::uint32_t count = mp_decode_array(&in);
        out_.json += '[';
        for (std::uint32_t i = 0; i < count; ++i) {
            if (i > 0) out_.json += ',';
            if (auto done = value(in, depth + 1); !done) return done;
        }
        out_.json += ']';
        return {};
    }

    Result<void> map(const char*& in, int depth) {
        const std::uint32_t count = mp_decode_map(&in);
        out_.json += '{';
        for (std::uint32_t i = 0; i < count; ++i) {
            if (i > 0) out_.json += ',';
            if (mp_typeof(*in) != MP_STR) return Error{"a key that is not a string"};
            append_json_string(out_.json, text(in));
            out_.json += ':';
            if (auto done = value(in, depth + 1); !done) return done;
        }
        out_.json += '}';
        return {};
    }

    Result<void> attachment(std::string_view bytes) {
        if (out_.attachments.size() >= max_attachments_)
            return Error{"too many attachments, the limit is " + std::to_string(max_attachments_)};
        out_.json += R"({"_placeholder":true,"num":)";
        append_number(out_.json, out_.attachments.size());
        out_.json += '}';
        out_.attachments.push_back(SharedBytes::copy(bytes));
        return {};
    }

    Result<void> extension(const char*& in) {
        // The head is 0xc7-0xc9 with the size in 1, 2 or 4 bytes, or 0xd4-0xd8 for 1 to 16 bytes.
        const auto head = static_cast<unsigned char>(*in);
        const int size_bytes = head <= 0xc9 ? 1 << (head - 0xc7) : 0;
        const std::size_t size =
            size_bytes > 0 ? big_endian(in + 1, size_bytes) : std::size_t{1} << (head - 0xd4);
        const auto type = static_cast<std::int8_t>(in[1 + size_bytes]);
        const char* bytes = in + 2 + size_bytes;
        mp_next(&in);
        if (type == kNotepack && size == 1) {  // undefined
            out_.json += "null";
        } else if (type == kNotepack && size == 8) {
            date(static_cast<double>(static_cast<std::int64_t>(big_endian(bytes, 8))) / 1e3);
        } else if (type == kTimestamp && size == 4) {
            date(static_cast<double>(big_endian(bytes, 4)));
        } else if (type == kTimestamp && size == 8) {
            const std::uint64_t both = big_endian(bytes, 8);
            date(static_cast<double>(both & 0x3ffffffff) + static_cast<double>(both >> 34) * 1e-9);
        } else if (type == kTimestamp && size == 12) {
            date(static_cast<double>(static_cast<std::int64_t>(big_endian(bytes + 4, 8))) +
                 static_cast<double>(big_endian(bytes, 4)) * 1e-9);
        } else {
            return Error{"unknown extension type " + std::to_string(type)};
        }
        return {};
    }

    /// As JSON.stringify has a Date.
    void date(double seconds) {
        constexpr double kYear10000 = 253'402'300'800, kYear0 = -62'167'219'200;
        if (seconds >= kYear0 && seconds < kYear10000) append_json_string(out_.json, iso_time(seconds));
        else out_.json += "null";
    }

    MsgpackPacket& out_;
    const std::size_t max_attachments_;
};

Result<void> check_data(const Packet& packet, bool has_data) {
    const char first = has_data ? packet.data.front() : '\0';
    switch (packet.type) {
        case PacketType::connect:
            if (has_data && first != '{') return Error{"CONNECT payload is not an object"};
            return {};
        case PacketType::disconnect:
            if (has_data) return Error{"DISCONNECT with a payload"};
            return {};
        case PacketType::event:
        case PacketType::ack:
            if (first != '[') return Error{"payload is not an array"};
            if (packet.type == PacketType::ack && !packet.id) return Error{"ACK without an id"};
            return {};
        default: return Error{"unexpected packet type"};
    }
}

/// What the first pass over a payload's JSON finds out: msgpack wants counts ahead of contents.
struct Shape {
    std::uint32_t count = 0;
    bool placeholder_key = false;
    std::optional<std::uint64_t> number;  // the value of "num"
    bool is_placeholder() const { return placeholder_key && number && count == 2; }
};

struct ShapeReader : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, ShapeReader> {
    std::vector<Shape> shapes;  // of arrays and objects, in the order in which they begin
    std::vector<std::size_t> open;
    bool num_next = false;

    bool Start() {
        open.push_back(shapes.size());
        shapes.emplace_back();
        num_next = false;
        return true;
    }
    bool End(rapidjson::SizeType count) {
        shapes[open.back()].count = count;
        open.pop_back();
        num_next = false;
        return true;
    }
    bool StartArray() { return Start(); }
    bool EndArray(rapidjson::SizeType count) { return End(count); }
    bool StartObject() { return Start(); }
    bool EndObject(rapidjson::SizeType count) { return End(count); }
    bool Key(const char* text, rapidjson::SizeType size, bool) {
        const std::string_view key(text, size);
        if (key == "_placeholder") shapes[open.back()].placeholder_key = true;
        num_next = key == "num";
        return true;
    }
    bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
        std::uint64_t number = 0;
        if (num_next && std::from_chars(text, text + size, number).ptr == text + size)
            shapes[open.back()].number = number;
        num_next = false;
        return true;
    }
    bool Default() {
        num_next = false;
        return true;
    }
    bool String(const char*, rapidjson::SizeType, bool) { return Default(); }
};

/// The second pass: writes the values.
struct Writer : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Writer> {
    Writer(const std::vector<Shape>& shapes, std::span<const SharedBytes> attachments)
        : shapes(shapes), attachments(attachments) {}

    const std::vector<Shape>& shapes;
    std::span<const SharedBytes> attachments;
    std::string out;
    std::size_t next = 0;
    bool in_placeholder = false;  // its contents stand for an attachment

    /// `encode(to)` writes at most nine bytes and returns their end.
    template <typename Encode>
    bool put(Encode encode) {
        if (in_placeholder) return true;
        char bytes[9];
        out.append(bytes, encode(bytes));
        return true;
    }
    bool Null() {
        return put([](char* to) { return mp_encode_nil(to); });
    }
    bool Bool(bool value) {
        return put([=](char* to) { return mp_encode_bool(to, value); });
    }
    bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
        const char* end = text + size;
        std::uint64_t natural = 0;
        if (const auto parsed = std::from_chars(text, end, natural);
            parsed.ec == std::errc() && parsed.ptr == end)
            return put([=](char* to) { return mp_encode_uint(to, natural); });
        std::int64_t negative = 0;
        if (const auto parsed = std::from_chars(text, end, negative);
            parsed.ec == std::errc() && parsed.ptr == end && negative < 0)
            return put([=](char* to) { return mp_encode_int(to, negative); });
        double real = 0;
        // Out of range it is left as it is: infinity, which the reader's float has, too.
        if (std::from_chars(text, end, real).ec == std::errc::result_out_of_range)
            real = *text == '-' ? -std::numeric_limits<double>::infinity()
                                : std::numeric_limits<double>::infinity();
        return put([=](char* to) { return mp_encode_double(to, real); });
    }
    bool String(const char* text, rapidjson::SizeType size, bool) {
        if (in_placeholder) return true;
        put([=](char* to) { return mp_encode_strl(to, size); });
        out.append(text, size);
        return true;
    }
    bool Key(const char* text, rapidjson::SizeType size, bool copy) {
        return String(text, size, copy);
    }
    bool StartArray() {
        const std::uint32_t count = shapes[next++].count;
        return put([=](char* to) { return mp_encode_array(to, count); });
    }
    bool EndArray(rapidjson::SizeType) { return true; }
    bool StartObject() {
        const Shape& shape = shapes[next++];
        if (!shape.is_placeholder() || *shape.number >= attachments.size())
            return put([&](char* to) { return mp_encode_map(to, shape.count); });
        const std::string_view bytes = attachments[*shape.number].view();
        put([&](char* to) { return mp_encode_binl(to, static_cast<std::uint32_t>(bytes.size())); });
        out.append(bytes);
        in_placeholder = true;
        return true;
    }
    bool EndObject(rapidjson::SizeType) {
        in_placeholder = false;
        return true;
    }
};

template <typename Handler>
bool read_json(std::string_view json, Handler& handler) {
    // Numbers as text, for exactness; iterative, whatever the depth.
    rapidjson::Reader reader;
    rapidjson::MemoryStream stream(json.data(), json.size());
    return !reader
                .Parse<rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag>(
                    stream, handler)
                .IsError();
}

void append_text(std::string& out, std::string_view text) {
    char head[5];
    out.append(head, mp_encode_strl(head, static_cast<std::uint32_t>(text.size())));
    out += text;
}

void append_natural(std::string& out, std::uint64_t number) {
    char bytes[9];
    out.append(bytes, mp_encode_uint(bytes, number));
}

}  // namespace

Result<std::unique_ptr<MsgpackPacket>> decode_msgpack(std::string_view message,
                                                      std::size_t max_attachments) {
    if (!is_well_formed_msgpack(message) || mp_typeof(message.front()) != MP_MAP)
        return Error{"not a msgpack map"};

    auto decoded = std::make_unique<MsgpackPacket>();
    Decoder decoder(*decoded, max_attachments);
    std::optional<std::uint64_t> type;
    bool has_data = false, has_nsp = false;
    const char* in = message.data();
    for (std::uint32_t n = mp_decode_map(&in); n > 0; --n) {
        const std::string_view key =
            mp_typeof(*in) == MP_STR ? Decoder::text(in) : (mp_next(&in), std::string_view());
        const mp_type kind = mp_typeof(*in);
        if (key == "type" && kind == MP_UINT) {
            type = mp_decode_uint(&in);
        } else if (key == "id" && kind == MP_UINT) {
            decoded->packet.id = mp_decode_uint(&in);
        } else if (key == "nsp" && kind == MP_STR) {
            decoded->nsp = Decoder::text(in);
            has_nsp = true;
        } else if (key == "data" && !has_data) {
            if (auto read = decoder.value(in); !read) return read.error();
            // JavaScript clients say `data: undefined` where there is none.
            has_data = decoded->json != "null";
            if (!has_data) decoded->json.clear();
        } else if (key == "type" || key == "nsp" || (key == "id" && kind != MP_EXT && kind != MP_NIL)) {
            return Error{"malformed \"" + std::string(key) + "\""};
        } else {
            mp_next(&in);
        }
    }
    if (!type || *type > static_cast<std::uint64_t>(PacketType::connect_error))
        return Error{"unknown packet type"};
    if (!has_nsp || !decoded->nsp.starts_with('/')) return Error{"malformed namespace"};
    Packet& packet = decoded->packet;
    packet.type = static_cast<PacketType>(*type);
    packet.nsp = decoded->nsp;
    packet.data = decoded->json;
    if (auto valid = check_data(packet, has_data); !valid) return valid.error();
    return decoded;
}

std::string msgpack_header(PacketType type, std::string_view nsp, std::optional<AckId> id,
                           bool with_data) {
    std::string header(1, static_cast<char>(0x80 + 2 + (id ? 1 : 0) + (with_data ? 1 : 0)));
    append_text(header, "type");
    append_natural(header, static_cast<std::uint64_t>(type));
    append_text(header, "nsp");
    append_text(header, nsp);
    if (id) {
        append_text(header, "id");
        append_natural(header, *id);
    }
    if (with_data) append_text(header, "data");
    return header;
}

Result<std::string> msgpack_body(Payload payload) {
    ShapeReader shapes;
    if (!read_json(payload.json, shapes)) return Error{"not JSON"};
    Writer writer(shapes.shapes, payload.attachments);
    read_json(payload.json, writer);
    return std::move(writer.out);
}

}  // namespace moonwire::socketio
