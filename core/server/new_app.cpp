#include "core/server/new_app.hpp"

#include <algorithm>
#include <fstream>
#include <system_error>

#include "core/script/annotations.hpp"

namespace moonwire::server {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongestName = 64;

bool is_name(std::string_view name) {
    const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto is_part = [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    // Folders named "public" hold no scripts, and what apps share is no app.
    return !name.empty() && name.size() <= kLongestName && is_letter(name.front()) &&
           std::all_of(name.begin(), name.end(), is_part) && name != "public" && name != "shared";
}

/// "my-app" -> "MyApp"
std::string type_of(std::string_view name) {
    std::string type;
    bool begins = true;
    for (const char c : name) {
        const bool is_part = c != '-' && c != '_';
        if (is_part) type += begins && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        begins = !is_part;
    }
    return type;
}

std::string replace_all(std::string_view text, std::string_view place, std::string_view with) {
    std::string replaced;
    for (;;) {
        const std::size_t at = text.find(place);
        replaced += text.substr(0, at);
        if (at == text.npos) return replaced;
        replaced += with;
        text.remove_prefix(at + place.size());
    }
}

std::string fill_in(std::string_view text, const std::string& name) {
    return replace_all(replace_all(text, "{{name}}", name), "{{Type}}", type_of(name));
}

/// Where an annotation file goes: settings of tools lie in the app, hidden, as those expect them.
fs::path place_of(std::string_view annotation) {
    if (annotation.ends_with(".lua")) return fs::path(".moonwire") / annotation;
    return "." + std::string(annotation);
}

bool is_app_itself(const fs::path& folder) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
        if (entry.path().extension() == ".lua") return true;
    return false;
}

Result<void> write(const fs::path& path, std::string_view text) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    if (!file) return Error{"can't write \"" + path.string() + "\""};
    return {};
}

}  // namespace

Result<std::vector<fs::path>> make_app(const fs::path& scripts, const std::string& name) {
    if (!is_name(name))
        return Error{"\"" + name +
                     "\" is no name for an app: it takes a small letter, then small letters, "
                     "digits, - and _, at most 64 (and \"public\" and \"shared\" are taken)"};
    if (is_app_itself(scripts))
        return Error{"\"" + scripts.string() +
                     "\" is an app itself: Lua files lie in it. Say --dir where the app's folder "
                     "is to be made"};
    const fs::path folder = scripts / name;
    std::error_code error;
    fs::create_directories(scripts, error);
    if (error)
        return Error{"can't make \"" + scripts.string() + "\": " + error.message()};
    // Not if it was there already, whatever it is.
    if (!fs::create_directory(folder, error))
        return Error{"can't make \"" + folder.string() +
                     "\": " + (error ? error.message() : "it exists already")};

    std::vector<fs::path> made;
    const auto add = [&](const fs::path& path, std::string_view text) {
        made.push_back(folder / path);
        return write(made.back(), text);
    };
    for (const EmbeddedFile& file : new_app_files())
        if (auto done = add(file.path, fill_in(file.text, name)); !done) return done.error();
    for (const EmbeddedFile& file : script::annotation_files())
        if (auto done = add(place_of(file.path), file.text); !done) return done.error();
    return made;
}

}  // namespace moonwire::server
