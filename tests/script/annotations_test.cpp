#include "core/script/annotations.hpp"

#include <doctest/doctest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "core/script/api_names.hpp"
#include "core/script/lint_facts.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

using Names = std::set<std::string>;

/// Lua's own, which lua-language-server knows.
const Names kStandard{"_G",       "_VERSION", "assert", "bit",      "error",        "getmetatable",
                      "ipairs",   "math",     "next",   "os",       "pairs",        "pcall",
                      "rawequal", "rawget",   "select", "setmetatable", "string",   "table",
                      "tonumber", "tostring", "type",   "unpack",   "xpcall",       "require"};

/// By class, what the annotation files say of it; under "" the globals.
std::map<std::string, Names> annotated() {
    std::map<std::string, Names> found;
    const std::regex class_line(R"(---@class moonwire\.(\w+).*)"),
        field_line(R"(---@field (\w+)\??\s.*)"), table_line(R"((local )?(\w+) = \{\})"),
        value_line(R"((\w+) = nil.*)"), function_line(R"(function (\w+)([.:](\w+))?\(.*)");
    for (const EmbeddedFile& file : annotation_files()) {
        // What only tests are given, no handler has.
        if (!file.path.ends_with(".lua") || file.path == "testing.lua") continue;
        std::map<std::string, std::string> class_of;  // by the variable that stands for it
        std::string current;
        std::istringstream text{std::string(file.text)};
        std::smatch match;
        for (std::string line; std::getline(text, line);) {
            if (std::regex_match(line, match, class_line)) {
                current = match[1];
                found[current];
            } else if (std::regex_match(line, match, field_line)) {
                found[current].insert(match[1]);
            } else if (std::regex_match(line, match, table_line)) {
                class_of[match[2]] = current;
                if (!match[1].matched) found[""].insert(match[2]);
            } else if (std::regex_match(line, match, value_line)) {
                found[""].insert(match[1]);
            } else if (std::regex_match(line, match, function_line)) {
                if (match[3].matched) found[class_of[match[1]]].insert(match[3]);
                else found[""].insert(match[1]);
            }
        }
    }
    return found;
}

std::string joined(const Names& names) {
    std::string all;
    for (const std::string& name : names) all += name + " ";
    return all;
}

Names keys_of(const ApiNames& api, std::string_view type) {
    Names names;
    for (const auto& [name, sort] : api.members.find(type)->second) names.insert(name);
    return names;
}

}  // namespace

TEST_CASE("the annotations have every name that scripts are given, and no other") {
    const ApiNames api = read_api_names();
    auto classes = annotated();
    Names globals;
    for (const std::string& name : api.globals)
        if (!kStandard.contains(name)) globals.insert(name);
    CHECK(joined(classes[""]) == joined(globals));

    // A namespace is the chain to everybody, too.
    classes["Namespace"].merge(Names(classes["Chain"]));
    const std::map<std::string, std::string> names_of_types{
        {std::string(kNamespaceType), "Namespace"},
        {std::string(kSocketType), "Socket"},
        {std::string(kChainType), "Chain"},
        {std::string(kRemoteChainType), "Chain"},
        {std::string(kTimerType), "Timer"},
        {std::string(kGeoIndexType), "GeoIndex"},
        {std::string(kRawType), "Raw"},
        {std::string(kStoreType), "Store"},
        {std::string(kCounterType), "Counter"},
        {std::string(kGaugeType), "Gauge"},
        {std::string(kHistogramType), "Histogram"}};
    for (const auto& [type, members] : api.members) {
        if (kStandard.contains(type)) continue;
        CAPTURE(type);
        const auto renamed = names_of_types.find(type);
        const std::string name = renamed == names_of_types.end() ? type : renamed->second;
        REQUIRE(classes.contains(name));
        CHECK(joined(classes[name]) == joined(keys_of(api, type)));
    }
}

TEST_CASE("luacheck is told every global that scripts are given, and no other") {
    const ApiNames api = read_api_names();
    std::string text;
    for (const EmbeddedFile& file : annotation_files())
        if (file.path == "luacheckrc") text = file.text;
    text.resize(text.find("stds.moonwire_test"));
    Names told;
    const std::regex quoted("\"(\\w+)\"");
    for (std::sregex_iterator it(text.begin(), text.end(), quoted), end; it != end; ++it)
        told.insert((*it)[1]);
    CHECK(joined(told) == joined(Names(api.globals.begin(), api.globals.end())));
}

TEST_CASE("the annotations are Lua that can be read") {
    for (const EmbeddedFile& file : annotation_files()) {
        CAPTURE(file.path);
        if (file.path.ends_with(".lua")) CHECK_FALSE(read_facts(file.text).broken);
    }
}
