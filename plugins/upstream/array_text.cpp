#include "plugins/upstream/array_text.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace moonwire::upstream {
namespace {

/// Behind the element that begins at `at`.
std::size_t end_of_element(std::string_view json, std::size_t at) {
    int depth = 0;
    bool quoted = false;
    for (; at < json.size(); ++at) {
        const char c = json[at];
        if (quoted) {
            if (c == '\\') ++at;
            else if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            ++depth;
        } else if (c == ',' && depth == 0) {
            return at;
        } else if ((c == ']' || c == '}') && depth-- == 0) {
            return at;
        }
    }
    return json.size();
}

}  // namespace

std::string take_first(std::string& array) {
    if (!array.starts_with('[')) return {};
    const std::size_t end = end_of_element(array, 1);
    std::string first = array.substr(1, end - 1);
    array.erase(1, end < array.size() && array[end] == ',' ? end : end - 1);
    return first;
}

std::string take_text(std::string& array) {
    rapidjson::Document text;
    text.Parse(take_first(array).c_str());
    if (text.HasParseError() || !text.IsString()) return {};
    return {text.GetString(), text.GetStringLength()};
}

void put_text(std::string& array, std::string_view text) {
    rapidjson::StringBuffer quoted;
    rapidjson::Writer<rapidjson::StringBuffer> writer(quoted);
    writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    std::string first(quoted.GetString(), quoted.GetSize());
    if (array.size() > 2) first += ",";
    array.insert(1, first);
}

}  // namespace moonwire::upstream
