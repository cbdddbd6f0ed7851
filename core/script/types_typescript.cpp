#include <algorithm>

#include "core/base/json_text.hpp"
#include "core/script/schema_text.hpp"
#include "core/script/types.hpp"
#include "core/script/types_names.hpp"

namespace moonwire::script {
namespace {

using Kind = SchemaNode::Kind;

constexpr std::string_view kHead = R"(// Written by `moonwire types`; do not edit.
import type { Socket } from "socket.io-client";

/** What an acknowledgement gets when the broker's handler refuses: its fail(code, message, data). */
export interface Failure {
  error: { code?: string; message: string; data?: unknown };
}

/** Binary: a Buffer in Node, an ArrayBuffer in a browser. */
export type Binary = ArrayBuffer | ArrayBufferView;
)";

class TypeScriptWriter {
public:
    explicit TypeScriptWriter(const std::vector<NamespaceContract>& namespaces)
        : names_{"Socket", "Failure", "Binary", "ArrayBuffer", "ArrayBufferView",
                 "ServerToClientEvents", "ClientToServerEvents", "ClientSocket"},
          named_(namespaces, names_) {}

    std::string write(const std::vector<NamespaceContract>& namespaces) {
        out_ = kHead;
        for (const NamedSchemas::Entry& entry : named_.entries()) declare(entry);
        for (const NamespaceContract& nsp : namespaces) add_namespace(nsp);
        return std::move(out_);
    }

private:
    void comment(std::string text, const std::string& indent) {
        if (text.empty()) return;
        for (std::size_t at = 0; (at = text.find("*/", at)) != std::string::npos; ++at)
            text.insert(at + 1, " ");
        out_ += indent + "/** " + text + " */\n";
    }

    void declare(const NamedSchemas::Entry& entry) {
        out_ += '\n';
        comment(documentation_of(*entry.schema, true), "");
        if (entry.schema->kind == Kind::object) {
            out_ += "export interface " + entry.type + ' ';
            add_fields(*entry.schema, "");
            out_ += '\n';
        } else {
            out_ += "export type " + entry.type + " = ";
            add_unnamed(*entry.schema, "");
            out_ += ";\n";
        }
    }

    void add_namespace(const NamespaceContract& nsp) {
        out_ += '\n';
        comment("The namespace " + json_string(nsp.name) + " of the app " + nsp.app + ".", "");
        out_ += "export namespace " + names_.take(namespace_type(nsp.name)) + " {\n";
        out_ += "  /** What the broker sends. */\n  export interface ServerToClientEvents {\n";
        const bool has_error = std::any_of(nsp.out.begin(), nsp.out.end(),
                                           [](const auto& event) { return event.name == "error"; });
        if (!has_error) {
            out_ += "    /** A handler refused an event that asked for no acknowledgement. */\n"
                    "    error: (failure: Failure[\"error\"]) => void;\n";
        }
        for (const EventContract& event : nsp.out) add_event(event, false);
        out_ += "  }\n\n  /** What the broker handles. */\n"
                "  export interface ClientToServerEvents {\n";
        for (const EventContract& event : nsp.in) add_event(event, true);
        out_ += "  }\n\n"
                "  export type ClientSocket = Socket<ServerToClientEvents, ClientToServerEvents>;\n"
                "}\n";
    }

    void add_event(const EventContract& event, bool inbound) {
        const Signature& signature = event.signature;
        const std::string indent = "    ";
        comment(signature.description, indent);
        out_ += indent + key(event.name) + ": (";
        if (!signature.declared) {
            out_ += "...args: any[]) => void;\n";
            return;
        }
        const std::size_t count = signature.arguments.size();
        // Only what nothing required follows may have a question mark.
        std::size_t trailing = signature.returns ? count : 0;
        for (std::size_t i = 0; i < count && !signature.returns; ++i)
            if (!is_optional(*signature.arguments[i])) trailing = i + 1;
        for (std::size_t i = 0; i < count; ++i) {
            const SchemaNode& argument = *signature.arguments[i];
            if (i > 0) out_ += ", ";
            out_ += argument_name(argument, i, count);
            if (i >= trailing) out_ += '?';
            out_ += ": ";
            if (i >= trailing) add_type(required_part(argument), indent);
            else add_type(argument, indent);
        }
        if (signature.returns) {
            out_ += count > 0 ? ", ack: (result: " : "ack: (result: ";
            add_type(*signature.returns, indent);
            out_ += inbound ? " | Failure) => void" : ") => void";
        }
        out_ += ") => void;\n";
    }

