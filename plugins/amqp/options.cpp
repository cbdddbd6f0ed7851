#include "plugins/amqp/options.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>
#include <set>
#include <stdexcept>
#include <string_view>

#include "plugins/amqp/fields.hpp"

namespace moonwire::amqp {
namespace {

using rapidjson::Value;

constexpr std::size_t kMaxBindings = 1000, kMaxConsumers = 500;
/// The longest wait that an option may ask for.
constexpr double kMaxSeconds = 86'400;

[[noreturn]] void wrong(const std::string& option, const std::string& what) {
    throw std::runtime_error(option + ": " + what);
}

std::string text_of(const Value& value) { return {value.GetString(), value.GetStringLength()}; }

/// AMQP's names and keys.
std::string short_text(const std::string& option, std::string text) {
    if (text.size() > kMaxShortBytes) wrong(option, "has at most 255 bytes");
    if (text.find('\0') != text.npos) wrong(option, "must not have a byte 0");
    return text;
}

/// Reads the options of a table, each once; what is left at the end is unknown.
class Options {
public:
    explicit Options(const Value& object) : object_(object) {}

    std::string text(const char* name, std::string fallback = {}) {
        const Value* value = find(name);
        if (!value) return fallback;
        if (!value->IsString()) wrong(name, "expected a string");
        return short_text(name, text_of(*value));
    }
    std::int64_t whole(const char* name, std::int64_t fallback, std::int64_t min,
                       std::int64_t max) {
        const Value* value = find(name);
        if (!value) return fallback;
        if (!value->IsInt64() || value->GetInt64() < min || value->GetInt64() > max)
            wrong(name, "expected a whole number from " + std::to_string(min) + " to " +
                            std::to_string(max));
        return value->GetInt64();
    }
    std::chrono::milliseconds seconds(const char* name, std::chrono::milliseconds fallback) {
        const Value* value = find(name);
        if (!value) return fallback;
        const double number = value->IsNumber() ? value->GetDouble() : -1;
        if (!(number >= 0 && number <= kMaxSeconds))
            wrong(name, "expected seconds from 0 to 86400");
        return std::chrono::milliseconds(std::llround(number * 1000));
    }
    bool boolean(const char* name, bool fallback) {
        const Value* value = find(name);
        if (!value) return fallback;
        if (!value->IsBool()) wrong(name, "expected true or false");
        return value->GetBool();
    }
    std::string fields(const char* name, const std::vector<std::string>& attachments) {
        const Value* value = find(name);
        if (!value || (value->IsArray() && value->Empty())) return {};
        rapidjson::StringBuffer buffer;
        rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
        value->Accept(writer);
        try {
            return encode_fields({buffer.GetString(), buffer.GetSize()}, attachments);
        } catch (const std::runtime_error& problem) {
            wrong(name, problem.what());
        }
    }
    const Value* find(const char* name) {
        known_.insert(name);
        const auto found = object_.FindMember(name);
        if (found == object_.MemberEnd() || found->value.IsNull()) return nullptr;
        return &found->value;
    }
    void finish() const {
        for (const auto& member : object_.GetObject())
            if (!known_.contains(text_of(member.name)))
                wrong(text_of(member.name), "is no option here");
    }

private:
    const Value& object_;
    std::set<std::string, std::less<>> known_;
};

/// Lua's `{}` is an array.
const Value& object_of(const Value& value, const char* what) {
    static const Value none(rapidjson::kObjectType);
    if (value.IsArray() && value.Empty()) return none;
    if (!value.IsObject()) wrong(what, "expected a table of options");
    return value;
}

void read_dead_letter(Options& options, ConsumerOptions& consumer) {
    const Value* value = options.find("dead_letter");
    if (!value) return;
    if (value->IsString()) {
        consumer.dead_letter = short_text("dead_letter", text_of(*value));
    } else if (value->IsObject()) {
        Options inner(*value);
        consumer.dead_letter_exchange = inner.text("exchange");
        consumer.dead_letter = inner.text("routing_key");
        inner.finish();
    }
    if (!consumer.dead_letters())
        wrong("dead_letter", "expected a queue's name, or {exchange = …, routing_key = …}");
}

ConsumerOptions consumer_of(const Value& json) {
    Options options(object_of(json, "consume"));
    ConsumerOptions consumer;
    consumer.id = options.text("id");
    consumer.queue = options.text("queue");
    consumer.prefetch =
        static_cast<std::uint16_t>(options.whole("prefetch", consumer.prefetch, 1, 10'000));
    consumer.arguments = options.fields("arguments", {});
    consumer.exchange = options.text("exchange");
    consumer.exchange_type = options.text("exchange_type", consumer.exchange_type);
    if (const Value* bind = options.find("bind")) {
        if (bind->IsString()) consumer.bind.push_back(short_text("bind", text_of(*bind)));
        else if (!bind->IsArray() || bind->Size() > kMaxBindings)
            wrong("bind", "expected a list of at most 1000 keys");
        else
            for (const Value& each : bind->GetArray()) {
                if (!each.IsString()) wrong("bind", "expected a list of strings");
                consumer.bind.push_back(short_text("bind", text_of(each)));
            }
    }
    if (consumer.exchange.empty() && !consumer.bind.empty()) wrong("bind", "needs an exchange");
    if (!consumer.exchange.empty() && consumer.bind.empty()) consumer.bind.push_back("");
    consumer.retries = static_cast<int>(options.whole("retries", consumer.retries, 0, 1000));
    consumer.retry_delay = options.seconds("retry_delay", consumer.retry_delay);
    read_dead_letter(options, consumer);
    if (consumer.queue.size() > kMaxShortBytes - 20) wrong("queue", "has at most 235 bytes");
    options.finish();
    return consumer;
}

rapidjson::Document parse(const std::string& json) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
    if (document.HasParseError()) wrong("options", "are no JSON");
    return document;
}

}  // namespace

ConnectionOptions read_connection(const std::string& json) {
    const rapidjson::Document document = parse(json);
    Options options(object_of(document, "connect"));
    ConnectionOptions connection;
    connection.name = options.text("name");
    if (connection.name.empty()) wrong("name", "expected the connection's name");
    const Value* url = options.find("url");
    if (!url || !url->IsString()) wrong("url", "expected amqp://user:password@host:port/vhost");
    connection.url = text_of(*url);
    try {
        connection.address = parse_address(connection.url);
    } catch (const std::runtime_error& problem) {
        wrong("url", problem.what());
    }
    connection.buffer = static_cast<std::size_t>(
        options.whole("buffer", static_cast<std::int64_t>(connection.buffer), 1, 1'000'000));
    connection.buffer_bytes = static_cast<std::size_t>(options.whole(
        "buffer_bytes", static_cast<std::int64_t>(connection.buffer_bytes), 1, 1LL << 34));
    connection.reconnection_delay =
        options.seconds("reconnection_delay", connection.reconnection_delay);
    connection.reconnection_delay_max =
        options.seconds("reconnection_delay_max", connection.reconnection_delay_max);
    if (const Value* consumers = options.find("consumers"); consumers && consumers->IsArray()) {
        if (consumers->Size() > kMaxConsumers)
            wrong("consume", "a connection has at most 500 consumers");
        for (const Value& each : consumers->GetArray())
            connection.consumers.push_back(consumer_of(each));
    }
    options.finish();
    return connection;
}

ConsumerOptions read_consumer(const std::string& json) { return consumer_of(parse(json)); }

Publication read_publication(const std::string& json, std::vector<std::string> attachments) {
    const rapidjson::Document document = parse(json);
    const auto text = [&](rapidjson::SizeType at, const char* what) {
        if (!document.IsArray() || document.Size() <= at || !document[at].IsString())
            wrong(what, "expected a string");
        return short_text(what, text_of(document[at]));
    };
    Publication publication;
    publication.connection = text(0, "connection");
    Message& message = publication.message;
    message.exchange = text(1, "exchange");
    message.routing_key = text(2, "routing_key");
    const Value none(rapidjson::kObjectType);
    const auto table = [&](rapidjson::SizeType at) -> const Value& {
        return document.Size() > at ? object_of(document[at], "options") : none;
    };
    Options options(table(4)), fallback(table(5));
    message.headers = options.fields("headers", attachments);
    message.content_type = options.text("content_type", fallback.text("content_type"));
    message.content_encoding = options.text("content_encoding");
    message.message_id = options.text("message_id", fallback.text("message_id"));
    message.correlation_id = options.text("correlation_id");
    message.reply_to = options.text("reply_to");
    message.type = options.text("type");
    message.app_id = options.text("app_id");
    if (options.find("expires"))
        message.expiration = std::to_string(options.seconds("expires", {}).count());
    message.priority = static_cast<std::uint8_t>(options.whole("priority", 0, 0, 255));
    message.persistent = options.boolean("persistent", true);
    publication.timeout = options.seconds("timeout", publication.timeout);
    options.finish();
    // Of the attachments the body is the first: it stands before the headers.
    if (attachments.empty()) wrong("body", "expected bytes");
    message.body = std::move(attachments.front());
    return publication;
}

}  // namespace moonwire::amqp
