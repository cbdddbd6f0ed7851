#include "core/script/schema_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/script/near_name.hpp"

namespace moonwire::script {
namespace {

using Kind = SchemaNode::Kind;

constexpr std::size_t kShownLength = 40;  // of a string
constexpr std::size_t kListLength = 200;  // of what is listed
constexpr std::size_t kMostListed = 20;

std::string range_text(const SchemaNode& node) {
    if (node.min && node.max)
        return " from " + number_text(*node.min) + " to " + number_text(*node.max);
    if (node.min) return " of at least " + number_text(*node.min);
    if (node.max) return " of at most " + number_text(*node.max);
    return {};
}

std::string count_text(const SchemaNode& node, std::string_view unit) {
    if (!node.min && !node.max) return {};
    std::string text = " of ";
    if (node.min && node.max) {
        text += number_text(*node.min);
        if (*node.min != *node.max) text += " to " + number_text(*node.max);
    } else {
        text += (node.min ? "at least " : "at most ") + number_text(node.min ? *node.min : *node.max);
    }
    text += ' ';
    text += unit;
    if (text.ends_with(" 1 " + std::string(unit))) text.pop_back();
    return text;
}

/// Those of a list that fit, "…" for the others.
template <typename List, typename Text>
std::string joined(const List& list, std::string_view separator, Text text) {
    std::string all;
    for (const auto& each : list) {
        if (!all.empty()) all += separator;
        if (all.size() > kListLength) return all + "…";
        all += text(each);
    }
    return all;
}

std::string without_name(const SchemaNode& node) {
    switch (node.kind) {
        case Kind::any: return "any value";
        case Kind::boolean: return "a boolean";
        case Kind::number: return "a number" + range_text(node);
        case Kind::integer: return "an integer" + range_text(node);
        case Kind::binary: return "binary" + count_text(node, "bytes");
        case Kind::array: return "an array" + count_text(node, "elements");
        case Kind::map:
        case Kind::object: return "an object";
        case Kind::optional:
        case Kind::with_default: return expected_text(*node.children[0]) + " or nothing";
        case Kind::nullable: return expected_text(*node.children[0]) + " or null";
        case Kind::one_of: {
            std::vector<std::string> texts;
            for (const auto& child : node.children) {
                std::string text = expected_text(*child);
                if (std::find(texts.begin(), texts.end(), text) == texts.end())
                    texts.push_back(std::move(text));
                if (texts.size() > kMostListed) break;
            }
            return joined(texts, " or ", [](const std::string& text) { return text; });
        }
        case Kind::enumeration:
            return (node.constants.size() > 1 ? "one of " : "") +
                   joined(node.constants, ", ", constant_text);
        case Kind::string: break;
    }
    std::string text = node.format == SchemaFormat::none
                           ? "a string"
                           : "a valid " + std::string(schema_format_name(node.format));
    text += count_text(node, "characters");
    if (!node.pattern.empty()) text += " matching " + quoted_text(node.pattern);
    return text;
}

}  // namespace

std::string number_text(double value) {
    std::array<char, 32> text;
    // As a whole number, for the shortest of 100000 is 1e+05.
    if (value == std::floor(value) && std::abs(value) < 1e15)
        return std::to_string(std::llround(value));
    const auto [end, error] = std::to_chars(text.begin(), text.end(), value);
    return std::string(text.begin(), end);
}

std::string quoted_text(std::string_view text) {
    std::string shown = "'";
    std::size_t length = text.size();
    if (length > kShownLength) {
        length = kShownLength;
        while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
    }
    shown += text.substr(0, length);
    if (length < text.size()) shown += "…";
    return shown + "'";
}

std::string constant_text(const SchemaNode::Constant& constant) {
    return std::visit(
        [](const auto& held) -> std::string {
            using Held = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<Held, bool>) return held ? "true" : "false";
            else if constexpr (std::is_same_v<Held, double>) return number_text(held);
            else return quoted_text(held);
        },
        constant);
}

std::string expected_text(const SchemaNode& node) {
    std::string text = without_name(node);
    if (!node.name.empty()) text += " (" + node.name + ")";
    return text;
}

std::string fields_text(const SchemaNode& object) {
    return joined(object.fields, ", ",
                  [](const SchemaNode::Field& field) { return quoted_text(field.name); });
}

const SchemaNode::Field* nearest_field(const SchemaNode& object, std::string_view misspelt) {
    // A third may be wrong, for in a short name two letters are the difference to another name.
    std::size_t best = misspelt.size() < 3 ? 1 : 1 + misspelt.size() / 3;
    const SchemaNode::Field* nearest = nullptr;
    for (const SchemaNode::Field& field : object.fields) {
        const std::size_t apart = edit_distance(misspelt, field.name);
        if (apart >= best) continue;
        best = apart;
        nearest = &field;
    }
    return nearest;
}

}  // namespace moonwire::script
