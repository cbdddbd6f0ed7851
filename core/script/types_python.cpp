#include <algorithm>
#include <cmath>

#include "core/base/json_text.hpp"
#include "core/script/schema_text.hpp"
#include "core/script/types.hpp"
#include "core/script/types_names.hpp"
#include "core/script/types_python_head.hpp"

namespace moonwire::script {
namespace {

using Kind = SchemaNode::Kind;

constexpr std::string_view kKeywords[] = {
    "False", "None",   "True",  "and",    "as",   "assert", "async",  "await",    "break",
    "class", "continue", "def", "del",    "elif", "else",   "except", "finally",  "for",
    "from",  "global", "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
    "or",    "pass",   "raise", "return", "try",  "while",  "with",   "yield"};

bool is_identifier(const std::string& name) {
    const auto is_letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    // What begins with two underscores is renamed in a class.
    if (name.empty() || !is_letter(name[0]) || name.starts_with("__")) return false;
    for (const char c : name)
        if (!is_letter(c) && !(c >= '0' && c <= '9')) return false;
    return std::find(std::begin(kKeywords), std::end(kKeywords), name) == std::end(kKeywords);
}

const SchemaNode* field_of(const SchemaNode& object, std::string_view name) {
    for (const SchemaNode::Field& field : object.fields)
        if (field.name == name) return &required_part(*field.schema);
    return nullptr;
}

/// The event's one argument, if that is a message around the data proper: {id, type, timestamp,
/// source, data}, where the type is the event. Then methods take the data, and make the rest.
const SchemaNode* envelope_of(const EventContract& event) {
    if (event.signature.arguments.size() != 1) return nullptr;
    const SchemaNode& message = required_part(*event.signature.arguments[0]);
    if (message.kind != Kind::object) return nullptr;
    for (const char* name : {"id", "timestamp", "source", "data"})
        if (!field_of(message, name)) return nullptr;
    const SchemaNode* type = field_of(message, "type");
    const bool is_event = type && type->kind == Kind::enumeration && type->constants.size() == 1 &&
                          type->constants[0] == SchemaNode::Constant(event.name);
    return is_event ? &message : nullptr;
}

class PythonWriter {
public:
    explicit PythonWriter(const std::vector<NamespaceContract>& namespaces)
        : names_{"Refused", "Event", "Statistics", "Connection", "Namespace", "None", "True",
                 "False"},
          named_(namespaces, names_) {}

    std::string write(const std::vector<NamespaceContract>& namespaces) {
        for (const NamedSchemas::Entry& entry : named_.entries())
            define(*entry.schema, entry.type);
        for (const NamespaceContract& nsp : namespaces) add_namespace(nsp);
        return std::string(kPythonHead) + types_ + classes_;
    }

private:
    struct Defined {
        const SchemaNode* schema;
        std::string type;
    };

    /// The expression of a schema's type; objects without a name are defined as `name` before.
    std::string type_of(const SchemaNode& node, const std::string& name) {
        return node.name.empty() ? unnamed(node, name) : named_.type_of(node);
    }

    std::string unnamed(const SchemaNode& node, const std::string& name) {
        const auto child = [&] { return type_of(*node.children[0], name); };
        switch (node.kind) {
            case Kind::any: break;
            case Kind::boolean: return "bool";
            case Kind::number: return "float";
            case Kind::integer: return "int";
            case Kind::string: return "str";
            case Kind::binary: return "bytes";
            case Kind::enumeration: return literal(node);
            case Kind::array: return "list[" + child() + "]";
            case Kind::map: return "dict[str, " + child() + "]";
            case Kind::object: return object(node, name);
            case Kind::nullable:
            case Kind::optional:
            case Kind::with_default: return "t.Optional[" + child() + "]";
            case Kind::one_of: {
                std::vector<std::string> types;
                for (const auto& each : node.children) {
                    std::string type = type_of(*each, name);
                    if (std::find(types.begin(), types.end(), type) == types.end())
                        types.push_back(std::move(type));
                }
                std::string all;
                for (const std::string& type : types) all += (all.empty() ? "" : ", ") + type;
                return types.size() == 1 ? all : "t.Union[" + all + "]";
            }
        }
        return "t.Any";
    }

    static std::string literal(const SchemaNode& node) {
        std::string all;
        for (const SchemaNode::Constant& constant : node.constants) {
            if (!all.empty()) all += ", ";
            if (const auto* text = std::get_if<std::string>(&constant)) {
                all += json_string(*text);
            } else if (const auto* truth = std::get_if<bool>(&constant)) {
                all += *truth ? "True" : "False";
            } else {
                // Literal has no fractions.
                const double number = std::get<double>(constant);
                if (number != std::floor(number)) return "t.Any";
                all += number_text(number);
            }
        }
        return "t.Literal[" + all + "]";
    }

