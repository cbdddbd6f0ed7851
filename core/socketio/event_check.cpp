#include "core/socketio/event_check.hpp"

#include <rapidjson/reader.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace moonwire::socketio {
namespace {

constexpr std::size_t kMaxDepth = 64;  // as deep as scripts can make it

/// Refuses what is too deep, and placeholders of attachments that are not there.
struct Checker : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Checker> {
    explicit Checker(std::size_t attachments) : attachments(attachments) {}

    /// What an object is, as clients' parsers tell it: "_placeholder" is true.
    struct Level {
        bool placeholder = false;
        std::optional<std::uint64_t> number;
    };
    enum class Member : std::uint8_t { other, placeholder, number };

    const std::size_t attachments;
    std::vector<Level> open;
    Member key = Member::other;
    const char* wrong = nullptr;

    bool refuse(const char* why) {
        wrong = why;
        return false;
    }
    bool Default() {
        key = Member::other;
        return true;
    }
    bool Bool(bool value) {
        if (key == Member::placeholder && value) open.back().placeholder = true;
        return Default();
    }
    bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
        std::uint64_t number = 0;
        if (key == Member::number && std::from_chars(text, text + size, number).ptr == text + size)
            open.back().number = number;
        return Default();
    }
    bool String(const char*, rapidjson::SizeType, bool) { return Default(); }
    bool Key(const char* text, rapidjson::SizeType size, bool) {
        const std::string_view name(text, size);
        key = name == "_placeholder" ? Member::placeholder
              : name == "num"        ? Member::number
                                     : Member::other;
        return true;
    }
    bool StartObject() {
        open.emplace_back();
        key = Member::other;
        return open.size() <= kMaxDepth || refuse("nested too deep");
    }
    bool EndObject(rapidjson::SizeType) {
        const Level level = open.back();
        open.pop_back();
        return !level.placeholder || (level.number && *level.number < attachments) ||
               refuse("an attachment is missing");
    }
    bool StartArray() { return StartObject(); }
    bool EndArray(rapidjson::SizeType) {
        open.pop_back();
        return true;
    }
};

}  // namespace

Result<std::string> check_event(Payload payload) {
    auto name = event_name(payload.json);
    if (!name) return name;
    Checker checker(payload.attachments.size());
    rapidjson::Reader reader;
    rapidjson::MemoryStream stream(payload.json.data(), payload.json.size());
    const auto parsed =
        reader.Parse<rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag |
                     rapidjson::kParseValidateEncodingFlag>(stream, checker);
    if (checker.wrong) return Error{checker.wrong};
    if (parsed.IsError()) return Error{"malformed JSON"};
    return name;
}

}  // namespace moonwire::socketio
