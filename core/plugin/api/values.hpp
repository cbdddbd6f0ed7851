#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace moonwire::plugin {

/// Lua values on their way to or from a plugin: a JSON array, and the binary values that its
/// `{"_placeholder":true,"num":n}` stand for, as in Socket.IO's packets.
struct Values {
    std::string json = "[]";
    std::vector<std::string> attachments = {};
};

/// What a script gets for its call of a plugin's function.
struct Answer {
    enum class Kind { values, nothing, failure, error };
    Kind kind = Kind::values;
    Values results = {};
    std::string code = {}, message = {};
    std::string data_json = {};  // empty: none

    /// The results, `[1,"two"]`. At most 200.
    static Answer values(std::string json, std::vector<std::string> attachments = {}) {
        return {Kind::values, {std::move(json), std::move(attachments)}};
    }
    /// `nil, why`: what may fail in normal life.
    static Answer nothing(std::string why) { return {Kind::nothing, {}, {}, std::move(why)}; }
    /// As the script's own fail(code, message, data): unless it is caught, the client hears it.
    static Answer failure(std::string code, std::string message, std::string data_json = {}) {
        return {Kind::failure, {}, std::move(code), std::move(message), std::move(data_json)};
    }
    /// A Lua error: what must not happen. It is logged; clients only hear `internal`.
    static Answer error(std::string message) { return {Kind::error, {}, {}, std::move(message)}; }
};

/// Called once with the answer, from any thread, now or later; further calls do nothing. When every
/// copy is gone uncalled, whoever waits is told so.
using Reply = std::function<void(Answer)>;

}  // namespace moonwire::plugin