    std::string object(const SchemaNode& node, const std::string& name) {
        if (node.fields.empty()) return "dict[str, t.Any]";
        for (const Defined& each : defined_)
            if (same_schema(*each.schema, node)) return each.type;
        std::string type = names_.take(name);
        define(node, type);
        defined_.push_back({&node, type});
        return type;
    }

    void define(const SchemaNode& node, const std::string& type) {
        if (node.kind != Kind::object || node.fields.empty()) {
            const std::string expression = unnamed(node, type);
            types_ += "\n\n" + comment(documentation_of(node, true), "") + type +
                      ": t.TypeAlias = " + expression + "\n";
            return;
        }
        std::string fields;
        const bool plain = std::all_of(node.fields.begin(), node.fields.end(),
                                       [](const auto& field) { return is_identifier(field.name); });
        for (const SchemaNode::Field& field : node.fields) {
            std::string inner =
                type_of(required_part(*field.schema), type + pascal_case(field.name));
            if (is_optional(*field.schema)) inner = "t.NotRequired[" + inner + "]";
            fields += comment(documentation_of(*field.schema), "    ");
            fields += plain ? "    " + field.name + ": " + inner + "\n"
                            : "    " + json_string(field.name) + ": " + inner + ",\n";
        }
        types_ += "\n\n" + comment(documentation_of(node, true), "");
        if (plain) types_ += "class " + type + "(t.TypedDict):\n" + fields;
        else types_ += type + " = t.TypedDict(\"" + type + "\", {\n" + fields + "})\n";
    }

    static std::string comment(const std::string& text, const std::string& indent) {
        return text.empty() ? "" : indent + "# " + text + "\n";
    }

    void add_namespace(const NamespaceContract& nsp) {
        const std::string type = names_.take(namespace_type(nsp.name));
        const bool is_family = nsp.name.find("/:") != std::string::npos;
        std::string constants, methods;
        UniqueNames constant_names{}, in_names{}, out_names{};
        for (const EventContract& event : nsp.out)
            add_outgoing(event, type, constant_names, out_names, constants, methods);
        for (const EventContract& event : nsp.in)
            add_incoming(event, type, in_names.take(snake_case(event.name)), methods);
        classes_ += "\n\nclass " + type + "(Namespace):\n    \"\"\"The namespace " +
                    escaped(nsp.name) + " of the app " + escaped(nsp.app) + ".\"\"\"\n\n" +
                    constants;
        if (!constants.empty()) classes_ += "\n";
        classes_ += "    def __init__(self, connection: Connection, name: str";
        if (!is_family) classes_ += " = " + json_string(nsp.name);
        classes_ += ") -> None:\n        super().__init__(connection, name)\n" + methods;
    }

    /// For a docstring.
    static std::string escaped(std::string text) {
        for (std::size_t at = 0; (at = text.find_first_of("\\\"", at)) != text.npos; at += 2)
            text.insert(at, "\\");
        return text;
    }

    /// "data: Ride, count: t.Optional[int] = None" and "data, count" of an event's arguments.
    void parameters(const EventContract& event, const std::string& name, std::string& declared,
                    std::string& passed) {
        const auto& arguments = event.signature.arguments;
        bool optional = true;  // all from here on may be left out
        std::vector<std::string> each(arguments.size());
        for (std::size_t i = arguments.size(); i-- > 0;) {
            const std::string parameter =
                arguments.size() == 1 ? "data" : "arg" + std::to_string(i + 1);
            optional = optional && is_optional(*arguments[i]);
            each[i] = parameter + ": " + type_of(*arguments[i], name);
            if (optional) each[i] += " = None";
        }
        for (std::size_t i = 0; i < each.size(); ++i) {
            declared += ", " + each[i];
            passed += (i > 0 ? ", " : "") + each[i].substr(0, each[i].find(':'));
        }
    }

