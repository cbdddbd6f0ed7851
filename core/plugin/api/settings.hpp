#pragma once

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "setting_node.hpp"

namespace moonwire::plugin {

/// A plugin's settings: what its table [plugins.NAME] says, MOONWIRE_PLUGINS_NAME_KEY variables
/// that win over it, and `--set plugins.NAME.KEY=…`, which wins over both.
///
/// One thread. Whatever is wrong is noted with its place and the getter returns the fallback, so
/// that a user sees all mistakes at once; the host ends the start if there is any. What no getter
/// asked for is unknown, and a mistake, too. Copies and tables of it share their notes.
class Settings {
public:
    static constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

    /// `name` is "plugins.NAME".
    Settings(std::string name, SettingNode table)
        : Settings(std::move(name), std::make_shared<const SettingNode>(std::move(table)),
                   std::make_shared<Notes>()) {}

    /// Whether it is given, by whatever source.
    bool has(const std::string& key) { return find(key).has_value(); }

    std::string text(const std::string& key, std::string fallback = {}) {
        const auto node = find(key);
        if (!node) return fallback;
        if (const auto* text = std::get_if<std::string>(&node->value)) return *text;
        return expected(key, "a string", std::move(fallback));
    }
    /// A file: relative ones start where moonwire.toml lies if they come from there.
    std::string path(const std::string& key, std::string fallback = {}) {
        const std::string path = text(key);
        if (path.empty()) return fallback;
        return (std::filesystem::path(find(key)->folder) / path).string();
    }
    bool boolean(const std::string& key, bool fallback) {
        const auto node = find(key);
        if (!node) return fallback;
        if (const auto* value = std::get_if<bool>(&node->value)) return *value;
        if (const auto* text = std::get_if<std::string>(&node->value)) {
            if (*text == "true" || *text == "1" || *text == "on") return true;
            if (*text == "false" || *text == "0" || *text == "off") return false;
        }
        return expected(key, "true or false", fallback);
    }
    std::int64_t integer(const std::string& key, std::int64_t fallback, std::int64_t min = 0,
                         std::int64_t max = kNoLimit) {
        const auto node = find(key);
        if (!node) return fallback;
        const auto number = read<std::int64_t>(*node);
        if (number && *number >= min && *number <= max) return *number;
        return expected(key,
                        max == kNoLimit ? "a whole number of at least " + std::to_string(min)
                                        : "a whole number from " + std::to_string(min) + " to " +
                                              std::to_string(max),
                        fallback);
    }
    double number(const std::string& key, double fallback) {
        const auto node = find(key);
        if (!node) return fallback;
        if (const auto* whole = std::get_if<std::int64_t>(&node->value))
            return static_cast<double>(*whole);
        if (const auto number = read<double>(*node)) return *number;
        return expected(key, "a number", fallback);
    }
    /// A list, or text with commas.
    std::vector<std::string> texts(const std::string& key) {
        const auto node = find(key);
        if (!node) return {};
        std::vector<std::string> all;
        if (const auto* text = std::get_if<std::string>(&node->value)) {
            for (std::size_t at = 0; at < text->size();) {
                const std::size_t end = std::min(text->find(',', at), text->size());
                std::string item = text->substr(at, end - at);
                item.erase(0, item.find_first_not_of(' '));
                item.erase(item.find_last_not_of(' ') + 1);
                if (!item.empty()) all.push_back(std::move(item));
                at = end + 1;
            }
            return all;
        }
        bool right = is_list(*node);
        for (const SettingNode& each : items(*node)) {
            const auto* text = std::get_if<std::string>(&each.value);
            right &= text != nullptr;
            if (text) all.push_back(*text);
        }
        return right ? all : expected(key, "a list of strings", std::vector<std::string>());
    }
    /// The table [plugins.NAME.KEY]; an empty one if it is not given.
    Settings table(const std::string& key) {
        note(key);
        const SettingNode* node = given(key);
        if (node && !std::holds_alternative<SettingNode::Table>(node->value))
            expected(key, "a table", 0);
        return Settings(name_ + "." + key, node && is_table(*node) ? share(*node) : empty(),
                        notes_);
    }
    /// The tables [[plugins.NAME.KEY]].
    std::vector<Settings> tables(const std::string& key) {
        std::vector<Settings> all;
        note(key);
        const SettingNode* node = given(key);
        if (!node) return all;
        bool right = is_list(*node);
        for (const SettingNode& each : items(*node)) {
            right &= is_table(each);
            if (!is_table(each)) continue;
            all.push_back(Settings(name_ + "." + key + "[" + std::to_string(all.size() + 1) + "]",
                                   share(each), notes_));
        }
        if (!right) expected(key, "tables, as in [[" + name_ + "." + key + "]]", 0);
        return all;
    }
    /// The names of what is in the table, where they are the user's.
    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& [key, node] : std::get<SettingNode::Table>(table_->value))
            all.push_back(key);
        return all;
    }

    /// Notes that something is wrong with this key, or with the whole table if that is empty.
    void fail(const std::string& key, std::string_view what) {
        const auto node = key.empty() ? std::nullopt : find(key);
        const std::string& where = node ? node->where : table_->where;
        notes_->errors.push_back((where.empty() ? "" : where + ": ") + name_ +
                                 (key.empty() ? "" : "." + key) + ": " + std::string(what));
    }

    /// For the host, once all was read: everything that is wrong, "moonwire.toml:7: plugins.x.y:
    /// …".
    std::vector<std::string> finish() {
        find_unknown(name_, *table_);
        return std::exchange(notes_->errors, {});
    }

