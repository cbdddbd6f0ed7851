// What tests see of simulated clients: `connect` and its methods.
#include <algorithm>

#include "core/base/json_text.hpp"
#include "core/script/api.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/script_socket.hpp"
#include "core/script/test_bench.hpp"

namespace moonwire::script {
namespace {

using State = TestSocket::State;

struct ClientObject {
    std::shared_ptr<TestSession> session;
    TestSocketPtr socket;
    std::uint64_t serial;  // of the test that it belongs to
};

/// An acknowledgement that is awaited.
struct ReplyObject {
    ClientObject client;
    socketio::AckId id;
};

enum Field : int { kId = 1, kNsp, kConnected };

ClientObject& check_client(lua_State* state, int index) {
    auto* client = to_object<ClientObject>(state, index, kTestClientMetatableKey);
    if (!client) luaL_typerror(state, index, "client (call its methods with ':')");
    if (client->serial != bench_of(state).serial())
        luaL_error(state, "this client belongs to another test");
    return *client;
}

/// The world's loop is turned by what the client does.
TestWorld& world_for(lua_State* state, const char* call) {
    TestBench& bench = bench_of(state);
    bench.check_may_wait(state, call);
    return bench.world(state);
}

int push_decoded(lua_State* state, const socketio::OwnedPayload& payload, int skip) {
    auto count = decode_json_array(state, payload.json, payload.attachments, skip);
    if (!count) luaL_error(state, "%s", count.error().message.c_str());
    return *count;
}

int push_reason(lua_State* state, const char* why) {
    lua_pushnil(state);
    lua_pushstring(state, why);
    return 2;
}

/// The options table of `connect` as what the handshake brings.
engineio::Handshake read_handshake(lua_State* state, int options, double now) {
    engineio::Handshake handshake;
    handshake.address = "127.0.0.1";
    handshake.issued = now;
    handshake.url = "/socket.io/?EIO=4&transport=websocket";
    handshake.query = {{"EIO", "4"}, {"transport", "websocket"}};
    if (options == 0) return handshake;
    lua_getfield(state, options, "headers");
    handshake.headers = check_pairs(state, lua_gettop(state), "headers");
    for (auto& [name, value] : handshake.headers)
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    lua_getfield(state, options, "query");
    const auto query = check_pairs(state, lua_gettop(state), "query");
    if (!query.empty()) handshake.url += '&' + query_text(query);
    handshake.query.insert(handshake.query.end(), query.begin(), query.end());
    lua_getfield(state, options, "address");
    if (!lua_isnil(state, -1)) handshake.address = check_text(state, lua_gettop(state));
    lua_getfield(state, options, "secure");
    handshake.secure = lua_toboolean(state, -1);
    lua_pop(state, 4);
    return handshake;
}

/// What the scripts' on_request say of a connection that begins.
RequestDecision ask_hooks(TestWorld& world, const engineio::Handshake& handshake) {
    RequestDecision decision;
    if (!world.host().has_request_hooks()) return decision;
    const std::size_t mark = handshake.url.find('?');
    const auto decided = std::make_shared<std::optional<RequestDecision>>();
    world.host().ask_request_hooks(
        {"GET", handshake.url.substr(0, mark), handshake.url.substr(mark + 1), handshake.headers,
         "", handshake.address, handshake.secure},
        [decided](RequestDecision given) { *decided = std::move(given); });
    if (!world.wait([&] { return decided->has_value(); }, std::chrono::seconds(45)))
        return {false, "timeout", {}};
    return **decided;
}

int push_hook_refusal(lua_State* state, const RequestDecision& decision) {
    lua_pushnil(state);
    lua_createtable(state, 0, 2);
    push_string(state, decision.message.empty() ? "Forbidden" : decision.message);
    lua_setfield(state, -2, "message");
    lua_pushinteger(state, 403);
    lua_setfield(state, -2, "status");
    return 2;
}

/// Joins a namespace over a session: the client, or nil and what refused it.
int join(lua_State* state, TestWorld& world, std::shared_ptr<TestSession> session,
         std::string nsp, const std::string& auth) {
    const TestSocketPtr socket = session->connect(std::move(nsp), auth);
    const bool answered = world.wait([&] { return socket->state != State::connecting; },
                                     world.server().options().connect_timeout);
    bench_of(state).check_time(state);
    // One that was let in and put out again at once is a client, too: of what it was told.
    if (answered && socket->state != State::refused) {
        world.settle();
        push_object<ClientObject>(state, kTestClientMetatableKey, std::move(session), socket,
                                  bench_of(state).serial());
        return 1;
    }
    lua_pushnil(state);
    const std::string refusal = answered ? socket->refusal : R"({"message":"timeout"})";
    if (!decode_json(state, refusal)) luaL_error(state, "bad refusal %s", refusal.c_str());
    return 2;
}

/// The `auth` of an options table, which may be none (0), as JSON, with the token of its `user`; empty
/// without either.
std::string read_auth(lua_State* state, int options) {
    if (options == 0) return {};
    lua_getfield(state, options, "auth");
    std::string auth;
    if (!lua_isnil(state, -1)) auth = check_json(state, lua_gettop(state));
    if (auth == "[]") auth = "{}";
    if (const std::string token = check_user(state, options); !token.empty()) {
        if (!auth.empty() && auth.front() != '{')
            luaL_error(state, "with a user, auth must be a table with names");
        auth = "{\"token\":" + json_string(token) +
               (auth.size() > 2 ? "," + auth.substr(1) : std::string("}"));
    }
    lua_pop(state, 1);
    return auth;
}

/// connect(nsp, options) or connect(options): the client, or nil and the refusal.
int lua_connect(lua_State* state) {
    TestWorld& world = world_for(state, "connect");
    lua_settop(state, 2);
    int options = lua_istable(state, 1) ? 1 : lua_isnil(state, 2) ? 0 : 2;
    std::string nsp = "/";
    if (options != 1) nsp = check_text(state, 1);
    if (options != 0) {
        luaL_checktype(state, options, LUA_TTABLE);
        check_option_names(state, options, "connect", "nsp auth user query headers address secure");
        lua_getfield(state, options, "nsp");
        if (!lua_isnil(state, -1)) nsp = check_text(state, lua_gettop(state));
        lua_settop(state, 2);
    }
    const std::string auth = read_auth(state, options);
    engineio::Handshake handshake = read_handshake(state, options, world.reactor().wall_now());
    if (const RequestDecision decision = ask_hooks(world, handshake); !decision.allowed)
        return push_hook_refusal(state, decision);
    return join(state, world, world.open(std::move(handshake), bench_of(state).question()),
                std::move(nsp), auth);
}

/// client:connect(nsp, {auth}): another namespace over the same connection.
int client_connect(lua_State* state) {
    const ClientObject& client = check_client(state, 1);
    TestWorld& world = world_for(state, "connect");
    std::string nsp(check_text(state, 2));
    const int options = lua_isnoneornil(state, 3) ? 0 : 3;
    if (options != 0) {
        luaL_checktype(state, options, LUA_TTABLE);
        check_option_names(state, options, "connect", "auth user");
    }
    return join(state, world, client.session, std::move(nsp), read_auth(state, options));
}

int client_emit(lua_State* state) {
    const ClientObject& client = check_client(state, 1);
    TestWorld& world = world_for(state, "emit");
    const auto event = check_payload(state, check_text(state, 2), 3, lua_gettop(state));
    if (client.socket->state != State::connected) return push_reason(state, "disconnected");
    client.session->emit(*client.socket, event, std::nullopt);
    world.settle();
    bench_of(state).check_time(state);
    lua_pushboolean(state, true);
    return 1;
}

/// Sends what is on the stack from 2 on, and asks for an acknowledgement.
socketio::AckId send_question(lua_State* state, const ClientObject& client) {
    const auto event = check_payload(state, check_text(state, 2), 3, lua_gettop(state));
    const socketio::AckId id = ++client.socket->last_question;
    if (client.socket->state == State::connected) client.session->emit(*client.socket, event, id);
    return id;
}

int await_answer(lua_State* state, TestWorld& world, TestSocket& socket, socketio::AckId id,
                 Duration patience) {
    const auto answered = [&] { return socket.answers.contains(id); };
    world.wait([&] { return answered() || socket.state == State::gone; }, patience);
    bench_of(state).check_time(state);
    if (!answered())
        return push_reason(state, socket.state == State::gone ? "disconnected" : "timeout");
    return push_decoded(state, socket.answers.at(id), 0);
}

/// client:call(event, ...): the acknowledgement's values, or nil and why there is none.
int client_call(lua_State* state) {
    const ClientObject& client = check_client(state, 1);
    TestWorld& world = world_for(state, "call");
    const socketio::AckId id = send_question(state, client);
    return await_answer(state, world, *client.socket, id, kTestPatience);
}

/// client:start(event, ...): the same without waiting.
int client_start(lua_State* state) {
    const ClientObject& client = check_client(state, 1);
    TestWorld& world = world_for(state, "start");
    const socketio::AckId id = send_question(state, client);
    world.settle();
    bench_of(state).check_time(state);
    push_object<ReplyObject>(state, kTestReplyMetatableKey, client, id);
    return 1;
}

int reply_wait(lua_State* state) {
    auto* reply = to_object<ReplyObject>(state, 1, kTestReplyMetatableKey);
    if (!reply) return luaL_typerror(state, 1, "reply (call its methods with ':')");
    if (reply->client.serial != bench_of(state).serial())
        return luaL_error(state, "this reply belongs to another test");
    TestWorld& world = world_for(state, "wait");
    return await_answer(state, world, *reply->client.socket, reply->id,
                        optional_seconds(state, 2));
}

/// Takes the first unread event (of that name, unless empty), waiting for it.
TestSocket::Event* take_event(lua_State* state, std::string_view name, int seconds,
                              const char* call) {
    const ClientObject& client = check_client(state, 1);
    TestWorld& world = world_for(state, call);
    TestSocket::Event* found = nullptr;
    world.wait(
        [&] {
            for (TestSocket::Event& each : client.socket->events)
                if (!found && !each.read && (name.empty() || each.name == name)) found = &each;
            return found != nullptr;
        },
        optional_seconds(state, seconds));
    bench_of(state).check_time(state);
    if (found) found->read = true;
    return found;
}

/// client:wait_for(event, seconds): its arguments, or nil and "timeout".
int client_wait_for(lua_State* state) {
    const std::string name(check_text(state, 2));
    const TestSocket::Event* event = take_event(state, name, 3, "wait_for");
    return event ? push_decoded(state, event->payload, 1) : push_reason(state, "timeout");
}

/// client:recv(seconds): the next event's name and arguments, or nil and "timeout".
int client_recv(lua_State* state) {
    const TestSocket::Event* event = take_event(state, "", 2, "recv");
    return event ? push_decoded(state, event->payload, 0) : push_reason(state, "timeout");
}

/// client:received(event): the first argument of each; without a name `{name, ...}` of all.
int client_received(lua_State* state) {
    const ClientObject& client = check_client(state, 1);
    const bool all = lua_isnoneornil(state, 2);
    const std::string name(all ? std::string_view() : check_text(state, 2));
    lua_newtable(state);
    const int list = lua_gettop(state);
    int count = 0;
    for (const TestSocket::Event& event : client.socket->events) {
        if (!all && event.name != name) continue;
        if (all) {
            if (!decode_json(state, event.payload.json, event.payload.attachments))
                return luaL_error(state, "bad event");
        } else if (push_decoded(state, event.payload, 1) == 0) {
            push_null(state);
        }
        lua_settop(state, list + 1);
        lua_rawseti(state, list, ++count);
    }
    return 1;
}

int client_clear(lua_State* state) {
    check_client(state, 1).socket->events.clear();
    return 0;
}

/// client:on_call(event, fn): what fn returns answers the server's calls.
int client_on_call(lua_State* state) {
    const ClientObject& client = check_client(state, 1);
    std::string event(check_text(state, 2));
    luaL_checktype(state, 3, LUA_TFUNCTION);
    lua_settop(state, 3);
    bench_of(state).responders.push_back({client.socket, std::move(event), LuaRef::pop(state)});
    return 0;
}

/// client:disconnect(): it leaves the namespace.
int client_disconnect(lua_State* state) {
    const ClientObject& client = check_client(state, 1);
    TestWorld& world = world_for(state, "disconnect");
    if (client.socket->state == State::connected) client.session->disconnect(*client.socket);
    world.settle();
    return 0;
}

/// client:drop(): its connection breaks.
int client_drop(lua_State* state) {
    const ClientObject& client = check_client(state, 1);
    TestWorld& world = world_for(state, "drop");
    client.session->drop();
    world.settle();
    return 0;
}

int index_client(lua_State* state) {
    const int field = find_member(state, "client");
    if (field == 0) return 1;
    const auto* client = to_object<ClientObject>(state, 1, kTestClientMetatableKey);
    switch (field) {
        case kId: push_string(state, client->socket->id); break;
        case kNsp: push_string(state, client->socket->nsp); break;
        default: lua_pushboolean(state, client->socket->state == State::connected);
    }
    return 1;
}

int index_reply(lua_State* state) {
    find_member(state, "reply");
    return 1;
}

}  // namespace

void install_test_clients(lua_State* state) {
    const luaL_Reg methods[] = {{"connect", client_connect},   {"emit", client_emit},
                                {"call", client_call},         {"start", client_start},
                                {"wait_for", client_wait_for}, {"recv", client_recv},
                                {"received", client_received}, {"clear", client_clear},
                                {"on_call", client_on_call},   {"disconnect", client_disconnect},
                                {"drop", client_drop},         {nullptr, nullptr}};
    const FieldName fields[] = {
        {"id", kId}, {"nsp", kNsp}, {"connected", kConnected}, {nullptr, 0}};
    make_metatable(state, kTestClientMetatableKey, "client", collect_object<ClientObject>,
                   index_client, methods, fields);
    const luaL_Reg reply_methods[] = {{"wait", reply_wait}, {nullptr, nullptr}};
    make_metatable(state, kTestReplyMetatableKey, "reply", collect_object<ReplyObject>,
                   index_reply, reply_methods, nullptr);
    lua_pushcfunction(state, lua_connect);
    lua_setfield(state, 1, "connect");
}

}  // namespace moonwire::script
