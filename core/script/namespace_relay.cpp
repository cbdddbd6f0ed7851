// NamespaceVm's events that need no code: `ns:relay`.
#include <algorithm>

#include "core/script/api.hpp"
#include "core/script/arguments.hpp"
#include "core/script/authentication.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/relay.hpp"
#include "core/script/script_socket.hpp"
#include "core/script/tasks.hpp"

namespace moonwire::script {
namespace {

Failure refusal(const char* code, std::string message) {
    Failure failure;
    failure.is_bug = false;
    failure.code = code;
    failure.message = std::move(message);
    return failure;
}

/// Whether `socket.data.user` has one of the roles. Protected.
bool sender_has_role(lua_State* state, const socketio::SocketPtr& socket,
                     const std::vector<std::string>& roles) {
    push_socket(state, socket);
    if (!to_socket(state, -1)->has_data) return false;
    lua_getfenv(state, -1);
    lua_pushliteral(state, "user");
    lua_rawget(state, -2);
    return has_role(state, roles);
}

TokenBucket& bucket_of(const socketio::Socket& socket, const Generation& generation,
                      std::size_t index) {
    auto& data = *static_cast<ScriptSocket*>(socket.data());
    if (std::exchange(data.relay_generation, generation.number()) != generation.number())
        data.relay_rates.clear();
    if (data.relay_rates.size() <= index) data.relay_rates.resize(index + 1);
    return data.relay_rates[index];
}

}  // namespace

bool NamespaceVm::run_relay(const NamedHandler& named,
                            const std::shared_ptr<Generation>& generation,
                            const socketio::SocketPtr& socket, socketio::Payload payload,
                            socketio::Acknowledgement& acknowledgement) {
    const std::string& event = named.first;
    const EventHandler& handler = named.second;
    const auto refuse = [&](const Failure& failure) {
        handler.figures->failed.add();
        acknowledgement.fail(failure.client_json());
        return true;
    };
    const Relay& relay = *handler.relay;
    if (relay.rate &&
        !bucket_of(*socket, *generation, relay.rate_index).take(relay.rate, home_.now())) {
        relay_stats_.limited.add();
        // Nobody may be asked to listen to each of too many refusals.
        if (acknowledgement.wanted()) return refuse(refusal("rate_limited", "too many events"));
        handler.figures->failed.add();
        return true;
    }

    bool allowed = true, readable = true;
    // Attachments are looked at because a placeholder for none would end its receivers'
    // connections.
    const bool decoded = handler.schemas != 0 || !payload.attachments.empty();
    std::optional<InvalidArgument> invalid;
    std::string unreadable_why;
    lua_State* state = runtime_->state();
    if (!relay.roles.empty() || decoded) {
        auto looked = Vm::protect(state, 0, [&](lua_State* L) {
            if (!relay.roles.empty()) allowed = sender_has_role(L, socket, relay.roles);
            if (!decoded || !allowed) return 0;
            lua_settop(L, 0);
            generation->push(L, handler.schemas);
            auto count = decode_json_array(L, payload.json, payload.attachments, 1);
            readable = count.has_value();
            if (!readable) unreadable_why = count.error().message;
            else if (handler.schemas != 0) invalid = check_arguments(L, 1, handler.listed, 2);
            return 0;
        });
        if (!looked) {
            readable = false;
            unreadable_why = looked.error().message;
        }
    }
    std::vector<std::optional<std::string>> values(relay.fields.size());
    const bool known_valid = decoded && allowed && relay.fields.empty();
    if (!readable || !(known_valid || pick_fields(payload.json, relay.fields, values))) {
        if (!payload.attachments.empty() || !is_valid_json(payload.json)) return false;
        // Valid but for memory or for too many arguments: not the end of the connection.
        Failure failure;
        failure.message = failure.traceback = unreadable_why;
        log_bug(*generation, "event", event, failure);
        return refuse(failure);
    }
    if (!allowed) return refuse(refusal("forbidden", "not for your role"));
    for (std::size_t i = 0; !invalid && i < values.size(); ++i)
        if (!values[i])
            invalid = {handler.listed ? "$1." + relay.fields[i] : relay.fields[i],
                       "must be a string or a whole number, for it names a room", "room",
                       "a string or a whole number", "no such value"};
    if (invalid) return refuse(invalid->failure());

    socketio::Target target;
    for (const RoomTemplate& room : relay.rooms) target.rooms.push_back(room.name(values));
    if (relay.except_sender) target.except.push_back(socket->id());
    // What is appended to an event on its way goes before its last bracket.
    payload.json = payload.json.substr(0, payload.json.rfind(']') + 1);
    if (!relay.as.empty()) {
        runtime_->encoded.clear();
        rename_event(runtime_->encoded.json, payload.json, relay.as);
        payload.json = runtime_->encoded.json;
    }
    if (relay.to_namespace.empty()) {
        socket->nsp().broadcast(target, payload, relay.send);
    } else if (!broadcast_in(relay.to_namespace, target, payload, relay.send)) {
        return refuse(refusal("not_found", "no such namespace " + relay.to_namespace));
    }
    relay_stats_.relayed.add();
    if (acknowledgement.wanted()) acknowledgement.reply({});
    return true;
}

bool NamespaceVm::broadcast_in(const std::string& name, const socketio::Target& target,
                               socketio::Payload payload, engineio::SendOptions options) {
    auto group = server_.group(name);
    if (!group) return false;
    Reactor& home = group->home();
    home.run([group = *std::move(group), target, payload = socketio::OwnedPayload(payload),
              options] { group.broadcast(target, payload.view(), options); });
    return true;
}

}  // namespace moonwire::script
