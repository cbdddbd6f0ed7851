#include "core/script/types_names.hpp"

#include "core/script/schema_text.hpp"

namespace moonwire::script {
namespace {

using Kind = SchemaNode::Kind;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char to_upper(char c) { return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c; }
char to_lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

std::string identifier(std::string name, std::string_view if_empty) {
    if (name.empty()) return std::string(if_empty);
    if (is_digit(name[0])) name.insert(0, if_empty);
    return name;
}

/// Whether the type alone does not say all that the schema asks for.
bool is_bounded(const SchemaNode& node) {
    return node.kind == Kind::integer || node.min || node.max || !node.pattern.empty() ||
           node.format != SchemaFormat::none;
}

const SchemaNode& innermost(const SchemaNode& node) {
    if (is_optional(node) || node.kind == Kind::nullable) return innermost(*node.children[0]);
    return node;
}

}  // namespace

std::vector<std::string> words_of(std::string_view name) {
    std::vector<std::string> words;
    char before = 0;
    for (const char c : name) {
        const bool kept = is_lower(c) || is_upper(c) || is_digit(c);
        const bool kept_before = is_lower(before) || is_upper(before) || is_digit(before);
        if (kept) {
            const bool hump = is_upper(c) && (is_lower(before) || is_digit(before));
            if (!kept_before || hump) words.emplace_back();
            words.back() += to_lower(c);
        }
        before = c;
    }
    return words;
}

std::string pascal_case(std::string_view name) {
    std::string all;
    for (std::string& word : words_of(name)) {
        word[0] = to_upper(word[0]);
        all += word;
    }
    return identifier(std::move(all), "X");
}

std::string camel_case(std::string_view name) {
    std::string all = pascal_case(name);
    all[0] = to_lower(all[0]);
    return all;
}

std::string snake_case(std::string_view name) {
    std::string all;
    for (const std::string& word : words_of(name)) {
        if (!all.empty()) all += '_';
        all += word;
    }
    return identifier(std::move(all), "x");
}

std::string namespace_type(std::string_view nsp) {
    return words_of(nsp).empty() ? "Root" : pascal_case(nsp);
}

std::string UniqueNames::take(std::string wanted) {
    std::string name = wanted;
    for (int number = 2; !taken_.insert(name).second; ++number)
        name = wanted + std::to_string(number);
    return name;
}

NamedSchemas::NamedSchemas(const std::vector<NamespaceContract>& namespaces, UniqueNames& names) {
    for (const NamespaceContract& nsp : namespaces) {
        for (const auto* events : {&nsp.in, &nsp.out}) {
            for (const EventContract& event : *events) {
                for (const auto& argument : event.signature.arguments) add(*argument, names);
                if (event.signature.returns) add(*event.signature.returns, names);
            }
        }
    }
}

void NamedSchemas::add(const SchemaNode& node, UniqueNames& names) {
    if (!node.name.empty() && find(node)) return;
    for (const auto& child : node.children) add(*child, names);
    for (const auto& field : node.fields) add(*field.schema, names);
    if (!node.name.empty()) entries_.push_back({&node, names.take(node.name)});
}

const NamedSchemas::Entry* NamedSchemas::find(const SchemaNode& named) const {
    for (const Entry& entry : entries_)
        if (entry.schema->name == named.name && same_schema(*entry.schema, named)) return &entry;
    return nullptr;
}

const std::string& NamedSchemas::type_of(const SchemaNode& named) const {
    return find(named)->type;
}

std::string documentation_of(const SchemaNode& node, bool declared_here) {
    std::string text;
    const auto add = [&](const std::string& part) {
        if (part.empty()) return;
        if (!text.empty()) text += text.ends_with('.') ? " " : ". ";
        text += part;
    };
    for (const SchemaNode* each = &node;; each = each->children[0].get()) {
        if (each->name.empty() || declared_here) add(each->description);
        if (!is_optional(*each) && each->kind != Kind::nullable) break;
    }
    const SchemaNode& inner = innermost(node);
    if (is_bounded(inner) && (inner.name.empty() || declared_here))
        add(expected_text(inner));
    for (const SchemaNode* each = &node; is_optional(*each); each = each->children[0].get())
        if (each->kind == Kind::with_default) add("default: " + each->default_json);
    for (char& c : text)
        if (static_cast<unsigned char>(c) < ' ') c = ' ';
    return text;
}

}  // namespace moonwire::script