    static std::string argument_name(const SchemaNode& argument, std::size_t index,
                                     std::size_t count) {
        return count == 1 ? "data" : "arg" + std::to_string(index + 1);
    }

    /// A property's name: quoted where it is no identifier.
    static std::string key(const std::string& name) {
        const auto plain = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        };
        const bool is_plain = !name.empty() && std::all_of(name.begin(), name.end(), plain);
        return is_plain ? name : json_string(name);
    }

    void add_fields(const SchemaNode& object, const std::string& indent) {
        if (object.fields.empty()) {
            out_ += object.additional ? "{ [key: string]: unknown }" : "{ [key: string]: never }";
            return;
        }
        out_ += "{\n";
        const std::string inner = indent + "  ";
        for (const SchemaNode::Field& field : object.fields) {
            comment(documentation_of(*field.schema), inner);
            out_ += inner + key(field.name) + (is_optional(*field.schema) ? "?: " : ": ");
            add_type(required_part(*field.schema), inner);
            out_ += ";\n";
        }
        out_ += indent + "}";
    }

    void add_type(const SchemaNode& node, const std::string& indent) {
        if (node.name.empty()) add_unnamed(node, indent);
        else out_ += named_.type_of(node);
    }

    /// In brackets where an operator follows or comes before.
    void add_operand(const SchemaNode& node, const std::string& indent) {
        const bool is_union = node.name.empty() &&
                              (node.kind == Kind::one_of || node.kind == Kind::nullable ||
                               node.kind == Kind::enumeration || is_optional(node));
        if (is_union) out_ += '(';
        add_type(node, indent);
        if (is_union) out_ += ')';
    }

    template <typename List, typename Add>
    void add_union(const List& list, Add add) {
        std::vector<std::string> texts;  // of what differs in its bounds only, one is enough
        const std::size_t start = out_.size();
        for (const auto& each : list) {
            add(each);
            std::string text = out_.substr(start);
            out_.resize(start);
            if (std::find(texts.begin(), texts.end(), text) == texts.end())
                texts.push_back(std::move(text));
        }
        for (const std::string& text : texts) {
            if (&text != &texts.front()) out_ += " | ";
            out_ += text;
        }
    }

    void add_unnamed(const SchemaNode& node, const std::string& indent) {
        const auto child = [&]() -> const SchemaNode& { return *node.children[0]; };
        switch (node.kind) {
            case Kind::any: out_ += "unknown"; break;
            case Kind::boolean: out_ += "boolean"; break;
            case Kind::number:
            case Kind::integer: out_ += "number"; break;
            case Kind::string: out_ += "string"; break;
            case Kind::binary: out_ += "Binary"; break;
            case Kind::enumeration:
                add_union(node.constants, [&](const auto& each) { out_ += literal(each); });
                break;
            case Kind::array:
                add_operand(child(), indent);
                out_ += "[]";
                break;
            case Kind::map:
                out_ += "{ [key: string]: ";
                add_type(child(), indent);
                out_ += " }";
                break;
            case Kind::object: add_fields(node, indent); break;
            case Kind::one_of:
                add_union(node.children, [&](const auto& each) { add_operand(*each, indent); });
                break;
            case Kind::nullable:
                add_operand(child(), indent);
                out_ += " | null";
                break;
            case Kind::optional:
            case Kind::with_default:
                add_operand(child(), indent);
                out_ += " | undefined";
                break;
        }
    }

    static std::string literal(const SchemaNode::Constant& constant) {
        const auto* text = std::get_if<std::string>(&constant);
        return text ? json_string(*text) : constant_text(constant);
    }

    UniqueNames names_;
    NamedSchemas named_;
    std::string out_;
};

}  // namespace

std::string write_typescript(const std::vector<NamespaceContract>& namespaces) {
    return TypeScriptWriter(namespaces).write(namespaces);
}

}  // namespace moonwire::script