private:
    struct Notes {
        std::vector<std::string> errors;
        std::set<std::string> known;  // full names
    };
    using Node = std::shared_ptr<const SettingNode>;

    Settings(std::string name, Node table, std::shared_ptr<Notes> notes)
        : name_(std::move(name)), table_(std::move(table)), notes_(std::move(notes)) {
        notes_->known.insert(name_);
    }

    static bool is_table(const SettingNode& node) {
        return std::holds_alternative<SettingNode::Table>(node.value);
    }
    static bool is_list(const SettingNode& node) {
        return std::holds_alternative<SettingNode::List>(node.value);
    }
    /// None if it is no list.
    static const SettingNode::List& items(const SettingNode& node) {
        static const SettingNode::List none;
        return is_list(node) ? std::get<SettingNode::List>(node.value) : none;
    }
    Node share(const SettingNode& part) const { return Node(table_, &part); }
    Node empty() const {
        auto node = std::make_shared<SettingNode>();
        node->where = table_->where;
        return node;
    }
    void note(const std::string& key) { notes_->known.insert(name_ + "." + key); }
    const SettingNode* given(const std::string& key) const {
        const auto& table = std::get<SettingNode::Table>(table_->value);
        const auto found = table.find(key);
        return found == table.end() ? nullptr : &found->second;
    }
    std::optional<SettingNode> find(const std::string& key) {
        note(key);
        const SettingNode* node = given(key);
        if (node && node->overriding) return *node;
        std::string variable = "MOONWIRE_" + name_ + "." + key;
        for (char& c : variable)
            c = std::isalnum(static_cast<unsigned char>(c))
                    ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                    : '_';
        if (const char* text = std::getenv(variable.c_str()))
            return SettingNode{std::string(text), variable, {}, true};
        return node ? std::optional(*node) : std::nullopt;
    }
    template <typename T>
    static std::optional<T> read(const SettingNode& node) {
        if (const auto* number = std::get_if<T>(&node.value)) return *number;
        const auto* text = std::get_if<std::string>(&node.value);
        T number{};
        if (!text || !node.overriding) return std::nullopt;
        const char* end = text->data() + text->size();
        const auto [after, code] = std::from_chars(text->data(), end, number);
        return code == std::errc() && after == end ? std::optional(number) : std::nullopt;
    }
    template <typename T>
    T expected(const std::string& key, std::string_view what, T fallback) {
        fail(key, "expected " + std::string(what));
        return fallback;
    }
    void find_unknown(const std::string& name, const SettingNode& node) {
        if (!notes_->known.contains(name))
            return notes_->errors.push_back((node.where.empty() ? "" : node.where + ": ") + name +
                                            ": unknown setting");
        if (const auto* table = std::get_if<SettingNode::Table>(&node.value))
            for (const auto& [key, each] : *table) find_unknown(name + "." + key, each);
        const auto& list = items(node);
        for (std::size_t i = 0; i < list.size(); ++i)
            if (is_table(list[i])) find_unknown(name + "[" + std::to_string(i + 1) + "]", list[i]);
    }

    std::string name_;
    Node table_;
    std::shared_ptr<Notes> notes_;
};

}  // namespace moonwire::plugin
