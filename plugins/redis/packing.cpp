#include "plugins/redis/packing.hpp"

#include <msgpuck.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <utility>

#include "core/base/msgpack_form.hpp"

namespace moonwire::redis {
namespace {

/// Types of extension values: notepack's own (undefined, old dates), msgpack's timestamp.
constexpr std::int8_t kNotepack = 0, kTimestamp = -1;

[[noreturn]] void refuse(const char* what) { throw std::runtime_error(what); }

/// `encode(to)` writes at most nine bytes and returns their end.
template <typename Encode>
void put(std::string& out, Encode encode) {
    char bytes[9];
    out.append(bytes, encode(bytes));
}

void put_binary(std::string& out, std::string_view bytes) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    put(out, [=](char* to) { return mp_encode_binl(to, size); });
    out += bytes;
}

/// The attachment that an object stands for; null if it is an object like any other.
const std::string* attachment_of(const rapidjson::Value& object,
                                 const std::vector<std::string>& attachments) {
    if (object.MemberCount() != 2 || !object.HasMember("_placeholder")) return nullptr;
    const auto number = object.FindMember("num");
    if (number == object.MemberEnd() || !number->value.IsUint64()) return nullptr;
    const std::uint64_t at = number->value.GetUint64();
    return at < attachments.size() ? &attachments[at] : nullptr;
}

void put_value(std::string& out, const rapidjson::Value& value,
               const std::vector<std::string>& attachments, int depth = 0) {
    if (depth > kMaxDepth) refuse("nested too deeply");
    switch (value.GetType()) {
        case rapidjson::kNullType: return put(out, [](char* to) { return mp_encode_nil(to); });
        case rapidjson::kFalseType:
        case rapidjson::kTrueType: return append_packed_bool(out, value.GetBool());
        case rapidjson::kStringType:
            return append_packed_text(out, {value.GetString(), value.GetStringLength()});
        case rapidjson::kNumberType:
            return put(out, [&](char* to) {
                if (value.IsUint64()) return mp_encode_uint(to, value.GetUint64());
                if (value.IsInt64()) return mp_encode_int(to, value.GetInt64());
                return mp_encode_double(to, value.GetDouble());
            });
        case rapidjson::kArrayType:
            append_packed_array(out, value.Size());
            for (const auto& each : value.GetArray()) put_value(out, each, attachments, depth + 1);
            return;
        case rapidjson::kObjectType:
            if (const std::string* bytes = attachment_of(value, attachments))
                return put_binary(out, *bytes);
            append_packed_map(out, value.MemberCount());
            for (const auto& each : value.GetObject()) {
                append_packed_text(out, {each.name.GetString(), each.name.GetStringLength()});
                put_value(out, each.value, attachments, depth + 1);
            }
            return;
    }
}

/// Writes msgpack as JSON and sets binary aside. Reads what was found well-formed.
class Unpacker {
public:
    void value(const char*& in, int depth = 0) {
        if (depth > kMaxDepth) refuse("nested too deeply");
        switch (mp_typeof(*in)) {
            case MP_NIL:
                mp_decode_nil(&in);
                json_.Null();
                return;
            case MP_BOOL: json_.Bool(mp_decode_bool(&in)); return;
            case MP_UINT: json_.Uint64(mp_decode_uint(&in)); return;
            case MP_INT: json_.Int64(mp_decode_int(&in)); return;
            case MP_FLOAT: real(mp_decode_float(&in)); return;
            case MP_DOUBLE: real(mp_decode_double(&in)); return;
            case MP_STR: text(in); return;
            case MP_ARRAY: array(in, depth); return;
            case MP_MAP: map(in, depth); return;
            case MP_BIN: {
                std::uint32_t size = 0;
                const char* bytes = mp_decode_bin(&in, &size);
                attachment({bytes, size});
                return;
            }
            case MP_EXT: extension(in); return;
        }
        refuse("unknown kind of value");
    }

    plugin::Values take() {
        return {{buffer_.GetString(), buffer_.GetSize()}, std::move(attachments_)};
    }

private:
    void real(double number) {
        if (!std::isfinite(number)) {
            json_.Null();
            return;
        }
        char text[32];
        const auto [end, error] = std::to_chars(text, text + sizeof text, number);
        json_.RawValue(text, static_cast<std::size_t>(end - text), rapidjson::kNumberType);
    }

    void text(const char*& in) {
        std::uint32_t size = 0;
        const char* bytes = mp_decode_str(&in, &size);
        json_.String(bytes, size);
    }

    void array(const char*& in, int depth) {
        json_.StartArray();
        for (std::uint32_t left = mp_decode_array(&in); left > 0; --left) value(in, depth + 1);
        json_.EndArray();
    }

