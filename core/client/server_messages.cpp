#include "core/client/server_messages.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>

#include "core/client/json_values.hpp"

namespace moonwire::client {
namespace {

constexpr std::size_t kShownBytes = 300;  // of an answer that is not in the protocol's form

rapidjson::Document parse(std::string_view json) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
    return document;
}

/// Null if the value is no object or has no such member.
const rapidjson::Value* find(const rapidjson::Value& value, const char* name) {
    if (!value.IsObject()) return nullptr;
    const auto member = value.FindMember(name);
    return member == value.MemberEnd() ? nullptr : &member->value;
}

std::string text(const rapidjson::Value* value) {
    return value && value->IsString() ? std::string(value->GetString(), value->GetStringLength())
                                      : std::string();
}

std::uint64_t number(const rapidjson::Value* value) {
    return value && value->IsUint64() ? value->GetUint64() : 0;
}

/// On one line, without what a terminal might obey.
std::string one_line(std::string_view text) {
    std::string line(text.substr(0, kShownBytes));
    std::replace_if(
        line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    while (line.ends_with(' ')) line.pop_back();
    return line;
}

}  // namespace

Result<Opening> parse_opening(std::string_view json) {
    const rapidjson::Document document = parse(json);
    Opening opening;
    opening.session_id = text(find(document, "sid"));
    opening.ping_interval = std::chrono::milliseconds(number(find(document, "pingInterval")));
    opening.ping_timeout = std::chrono::milliseconds(number(find(document, "pingTimeout")));
    opening.max_payload_bytes = number(find(document, "maxPayload"));
    constexpr std::chrono::hours kSane{24 * 365};
    if (opening.session_id.empty() || opening.ping_interval.count() <= 0 ||
        opening.ping_interval > kSane || opening.ping_timeout > kSane)
        return Error{"this is not a Socket.IO server: its handshake says " + one_line(json)};
    return opening;
}

std::string parse_socket_id(std::string_view json) { return text(find(parse(json), "sid")); }

Refused parse_refused(std::string_view json) {
    // Bounds the depth, for the writer below goes down by recursion.
    const Result<std::string> checked = from_wire(json, {});
    const rapidjson::Document document = parse(checked ? *checked : "null");
    Refused refused;
    refused.message = text(find(document, "message"));
    if (document.IsString()) refused.message = text(&document);
    if (const rapidjson::Value* data = find(document, "data")) {
        rapidjson::StringBuffer buffer;
        rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
        data->Accept(writer);
        refused.data.assign(buffer.GetString(), buffer.GetSize());
    }
    if (refused.message.empty()) refused.message = "no reason given";
    return refused;
}

bool is_failure(std::string_view acknowledgement) {
    const rapidjson::Document values = parse(acknowledgement);
    if (!values.IsArray() || values.Size() != 1) return false;
    const rapidjson::Value* error = find(values[0], "error");
    return error && values[0].MemberCount() == 1 && !text(find(*error, "code")).empty() &&
           find(*error, "message");
}

std::string describe_refusal(unsigned status, std::string_view body) {
    std::string said = text(find(parse(body), "message"));
    if (said.empty()) said = body;
    said = one_line(said);
    return "HTTP " + std::to_string(status) + (said.empty() ? "" : ": " + said);
}

}  // namespace moonwire::client
