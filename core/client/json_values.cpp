#include "core/client/json_values.hpp"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/base/json_text.hpp"
#include "core/engineio/payload.hpp"

namespace moonwire::client {
namespace {

/// Writes what it reads, in compact form, and lets a derived class put something else in an
/// object's place once all of it is known.
template <typename Derived>
class Rewriter : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Rewriter<Derived>> {
public:
    std::string out;
    std::string error;  // why the reading was stopped from here

    bool Null() { return scalar("null"); }
    bool Bool(bool value) {
        if (Object* object = current(); object && value && object->key == "_placeholder")
            object->placeholder = true;
        return scalar(value ? "true" : "false");
    }
    bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
        const std::string_view number(text, size);
        if (Object* object = current(); object && object->key == "num") object->number = number;
        return scalar(number);
    }
    bool String(const char* text, rapidjson::SizeType size, bool) {
        if (Object* object = current(); object && object->key == "_bytes")
            object->bytes.emplace(text, size);
        separate();
        append_json_string(out, {text, size});
        return true;
    }
    bool Key(const char* text, rapidjson::SizeType size, bool) {
        Object& object = *levels_.back().object;
        object.key.assign(text, size);
        if (levels_.back().count++ > 0) out += ',';
        append_json_string(out, object.key);
        out += ':';
        return true;
    }
    bool StartObject() { return open('{'); }
    bool EndObject(rapidjson::SizeType) {
        out += '}';
        const Level level = std::move(levels_.back());
        levels_.pop_back();
        std::optional<std::string> instead;
        if (!static_cast<Derived*>(this)->replace(*level.object, level.count, instead)) return false;
        if (instead) out.replace(level.start, std::string::npos, *instead);
        return true;
    }
    bool StartArray() { return open('['); }
    bool EndArray(rapidjson::SizeType) {
        out += ']';
        levels_.pop_back();
        return true;
    }

protected:
    /// What of an object may make it one that stands for bytes.
    struct Object {
        std::string key;  // of the member that is being read
        std::optional<std::string> bytes;
        bool placeholder = false;
        std::string number;
    };

private:
    struct Level {
        std::size_t start;               // where it begins in the output
        std::size_t count = 0;           // members or elements so far
        std::optional<Object> object{};  // none: an array
    };

    Object* current() {
        return levels_.empty() || !levels_.back().object ? nullptr : &*levels_.back().object;
    }
    void separate() {
        if (!levels_.empty() && !levels_.back().object && levels_.back().count++ > 0) out += ',';
    }
    bool scalar(std::string_view text) {
        separate();
        out += text;
        return true;
    }
    bool open(char bracket) {
        if (levels_.size() >= kMaxDepth) {
            error = "nested deeper than " + std::to_string(kMaxDepth);
            return false;
        }
        separate();
        Level level{out.size()};
        if (bracket == '{') level.object.emplace();
        levels_.push_back(std::move(level));
        out += bracket;
        return true;
    }

    std::vector<Level> levels_;
};

struct ToWire : Rewriter<ToWire> {
    std::vector<std::string>& attachments;
    explicit ToWire(std::vector<std::string>& attachments) : attachments(attachments) {}

    bool replace(const Object& object, std::size_t members, std::optional<std::string>& instead) {
        if (members != 1 || !object.bytes) return true;
        auto bytes = engineio::decode_base64(*object.bytes);
        if (!bytes) {
            error = "_bytes is not base64";
            return false;
        }
        instead = "{\"_placeholder\":true,\"num\":" + std::to_string(attachments.size()) + "}";
        attachments.push_back(*std::move(bytes));
        return true;
    }
};

struct FromWire : Rewriter<FromWire> {
    const std::span<const std::string> attachments;
    const bool readable;
    FromWire(std::span<const std::string> attachments, bool readable)
        : attachments(attachments), readable(readable) {}

    bool replace(const Object& object, std::size_t, std::optional<std::string>& instead) {
        if (!object.placeholder || attachments.empty()) return true;
        std::size_t index = attachments.size();
        const char* end = object.number.data() + object.number.size();
        const auto [read, failed] = std::from_chars(object.number.data(), end, index);
        if (failed != std::errc() || read != end || index >= attachments.size()) {
            error = "a placeholder for an attachment that there is not";
            return false;
        }
        if (!readable) return true;
        instead = "{\"_bytes\":\"";
        engineio::append_base64(*instead, attachments[index]);
        *instead += "\"}";
        return true;
    }
};

/// "column 3", or "line 2, column 3" if there are lines; both from 1, columns in bytes.
std::string position(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, offset);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
    std::string where = "column " + std::to_string(offset - begin + 1);
    if (text.find('\n') < text.size() - 1)
        where = "line " + std::to_string(line) + ", " + where;
    return where;
}

template <unsigned flags, typename Handler>
Result<std::string> rewrite(std::string_view json, Handler handler) {
    constexpr unsigned kFlags =
        rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag | flags;
    rapidjson::Reader reader;
    rapidjson::MemoryStream stream(json.data(), json.size());
    const auto done = reader.Parse<kFlags>(stream, handler);
    if (!done.IsError()) return std::move(handler.out);
    std::string what = handler.error;
    if (what.empty()) what = rapidjson::GetParseError_En(done.Code());
    if (what.ends_with('.')) what.pop_back();
    return Error{position(json, std::min(done.Offset(), json.size())) + ": " + what};
}

}  // namespace

Result<std::string> to_wire(std::string_view json, std::vector<std::string>& attachments) {
    return rewrite<rapidjson::kParseValidateEncodingFlag>(json, ToWire(attachments));
}

Result<std::string> from_wire(std::string_view json, std::span<const std::string> attachments) {
    return rewrite<0>(json, FromWire(attachments, true));
}

Result<std::string> check_wire(std::string_view json, std::span<const std::string> attachments) {
    return rewrite<0>(json, FromWire(attachments, false));
}

std::string without_first(std::string_view array) {
    // The first is a name: a string or a number.
    std::size_t at = 1;
    if (array.substr(at).starts_with('"')) {
        for (++at; at < array.size() && array[at] != '"'; ++at)
            if (array[at] == '\\') ++at;
        ++at;
    } else {
        at = array.find_first_of(",]", at);
    }
    if (at < array.size() && array[at] == ',') ++at;
    return "[" + std::string(array.substr(std::min(at, array.size())));
}

}  // namespace moonwire::client
