#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <set>

#include "core/base/json_text.hpp"
#include "core/script/schema_text.hpp"
#include "core/script/types.hpp"
#include "core/script/types_names.hpp"

namespace moonwire::script {
namespace {

using Kind = SchemaNode::Kind;

/// A JSON object that grows.
class Object {
public:
    Object& add(std::string_view name, const std::string& json) {
        if (!text_.empty()) text_ += ',';
        text_ += json_string(name) + ':' + json;
        return *this;
    }
    Object& add_text(std::string_view name, const std::string& text) {
        return text.empty() ? *this : add(name, json_string(text));
    }
    bool empty() const { return text_.empty(); }
    std::string json() const { return '{' + text_ + '}'; }

private:
    std::string text_;
};

std::string list(const std::vector<std::string>& items) {
    std::string text = "[";
    for (const std::string& each : items) text += (text.size() > 1 ? "," : "") + each;
    return text + ']';
}

std::string reference(const std::string& to) {
    return Object().add("$ref", json_string("#/" + to)).json();
}

class AsyncApiWriter {
public:
    explicit AsyncApiWriter(const std::vector<NamespaceContract>& namespaces)
        : named_(namespaces, schema_names_) {}

    std::string write(const std::vector<NamespaceContract>& namespaces) {
        std::set<std::string> apps;
        for (const NamespaceContract& nsp : namespaces) {
            apps.insert(nsp.app);
            add_namespace(nsp);
        }
        Object schemas;
        for (const NamedSchemas::Entry& entry : named_.entries())
            schemas.add(entry.type, schema(*entry.schema, true));
        schemas.add(failure_, kFailure);
        std::string title;
        for (const std::string& app : apps) title += (title.empty() ? "" : ", ") + app;
        Object info;
        info.add_text("title", title.empty() ? "nothing" : title);
        info.add_text("version", "1.0.0").add_text("description", kDescription);
        return Object()
            .add_text("asyncapi", "3.0.0")
            .add("info", info.json())
            .add_text("defaultContentType", "application/json")
            .add("channels", channels_.json())
            .add("operations", operations_.json())
            .add("components",
                 Object().add("messages", messages_.json()).add("schemas", schemas.json()).json())
            .json();
    }

private:
    static constexpr const char* kDescription =
        "Written by `moonwire types`. A channel is a Socket.IO namespace, a message an event: its "
        "payload is the event's value, or an array of them if it has none or several. `receive` is "
        "what the broker handles, `send` what it emits; a reply is the acknowledgement.";
    static constexpr const char* kFailure =
        R"({"type":"object","description":"What an acknowledgement gets when the broker's handler )"
        R"(refuses.","required":["error"],"properties":{"error":{"type":"object","required":)"
        R"(["message"],"properties":{"code":{"type":"string"},"message":{"type":"string"},)"
        R"("data":{}}}}})";

    void add_namespace(const NamespaceContract& nsp) {
        const std::string id = ids_.take(namespace_type(nsp.name));
        Object messages;
        UniqueNames names{};
        for (const EventContract& event : nsp.in) add_event(event, true, id, names, messages);
        for (const EventContract& event : nsp.out) add_event(event, false, id, names, messages);
        Object channel, parameters;
        std::string address;
        for (std::size_t at = 0; at < nsp.name.size();) {  // "/tenant/:name" is "/tenant/{name}"
            const std::size_t end = std::min(nsp.name.find('/', at + 1), nsp.name.size());
            std::string part = nsp.name.substr(at, end - at);
            if (part.starts_with("/:")) {
                parameters.add(part.substr(2), "{}");
                part = "/{" + part.substr(2) + "}";
            }
            address += part;
            at = end;
        }
        channel.add_text("address", address).add("messages", messages.json());
        if (!parameters.empty()) channel.add("parameters", parameters.json());
        channels_.add(id, channel.json());
    }

    void add_event(const EventContract& event, bool inbound, const std::string& channel,
                   UniqueNames& names, Object& messages) {
        const Signature& signature = event.signature;
        const std::string action = inbound ? "receive" : "send";
        const std::string id = names.take(action + "_" + snake_case(event.name));
        const auto add_message = [&](const std::string& key, const std::string& payload) {
            Object message;
            message.add_text("name", event.name).add_text("summary", signature.description);
            if (!payload.empty()) message.add("payload", payload);
            messages_.add(channel + '.' + key, message.json());
            messages.add(key, reference("components/messages/" + channel + '.' + key));
            return list({reference("channels/" + channel + "/messages/" + key)});
        };
        Object operation;
        operation.add_text("action", action).add("channel", reference("channels/" + channel));
        operation.add_text("summary", signature.description);
        operation.add("messages", add_message(id, signature.declared ? payload(signature) : ""));
        if (signature.returns) {
            std::string answer = schema(*signature.returns);
            if (inbound)
                answer =
                    Object()
                        .add("anyOf", list({answer, reference("components/schemas/" + failure_)}))
                        .json();
            Object reply;
            reply.add("channel", reference("channels/" + channel));
            reply.add("messages", add_message(names.take("reply_" + id), answer));
            operation.add("reply", reply.json());
        }
        operations_.add(channel + '.' + id, operation.json());
    }

    std::string payload(const Signature& signature) {
        if (signature.arguments.size() == 1) return schema(*signature.arguments[0]);
        std::vector<std::string> items;
        std::size_t required = 0;
        for (const auto& argument : signature.arguments) {
            items.push_back(schema(*argument));
            if (!is_optional(*argument)) required = items.size();
        }
        Object array;
        array.add_text("type", "array").add("minItems", std::to_string(required));
        if (items.empty()) return array.add("maxItems", "0").json();
        return array.add("items", list(items)).add("additionalItems", "false").json();
    }

    /// As JSON Schema. A reference has no room beside it, so what is said of it goes around it.
    std::string schema(const SchemaNode& node, bool declared_here = false) {
        if (!node.name.empty() && !declared_here)
            return reference("components/schemas/" + named_.type_of(node));
        Object object;
        switch (node.kind) {
            case Kind::any: break;
            case Kind::boolean: object.add_text("type", "boolean"); break;
            case Kind::number:
            case Kind::integer:
                object.add_text("type", node.kind == Kind::number ? "number" : "integer");
                bounds(object, node, "minimum", "maximum");
                break;
            case Kind::string:
                object.add_text("type", "string");
                bounds(object, node, "minLength", "maxLength");
                object.add_text("format", std::string(schema_format_name(node.format)));
                object.add_text("x-lua-pattern", node.pattern);
                break;
            case Kind::binary:
                object.add_text("type", "string").add_text("format", "binary");
                bounds(object, node, "x-min-bytes", "x-max-bytes");
                break;
            case Kind::enumeration: object.add("enum", constants(node)); break;
            case Kind::array:
                object.add_text("type", "array").add("items", schema(*node.children[0]));
                bounds(object, node, "minItems", "maxItems");
                break;
            case Kind::map:
                object.add_text("type", "object");
                object.add("additionalProperties", schema(*node.children[0]));
                break;
            case Kind::object: fields(object, node); break;
            case Kind::one_of: {
                std::vector<std::string> alternatives;
                for (const auto& child : node.children) alternatives.push_back(schema(*child));
                object.add("anyOf", list(alternatives));
                break;
            }
            case Kind::nullable:
                object.add("anyOf", list({schema(*node.children[0]), R"({"type":"null"})"}));
                break;
            case Kind::optional:
                if (node.description.empty()) return schema(*node.children[0]);
                [[fallthrough]];
            case Kind::with_default:
                object.add("allOf", list({schema(*node.children[0])}));
                if (!node.default_json.empty()) object.add("default", node.default_json);
                break;
        }
        object.add_text("description", node.description);
        return object.json();
    }

    static void bounds(Object& object, const SchemaNode& node, const char* min, const char* max) {
        if (node.min) object.add(min, number_text(*node.min));
        if (node.max) object.add(max, number_text(*node.max));
    }

    static std::string constants(const SchemaNode& node) {
        std::vector<std::string> all;
        for (const SchemaNode::Constant& constant : node.constants) {
            const auto* text = std::get_if<std::string>(&constant);
            all.push_back(text ? json_string(*text) : constant_text(constant));
        }
        return list(all);
    }

    void fields(Object& object, const SchemaNode& node) {
        Object properties;
        std::vector<std::string> required;
        for (const SchemaNode::Field& field : node.fields) {
            properties.add(field.name, schema(*field.schema));
            if (!is_optional(*field.schema)) required.push_back(json_string(field.name));
        }
        object.add_text("type", "object").add("properties", properties.json());
        if (!required.empty()) object.add("required", list(required));
        if (!node.additional) object.add("additionalProperties", "false");
    }

    UniqueNames ids_{}, schema_names_{};
    const std::string failure_ = schema_names_.take("Failure");
    NamedSchemas named_;
    Object channels_, operations_, messages_;
};

/// Block style, with every text quoted as JSON has it, which YAML reads the same.
void append_yaml(std::string& out, const rapidjson::Value& value, const std::string& indent) {
    const auto nested = [&](const rapidjson::Value& each) {
        const bool block =
            (each.IsObject() && !each.ObjectEmpty()) || (each.IsArray() && !each.Empty());
        if (block) out += '\n';
        else out += ' ';
        append_yaml(out, each, block ? indent + "  " : indent);
    };
    if (value.IsObject() && !value.ObjectEmpty()) {
        for (const auto& member : value.GetObject()) {
            out += indent +
                   json_string({member.name.GetString(), member.name.GetStringLength()}) + ':';
            nested(member.value);
        }
    } else if (value.IsArray() && !value.Empty()) {
        for (const auto& each : value.GetArray()) {
            out += indent + '-';
            nested(each);
        }
    } else {
        rapidjson::StringBuffer text;
        rapidjson::Writer<rapidjson::StringBuffer> writer(text);
        value.Accept(writer);
        out.append(text.GetString(), text.GetSize()) += '\n';
    }
}

rapidjson::Document document_of(const std::vector<NamespaceContract>& namespaces) {
    rapidjson::Document document;
    document.Parse(AsyncApiWriter(namespaces).write(namespaces).c_str());
    return document;
}

}  // namespace

std::string write_asyncapi_json(const std::vector<NamespaceContract>& namespaces) {
    rapidjson::StringBuffer text;
    rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(text);
    writer.SetIndent(' ', 2);
    document_of(namespaces).Accept(writer);
    return std::string(text.GetString(), text.GetSize()) + '\n';
}

std::string write_asyncapi_yaml(const std::vector<NamespaceContract>& namespaces) {
    std::string text;
    append_yaml(text, document_of(namespaces), "");
    return text;
}

}  // namespace moonwire::script