    void map(const char*& in, int depth) {
        json_.StartObject();
        for (std::uint32_t left = mp_decode_map(&in); left > 0; --left) {
            if (mp_typeof(*in) != MP_STR) refuse("a key that is no text");
            text(in);
            value(in, depth + 1);
        }
        json_.EndObject();
    }

    void attachment(std::string_view bytes) {
        if (attachments_.size() >= kMaxAttachments) refuse("too many binary values");
        json_.StartObject();
        json_.Key("_placeholder");
        json_.Bool(true);
        json_.Key("num");
        json_.Uint64(attachments_.size());
        json_.EndObject();
        attachments_.emplace_back(bytes);
    }

    void extension(const char*& in) {
        // The head is 0xc7-0xc9 with the size in 1, 2 or 4 bytes, or 0xd4-0xd8 for 1 to 16 bytes.
        const auto head = static_cast<unsigned char>(*in);
        const std::size_t size_bytes = head <= 0xc9 ? std::size_t{1} << (head - 0xc7) : 0;
        const std::size_t size =
            size_bytes > 0 ? big_endian(in + 1, size_bytes) : std::size_t{1} << (head - 0xd4);
        const auto type = static_cast<std::int8_t>(in[1 + size_bytes]);
        const char* bytes = in + 2 + size_bytes;
        mp_next(&in);
        const auto whole = [](std::uint64_t number) { return static_cast<std::int64_t>(number); };
        if (type == kNotepack && size == 1) {  // undefined
            json_.Null();
        } else if (type == kNotepack && size == 8) {
            const std::int64_t ms = whole(big_endian(bytes, 8));
            const std::int64_t rest = (ms % 1000 + 1000) % 1000;
            date(ms / 1000 - (ms % 1000 < 0 ? 1 : 0), rest);
        } else if (type == kTimestamp && size == 4) {
            date(whole(big_endian(bytes, 4)), 0);
        } else if (type == kTimestamp && size == 8) {
            const std::uint64_t both = big_endian(bytes, 8);
            date(whole(both & 0x3ffffffff), whole(both >> 34) / 1'000'000);
        } else if (type == kTimestamp && size == 12) {
            date(whole(big_endian(bytes + 4, 8)), whole(big_endian(bytes, 4)) / 1'000'000);
        } else {
            refuse("an unknown extension");
        }
    }

    /// As JSON.stringify has a Date.
    void date(std::int64_t seconds, std::int64_t milliseconds) {
        constexpr std::int64_t kYear10000 = 253'402'300'800, kYear0 = -62'167'219'200;
        if (seconds < kYear0 || seconds >= kYear10000 || milliseconds > 999) {
            json_.Null();
            return;
        }
        const std::time_t time = seconds;
        std::tm parts{};
        gmtime_r(&time, &parts);
        std::array<char, 64> text;
        const int size =
            std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                          parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                          parts.tm_min, parts.tm_sec, static_cast<int>(milliseconds));
        json_.String(text.data(), static_cast<rapidjson::SizeType>(size));
    }

    rapidjson::StringBuffer buffer_;
    rapidjson::Writer<rapidjson::StringBuffer> json_{buffer_};
    std::vector<std::string> attachments_;
};

}  // namespace

void append_packed(std::string& out, const plugin::Values& value) {
    rapidjson::Document json;
    json.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag>(
        value.json.data(), value.json.size());
    if (json.HasParseError()) refuse("malformed JSON");
    put_value(out, json, value.attachments);
}

void append_packed_text(std::string& out, std::string_view text) {
    put(out, [&](char* to) { return mp_encode_strl(to, static_cast<std::uint32_t>(text.size())); });
    out += text;
}

void append_packed_texts(std::string& out, const std::vector<std::string>& texts) {
    append_packed_array(out, texts.size());
    for (const std::string& each : texts) append_packed_text(out, each);
}

void append_packed_bool(std::string& out, bool value) {
    put(out, [=](char* to) { return mp_encode_bool(to, value); });
}

void append_packed_number(std::string& out, unsigned number) {
    put(out, [=](char* to) { return mp_encode_uint(to, number); });
}

void append_packed_array(std::string& out, std::size_t count) {
    put(out, [=](char* to) { return mp_encode_array(to, static_cast<std::uint32_t>(count)); });
}

void append_packed_map(std::string& out, std::size_t count) {
    put(out, [=](char* to) { return mp_encode_map(to, static_cast<std::uint32_t>(count)); });
}

plugin::Values unpack(std::string_view packed) {
    if (!is_well_formed_msgpack(packed)) refuse("not msgpack");
    Unpacker unpacker;
    const char* in = packed.data();
    unpacker.value(in);
    return unpacker.take();
}

}  // namespace moonwire::redis
