// What tests see of the world besides clients: its clock, routes, HTTP, logs, settings and state.
#include <algorithm>
#include <ctime>

#include "core/script/api.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/schema.hpp"
#include "core/script/script_socket.hpp"
#include "core/script/test_bench.hpp"

namespace moonwire::script {
namespace {

constexpr int kMaxStateDepth = 100;

/// advance(seconds)
int lua_advance(lua_State* state) {
    TestBench& bench = bench_of(state);
    bench.check_may_wait(state, "advance");
    const Duration by = check_seconds(state, 1);
    bench.world(state).advance(by);
    bench.check_time(state);
    return 0;
}

int lua_now(lua_State* state) {
    lua_pushnumber(state, bench_of(state).wall_now());
    return 1;
}

int lua_iso_time(lua_State* state) {
    push_string(state, iso_time(luaL_optnumber(state, 1, bench_of(state).wall_now())));
    return 1;
}

/// What must be said before the test's scripts are loaded.
void check_early(lua_State* state, const char* call) {
    const TestBench& bench = bench_of(state);
    bench.check_may_wait(state, call);
    if (bench.has_world())
        luaL_error(state, "%s must come before the test's first connect, request, advance or the like",
                   call);
}

/// clock(seconds or "2026-03-01T08:00:00Z"): when the test begins.
int lua_clock(lua_State* state) {
    check_early(state, "clock");
    if (lua_type(state, 1) == LUA_TNUMBER) {
        bench_of(state).set_wall_start(lua_tonumber(state, 1));
        return 0;
    }
    const char* text = luaL_checkstring(state, 1);
    std::tm utc{};
    const char* end = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    luaL_argcheck(state, end && std::string_view(end) == "Z", 1,
                  "seconds or \"2026-03-01T08:00:00Z\" expected");
    bench_of(state).set_wall_start(static_cast<double>(timegm(&utc)));
    return 0;
}

/// demo(): the app's demo.lua is loaded, too.
int lua_demo(lua_State* state) {
    check_early(state, "demo");
    TestBench& bench = bench_of(state);
    if (!bench.has_demo()) return luaL_error(state, "the app has no demo.lua");
    bench.want_demo();
    return 0;
}

/// settings {["depot.queue_limit"] = 2}
int lua_settings(lua_State* state) {
    check_early(state, "settings");
    luaL_checktype(state, 1, LUA_TTABLE);
    lua_settop(state, 1);
    lua_pushnil(state);
    while (lua_next(state, 1)) {
        if (lua_type(state, -2) != LUA_TSTRING)
            return luaL_error(state, "settings are given by their names: "
                                     "settings {[\"shop.limit\"] = 3}");
        std::string value = check_json(state, lua_gettop(state));
        bench_of(state).settings().insert_or_assign(std::string(text_at(state, -2)),
                                                    std::move(value));
        lua_pop(state, 1);
    }
    return 0;
}

/// http.on(method, url, fn(request)): fn returns status, body, headers, or nil and why it fails.
int lua_http_on(lua_State* state) {
    std::string method(check_text(state, 1)), url(check_text(state, 2));
    luaL_checktype(state, 3, LUA_TFUNCTION);
    lua_settop(state, 3);
    TestBench& bench = bench_of(state);
    bench.check_may_wait(state, "http.on");
    bench.http_stubs.push_back({std::move(method), std::move(url), LuaRef::pop(state)});
    return 0;
}

RouteRequest read_request(lua_State* state) {
    RouteRequest request;
    request.method = check_text(state, 1);
    const std::string_view target = check_text(state, 2);
    request.path = target.substr(0, target.find('?'));
    if (request.path.size() < target.size()) request.query = target.substr(request.path.size() + 1);
    request.address = "127.0.0.1";
    lua_settop(state, 3);
    if (lua_isnil(state, 3)) return request;
    luaL_checktype(state, 3, LUA_TTABLE);
    check_option_names(state, 3, "request", "body json headers query address secure user");
    lua_getfield(state, 3, "headers");
    request.headers = check_pairs(state, 4, "headers");
    lua_getfield(state, 3, "query");
    if (const auto query = check_pairs(state, 5, "query"); !query.empty())
        request.query += (request.query.empty() ? "" : "&") + query_text(query);
    lua_getfield(state, 3, "body");
    if (!lua_isnil(state, 6)) request.body = check_text(state, 6);
    lua_getfield(state, 3, "json");
    if (!lua_isnil(state, 7)) {
        request.body = check_json(state, 7);
        request.headers.emplace_back("content-type", "application/json");
    }
    lua_getfield(state, 3, "address");
    if (!lua_isnil(state, 8)) request.address = check_text(state, 8);
    lua_getfield(state, 3, "secure");
    request.secure = lua_toboolean(state, 9);
    if (const std::string token = check_user(state, 3); !token.empty())
        request.headers.emplace_back("authorization", "Bearer " + token);
    return request;
}

/// request(method, path, options): status, body (decoded if it is JSON), headers; or nil, "timeout".
int lua_request(lua_State* state) {
    TestBench& bench = bench_of(state);
    bench.check_may_wait(state, "request");
    TestWorld& world = bench.world(state);
    const auto response = std::make_shared<std::optional<RouteResponse>>();
    const bool taken = world.host().route(read_request(state), [response](RouteResponse given) {
        *response = std::move(given);
    });
    if (!taken) *response = {404, {{"content-type", "text/plain; charset=UTF-8"}}, "Not Found\n"};
    world.wait([&] { return response->has_value(); }, kTestPatience);
    bench.check_time(state);
    if (!*response) {
        lua_pushnil(state);
        lua_pushliteral(state, "timeout");
        return 2;
    }
    lua_pushinteger(state, static_cast<lua_Integer>((*response)->status));
    bool is_json = false;
    for (const auto& [name, value] : (*response)->headers)
        is_json = is_json || (name == "content-type" && value.starts_with("application/json"));
    if (!is_json || !decode_json(state, (*response)->body)) push_string(state, (*response)->body);
    push_pairs(state, (*response)->headers);
    return 3;
}

/// The scripts that serve a namespace, a family or a member of one; raises.
std::shared_ptr<NamespaceVm> find_scripts_of(lua_State* state, TestWorld& world,
                                             std::string_view nsp) {
    if (auto vm = world.host().find(nsp)) return vm;
    if (const auto member = world.server().find(nsp))
        if (auto vm = std::dynamic_pointer_cast<NamespaceVm>(member->handler())) return vm;
    luaL_error(state, "no such namespace %s", std::string(nsp).c_str());
    return nullptr;
}

/// ask(nsp, name, ...): what the function that it serves returns; or nil, why, code.
int lua_ask(lua_State* state) {
    TestBench& bench = bench_of(state);
    bench.check_may_wait(state, "ask");
    TestWorld& world = bench.world(state);
    const auto vm = find_scripts_of(state, world, check_text(state, 1));
    std::string function(check_text(state, 2));
    auto arguments = check_payload(state, "", 3, lua_gettop(state));
    const auto served = std::make_shared<std::optional<Served>>();
    vm->serve({std::move(function), std::move(arguments), nullptr},
              {[served](Served given) { *served = std::move(given); }, Served{}});
    const bool answered = world.wait([&] { return served->has_value(); }, kTestPatience);
    bench.check_time(state);
    if (answered) return push_served(state, **served);
    lua_pushnil(state);
    lua_pushliteral(state, "timeout");
    return 2;
}

/// server_emit(nsp, event, ...): as another node or namespace would.
int lua_server_emit(lua_State* state) {
    TestBench& bench = bench_of(state);
    bench.check_may_wait(state, "server_emit");
    TestWorld& world = bench.world(state);
    const std::string event(check_text(state, 2));
    const auto payload = check_payload(state, event, 3, lua_gettop(state));
    const auto nsp = world.server().find(check_text(state, 1));
    if (!nsp) return luaL_error(state, "no such namespace %s", lua_tostring(state, 1));
    nsp->server_event(event, payload.view());
    world.settle();
    bench.check_time(state);
    return 0;
}

/// Copies plain data from one Lua state to another. Protected in both.
void copy_over(lua_State* from, int index, lua_State* to, int depth) {
    if (depth > kMaxStateDepth) luaL_error(to, "the state is nested too deeply");
    luaL_checkstack(from, 4, "state");
    luaL_checkstack(to, 4, "state");
    switch (lua_type(from, index)) {
        case LUA_TNUMBER: return lua_pushnumber(to, lua_tonumber(from, index));
        case LUA_TBOOLEAN: return lua_pushboolean(to, lua_toboolean(from, index));
        case LUA_TSTRING: return push_string(to, text_at(from, index));
        case LUA_TTABLE: break;
        default:
            if (is_null(from, index)) return push_null(to);
            if (const SharedBytes* bytes = to_bytes(from, index)) return push_bytes(to, *bytes);
            push_string(to, luaL_typename(from, index));
            return;
    }
    lua_newtable(to);
    if (is_marked_array(from, index)) mark_array(to, lua_gettop(to));
    const int table = lua_gettop(to);
    lua_pushnil(from);
    while (lua_next(from, index)) {
        const int value = lua_gettop(from);
        copy_over(from, value - 1, to, depth + 1);
        copy_over(from, value, to, depth + 1);
        lua_rawset(to, table);
        lua_settop(from, value - 1);
    }
}

/// state(nsp): a copy of its `ns.state`.
int lua_state_of(lua_State* state) {
    TestBench& bench = bench_of(state);
    bench.check_may_wait(state, "state");
    const auto vm = find_scripts_of(state, bench.world(state), check_text(state, 1));
    const int base = lua_gettop(state);
    Runtime& runtime = *vm->runtime();
    const auto copied = Vm::protect(runtime.state(), 0, [&](lua_State* from) {
        runtime.state_table.push(from);
        // What the copy raises must stay in its own Lua state.
        const auto made = Vm::protect(state, 0, [&](lua_State* to) {
            copy_over(from, lua_gettop(from), to, 0);
            return 1;
        });
        if (!made) luaL_error(from, "%s", made.error().message.c_str());
        return 0;
    });
    if (!copied) return luaL_error(state, "%s", copied.error().message.c_str());
    return lua_gettop(state) - base;
}

/// logs(): {{level, message, fields}…} so far.
int lua_logs(lua_State* state) {
    static constexpr const char* kNames[] = {"debug", "info", "warn", "error", "off"};
    TestBench& bench = bench_of(state);
    lua_newtable(state);
    if (!bench.has_world()) return 1;
    int count = 0;
    for (const TestWorld::LogLine& line : bench.world(state).logged()) {
        lua_createtable(state, 0, 3);
        lua_pushstring(state, kNames[static_cast<int>(line.level)]);
        lua_setfield(state, -2, "level");
        push_string(state, line.message);
        lua_setfield(state, -2, "message");
        lua_createtable(state, 0, static_cast<int>(line.fields.size()));
        for (const log::Field& field : line.fields) {
            if (field.quoted || !decode_json(state, field.value)) push_string(state, field.value);
            lua_setfield(state, -2, field.name.c_str());
        }
        lua_setfield(state, -2, "fields");
        lua_rawseti(state, -2, ++count);
    }
    return 1;
}

/// metric(name, labels): what the series with these labels come to together; of a histogram how many
/// there were, and their sum. Nil if there are none.
int lua_metric(lua_State* state) {
    TestBench& bench = bench_of(state);
    bench.check_may_wait(state, "metric");
    lua_settop(state, 2);
    const std::string name(check_text(state, 1));
    const auto wanted = check_pairs(state, 2, "labels");
    const plugin::Metrics all = bench.world(state).host().metrics();
    const auto family = std::find_if(all.begin(), all.end(),
                                     [&](const auto& each) { return each.name == name; });
    if (family == all.end()) return luaL_error(state, "no script has a metric '%s'", name.c_str());
    const auto has = [&](const plugin::MetricSample& sample, const std::string& label,
                         const std::string& value) {
        for (std::size_t i = 0; i < family->labels.size(); ++i)
            if (family->labels[i] == label) return sample.labels[i] == value;
        return false;
    };
    double sum = 0;
    std::uint64_t count = 0, series = 0;
    for (const plugin::MetricSample& sample : family->samples) {
        if (!std::all_of(wanted.begin(), wanted.end(),
                         [&](const auto& each) { return has(sample, each.first, each.second); }))
            continue;
        ++series;
        sum += sample.value;
        for (const std::uint64_t each : sample.counts) count += each;
    }
    if (series == 0) return 0;
    const bool histogram = family->kind == plugin::MetricKind::histogram;
    if (histogram) lua_pushnumber(state, static_cast<lua_Number>(count));
    lua_pushnumber(state, sum);
    return histogram ? 2 : 1;
}

/// where(level): "file:line" of the caller so many levels up.
int tool_where(lua_State* state) {
    luaL_where(state, static_cast<int>(luaL_checkinteger(state, 1)));
    std::string_view where = text_at(state, -1);
    if (where.ends_with(": ")) where.remove_suffix(2);
    push_string(state, where);
    return 1;
}

int tool_is_schema(lua_State* state) {
    luaL_checkany(state, 1);
    lua_pushboolean(state, is_schema(state, 1));
    return 1;
}

}  // namespace

void install_test_world(lua_State* state) {
    const luaL_Reg functions[] = {
        {"advance", lua_advance},   {"now", lua_now},         {"iso_time", lua_iso_time},
        {"clock", lua_clock},       {"settings", lua_settings}, {"request", lua_request},
        {"ask", lua_ask},           {"state", lua_state_of},  {"server_emit", lua_server_emit},
        {"logs", lua_logs},         {"demo", lua_demo},       {"metric", lua_metric},
        {nullptr, nullptr}};
    for (const luaL_Reg* each = functions; each->name; ++each) {
        lua_pushcfunction(state, each->func);
        lua_setfield(state, 1, each->name);
    }
    lua_createtable(state, 0, 1);
    lua_pushcfunction(state, lua_http_on);
    lua_setfield(state, -2, "on");
    lua_setfield(state, 1, "http");
}

void push_test_tools(lua_State* state) {
    const luaL_Reg tools[] = {
        {"where", tool_where}, {"is_schema", tool_is_schema}, {nullptr, nullptr}};
    lua_newtable(state);
    luaL_register(state, nullptr, tools);
}

}  // namespace moonwire::script
