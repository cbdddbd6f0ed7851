#include "plugins/upstream/options.hpp"

#include <rapidjson/document.h>

#include "plugins/upstream/array_text.hpp"

namespace moonwire::upstream {
namespace {

using Object = rapidjson::Document;

std::string text(const Object& object, const char* key) {
    const auto found = object.FindMember(key);
    return found != object.MemberEnd() && found->value.IsString() ? found->value.GetString() : "";
}
double number(const Object& object, const char* key) {
    const auto found = object.FindMember(key);
    return found != object.MemberEnd() && found->value.IsNumber() ? found->value.GetDouble() : 0;
}
bool flag(const Object& object, const char* key) {
    const auto found = object.FindMember(key);
    return found != object.MemberEnd() && found->value.IsTrue();
}
std::chrono::milliseconds seconds(const Object& object, const char* key) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(number(object, key) * 1000));
}

plugin::ClientOptions read_options(const Object& object) {
    plugin::ClientOptions options;
    options.url = text(object, "url");
    options.path = text(object, "path");
    options.nsp = text(object, "namespace");
    options.auth_json = text(object, "auth");
    if (const auto headers = object.FindMember("headers");
        headers != object.MemberEnd() && headers->value.IsObject())
        for (const auto& each : headers->value.GetObject())
            if (each.value.IsString())
                options.headers.emplace_back(each.name.GetString(), each.value.GetString());
    if (const auto transports = object.FindMember("transports");
        transports != object.MemberEnd() && transports->value.IsArray()) {
        options.websocket = options.polling = false;
        for (const auto& each : transports->value.GetArray()) {
            const std::string name = each.IsString() ? each.GetString() : "";
            options.websocket |= name == "websocket";
            options.polling |= name == "polling";
        }
    }
    options.insecure = flag(object, "insecure");
    options.timeout = seconds(object, "timeout");
    const auto attempts = static_cast<unsigned>(number(object, "reconnection_attempts"));
    options.attempts = attempts == 0 ? std::nullopt : std::optional(attempts);
    options.delay = seconds(object, "reconnection_delay");
    options.delay_max = seconds(object, "reconnection_delay_max");
    options.queue_events = static_cast<std::size_t>(number(object, "queue"));
    options.queue_bytes = static_cast<std::size_t>(number(object, "queue_bytes"));
    options.drop_oldest = flag(object, "drop_oldest");
    return options;
}

}  // namespace

std::vector<Wanted> read_wanted(const std::string& json) {
    std::vector<Wanted> all;
    for (std::string list = json; list.size() > 2;) {
        std::string pair = take_first(list);
        Wanted wanted;
        wanted.name = take_text(pair);
        wanted.text = take_first(pair);
        rapidjson::Document options;
        options.Parse(wanted.text.c_str());
        if (options.HasParseError() || !options.IsObject()) continue;
        wanted.options = read_options(options);
        all.push_back(std::move(wanted));
    }
    return all;
}

bool same_options(const Wanted& one, const Wanted& other) {
    const auto same = [](const std::string& a, const std::string& b, bool without_auth) {
        rapidjson::Document first, second;
        first.Parse(a.c_str());
        second.Parse(b.c_str());
        if (without_auth) {
            first.RemoveMember("auth");
            second.RemoveMember("auth");
        }
        return first == second;
    };
    return same(one.text, other.text, true) &&
           (one.options.auth_json == other.options.auth_json ||
            same(one.options.auth_json, other.options.auth_json, false));
}

}  // namespace moonwire::upstream
