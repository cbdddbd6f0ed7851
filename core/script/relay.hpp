#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/token_bucket.hpp"
#include "core/socketio/socket.hpp"

struct lua_State;

namespace moonwire::script {

/// A room whose name may have fields of an event's first argument in it: "order:{orderId}".
class RoomTemplate {
public:
    /// Fields that are new are added to `fields`, in whose order `name` gets their values.
    static Result<RoomTemplate> parse(std::string_view text, std::vector<std::string>& fields);
    std::string name(const std::vector<std::optional<std::string>>& values) const;

private:
    struct Piece {
        std::string text;
        std::optional<std::size_t> field;  // what comes after the text
    };
    std::vector<Piece> pieces_;
};

/// What `ns:relay(event, options)` says: whom an event goes to, as it came, without entering Lua.
struct Relay {
    std::vector<RoomTemplate> rooms;  // none: everybody
    std::vector<std::string> fields;  // of the first argument, that the rooms' names need
    std::string to_namespace;         // empty: the sender's own
    std::string as;                   // the event's other name
    bool except_sender = true;
    engineio::SendOptions send;
    std::vector<std::string> roles;  // of which the sender needs one; none: anybody
    Rate rate;                       // a socket; none: no limit
    std::size_t rate_index = 0;      // among the generation's relays that have a rate
};

/// Reads the options at `index` (nothing is the same as an empty table), all but the schema; raises
/// for what is none, by name. Protected.
Relay read_relay(lua_State* state, int index);

/// `json`, a valid `["event",…]`, with the event's name replaced.
void rename_event(std::string& out, std::string_view json, std::string_view name);

}  // namespace moonwire::script
