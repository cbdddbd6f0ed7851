#include "plugins/amqp/script_values.hpp"

#include <rapidjson/memorystream.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string_view>

#include "plugins/amqp/fields.hpp"
#include "plugins/amqp/retry.hpp"

namespace moonwire::amqp {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void write_text(Writer& writer, std::string_view text) {
    rapidjson::MemoryStream in(text.data(), text.size());
    rapidjson::StringBuffer out;
    while (in.Tell() < text.size()) {
        unsigned character = 0;
        if (!rapidjson::UTF8<>::Decode(in, &character)) character = 0xFFFD;
        rapidjson::UTF8<>::Encode(out, character);
    }
    writer.String(out.GetString(), static_cast<rapidjson::SizeType>(out.GetSize()));
}

void write_text(Writer& writer, const char* name, std::string_view text) {
    if (text.empty()) return;
    writer.Key(name);
    write_text(writer, text);
}

}  // namespace

plugin::Values delivery_values(const Message& message, bool redelivered) {
    rapidjson::StringBuffer buffer;
    Writer writer(buffer);
    FieldsJson headers = decode_fields(message.headers, 1);
    writer.StartArray();
    writer.StartObject();
    writer.Key("body");
    constexpr std::string_view kBody = R"({"_placeholder":true,"num":0})";
    writer.RawValue(kBody.data(), kBody.size(), rapidjson::kObjectType);
    writer.Key("headers");
    writer.RawValue(headers.json.data(), headers.json.size(), rapidjson::kObjectType);
    writer.Key("redelivered");
    writer.Bool(redelivered);
    writer.Key("retries");
    writer.Int(retries_of(message));
    writer.Key("persistent");
    writer.Bool(message.persistent);
    writer.Key("exchange");
    write_text(writer, message.exchange);
    writer.Key("routing_key");
    write_text(writer, message.routing_key);
    write_text(writer, "message_id", message.message_id);
    write_text(writer, "correlation_id", message.correlation_id);
    write_text(writer, "reply_to", message.reply_to);
    write_text(writer, "content_type", message.content_type);
    write_text(writer, "content_encoding", message.content_encoding);
    write_text(writer, "type", message.type);
    write_text(writer, "app_id", message.app_id);
    if (message.timestamp) {
        writer.Key("timestamp");
        writer.Uint64(message.timestamp);
    }
    if (message.priority) {
        writer.Key("priority");
        writer.Uint(message.priority);
    }
    writer.EndObject();
    writer.EndArray();
    plugin::Values values{{buffer.GetString(), buffer.GetSize()}, {message.body}};
    for (std::string& each : headers.attachments) values.attachments.push_back(std::move(each));
    return values;
}

plugin::Values status_values(const std::string& state, const std::string& detail) {
    rapidjson::StringBuffer buffer;
    Writer writer(buffer);
    writer.StartArray();
    write_text(writer, state);
    if (!detail.empty()) write_text(writer, detail);
    writer.EndArray();
    return {{buffer.GetString(), buffer.GetSize()}, {}};
}

}  // namespace moonwire::amqp