    void add_incoming(const EventContract& event, const std::string& nsp, const std::string& method,
                      std::string& out) {
        const std::string name = nsp + pascal_case(event.name);
        const std::string quoted = json_string(event.name);
        const std::string result =
            event.signature.returns ? type_of(*event.signature.returns, name + "Result") : "t.Any";
        std::string doc;
        if (!event.signature.description.empty())
            doc = "        \"\"\"" + escaped(event.signature.description) + "\"\"\"\n";
        if (const SchemaNode* message = envelope_of(event))
            return add_enveloped(*message, name, quoted, method, result, doc, out);
        std::string declared, passed;
        if (event.signature.declared) parameters(event, name, declared, passed);
        else declared = ", *args: t.Any", passed = "*args";
        const std::string values = passed.empty() ? "" : ", *_given(" + passed + ")";
        out += "\n    async def emit_" + method + "(self" + declared + ") -> None:\n" + doc +
               "        await self.emit(" + quoted + values + ")\n";
        const std::string star = event.signature.declared ? ", *" : "";
        out += "\n    async def call_" + method + "(self" + declared + star +
               ", timeout: float = 5.0) -> " + result + ":\n" + doc + "        return " +
               cast(result, "await self.call(" + quoted + values + ", timeout=timeout)") + "\n";
    }

    static std::string cast(const std::string& type, const std::string& value) {
        return type == "t.Any" ? value : "t.cast(" + json_string(type) + ", " + value + ")";
    }

    void add_enveloped(const SchemaNode& message, const std::string& name,
                       const std::string& quoted, const std::string& method,
                       const std::string& result, const std::string& doc, std::string& out) {
        const std::string data = type_of(*field_of(message, "data"), name + "Data");
        const SchemaNode* target = field_of(message, "target");
        const std::string target_type = target ? type_of(*target, name + "Target") : "None";
        const std::string rest = "target: t.Optional[" + target_type +
                                 "] = None,\n"
                                 "            metadata: t.Optional[dict[str, t.Any]] = None";
        const std::string head = "(\n            self, data: " + data + ", *, ";
        const auto made = [&](const std::string& correlation) {
            return "self._message(" + quoted + ", data, target, " + correlation + ", metadata)";
        };
        out += "\n    async def emit_" + method + head + rest +
               ",\n            correlation_id: t.Optional[str] = None) -> None:\n" + doc +
               "        await self.emit(" + quoted + ", " + made("correlation_id") + ")\n";
        out += "\n    async def call_" + method + head + rest +
               ",\n            timeout: float = 5.0) -> " + result + ":\n" + doc + "        return " +
               cast(result, "await self.call(" + quoted + ", " + made("None") +
                                ", timeout=timeout)") +
               "\n";
        if (!field_of(message, "correlationId")) return;
        out += "\n    async def request_" + method + "(\n            self, data: " + data +
               ", answer: Event[_T], *, " + rest +
               ",\n            timeout: float = 5.0) -> _T:\n" + doc +
               "        return await self._request(" + quoted + ", " + made("_new_id(\"req\")") +
               ", answer, timeout)\n";
    }

    void add_outgoing(const EventContract& event, const std::string& nsp,
                      UniqueNames& constant_names, UniqueNames& method_names,
                      std::string& constants, std::string& out) {
        const std::string name = nsp + pascal_case(event.name);
        std::string types, constant = snake_case(event.name);
        for (char& c : constant)
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        const auto& arguments = event.signature.arguments;
        for (const auto& argument : arguments)
            types += (types.empty() ? "" : ", ") + type_of(*argument, name);
        const std::string message = arguments.size() == 1 ? types : "t.Any";
        constants += "    " + constant_names.take(constant) + ": t.ClassVar[Event[" + message +
                     "]] = Event(" + json_string(event.name) + ")\n";
        const std::string returned =
            event.signature.returns ? type_of(*event.signature.returns, name + "Answer") : "None";
        const std::string handler =
            event.signature.declared
                ? "t.Callable[[" + types + "], t.Union[" + returned + ", t.Awaitable[" + returned +
                      "]]]"
                : "t.Callable[..., t.Any]";
        const std::string count =
            event.signature.declared ? std::to_string(arguments.size()) : "64";
        out += "\n    def on_" + method_names.take(snake_case(event.name)) +
               "(\n            self, handler: " + handler + ") -> None:\n";
        if (!event.signature.description.empty())
            out += "        \"\"\"" + escaped(event.signature.description) + "\"\"\"\n";
        out += "        self._on(" + json_string(event.name) + ", handler, " + count + ")\n";
    }

    UniqueNames names_;
    NamedSchemas named_;
    std::vector<Defined> defined_;
    std::string types_, classes_;
};

}  // namespace

std::string write_python(const std::vector<NamespaceContract>& namespaces) {
    return PythonWriter(namespaces).write(namespaces);
}

}  // namespace moonwire::script
