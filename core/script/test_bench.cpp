#include "core/script/test_bench.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/script/api.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/loader.hpp"
#include "core/script/route_call.hpp"
#include "core/script/script_socket.hpp"

namespace moonwire::script {
namespace {

/// What modules that tests `require` may use of the handlers' API; the rest needs a broker.
constexpr std::string_view kKept[] = {"require", "json", "null",    "bytes", "is_bytes",
                                      "fail",    "env",  "setting", "uuid",  "log"};

/// What an after_each may use when the test has used up its time.
constexpr std::chrono::milliseconds kLeastBudget{100};

/// The names in the table at `index`.
std::set<std::string> names_in(lua_State* state, int index) {
    std::set<std::string> names;
    lua_pushnil(state);
    while (lua_next(state, index)) {
        lua_pop(state, 1);
        names.emplace(text_at(state, -1));
    }
    return names;
}

/// Whether a text with '*' for anything fits.
bool fits(std::string_view pattern, std::string_view text) {
    const std::size_t star = pattern.find('*');
    if (star == std::string_view::npos) return pattern == text;
    if (!text.starts_with(pattern.substr(0, star))) return false;
    pattern.remove_prefix(star + 1);
    for (std::size_t i = star; i <= text.size(); ++i)
        if (fits(pattern, text.substr(i))) return true;
    return false;
}

/// Pushes what `http.on`'s function gets.
void push_outgoing(lua_State* state, const OutgoingRequest& request) {
    lua_createtable(state, 0, 5);
    for (const auto& [name, value] : {std::pair{"method", &request.method},
                                      {"url", &request.url},
                                      {"body", &request.body}}) {
        push_string(state, *value);
        lua_setfield(state, -2, name);
    }
    push_pairs(state, request.headers);
    lua_setfield(state, -2, "headers");
    if (!request.body.empty() && decode_json(state, request.body)) lua_setfield(state, -2, "json");
}

}  // namespace

TestBench::TestBench(Options options)
    : options_(std::move(options)),
      runtime_(options_.limits, nullptr),
      wall_start_(options_.world.wall_start) {}

TestBench::~TestBench() {
    end_test();
    if (generation_) generation_->retire();
}

Result<void> TestBench::open() {
    lua_State* state = runtime_.state();
    generation_ = std::make_shared<Generation>(runtime_, 1, NamespaceSources{"", options_.app, {}});
    if (auto pushed = runtime_.push_environment(); !pushed) return pushed;
    auto opened = Vm::protect(state, 1, [&](lua_State* L) {
        lua_pushlightuserdata(L, this);
        lua_rawseti(L, LUA_REGISTRYINDEX, kTestBenchKey);
        register_api(L);
        generation_->open(L);
        std::set<std::string> keep = names_in(L, 1);
        for (const std::string_view name : kKept) keep.emplace(name);
        install_api(L, generation_);
        for (const std::string& name : names_in(L, 1)) {
            if (keep.contains(name)) continue;
            push_string(L, name);
            lua_pushnil(L);
            lua_rawset(L, 1);
        }
        // The guard against new globals is not to see what follows.
        lua_getmetatable(L, 1);
        lua_pushnil(L);
        lua_setmetatable(L, 1);
        install_test_clients(L);
        install_test_world(L);
        lua_setmetatable(L, 1);
        lua_pushvalue(L, 1);
        environment_ = LuaRef::pop(L);
        return 0;
    });
    if (!opened) return opened.error();
    // The prelude's globals are its own: it gets the tests' environment as a table to fill.
    if (auto pushed = runtime_.push_environment(); !pushed) return pushed;
    if (auto compiled = runtime_.load(test_prelude(), "=[moonwire]", -1); !compiled)
        return compiled;
    lua_remove(state, -2);
    auto pushed = Vm::protect(state, 0, [&](lua_State* L) {
        environment_.push(L);
        push_test_tools(L);
        return 2;
    });
    if (!pushed) return pushed.error();
    runtime_.begin_loading();  // new globals are welcome
    auto ran = runtime_.call(2, 1);
    runtime_.end_loading();
    if (!ran) return ran;
    auto kept = Vm::protect(state, 1, [&](lua_State* L) {
        prelude_ = LuaRef::pop(L);
        return 0;
    });
    if (!kept) return kept.error();
    return {};
}

std::optional<LoadError> TestBench::load(const ScriptFile& file) {
    lua_State* state = runtime_.state();
    if (auto opened = open(); !opened) return LoadError{file.path, 0, opened.error().message};
    environment_.push(state);
    const int environment = lua_gettop(state);
    auto ran = runtime_.load(file.source, file.path, environment);
    if (ran) {
        runtime_.begin_loading();
        ran = runtime_.call(0, 0, options_.test_time);
        runtime_.end_loading();
    }
    lua_settop(state, environment - 1);
    if (!ran) return load_error(NamespaceSources{"", options_.app, {file}}, file.path, ran.error().message);
    read_cases();
    return std::nullopt;
}

void TestBench::read_cases() {
    (void)Vm::protect(runtime_.state(), 0, [&](lua_State* L) {
        prelude_.push(L);
        lua_getfield(L, -1, "tests");
        const auto count = lua_objlen(L, -1);
        for (std::size_t i = 1; i <= count; ++i) {
            lua_rawgeti(L, -1, static_cast<int>(i));
            lua_getfield(L, -1, "name");
            lua_getfield(L, -2, "where");
            lua_getfield(L, -3, "skipped");
            const std::string_view where = text_at(L, -2);
            int line = 0;
            if (const auto colon = where.rfind(':'); colon != std::string_view::npos)
                std::from_chars(where.data() + colon + 1, where.data() + where.size(), line);
            cases_.push_back({std::string(text_at(L, -3)), line, lua_toboolean(L, -1) != 0});
            lua_pop(L, 4);
        }
        return 0;
    });
}

Result<bool> TestBench::matches(std::string_view text, std::string_view pattern) {
    bool found = false;
    auto searched = Vm::protect(runtime_.state(), 0, [&](lua_State* L) {
        lua_getfield(L, LUA_GLOBALSINDEX, "string");
        lua_getfield(L, -1, "find");
        push_string(L, text);
        push_string(L, pattern);
        lua_call(L, 2, 1);
        found = lua_toboolean(L, -1);
        return 0;
    });
    if (!searched) return searched.error();
    return found;
}

void TestBench::push_tool(const char* name) {
    lua_State* state = runtime_.state();
    prelude_.push(state);
    lua_getfield(state, -1, name);  // it is there since `open`: nothing is allocated
    lua_remove(state, -2);
}

std::optional<std::string> TestBench::run(std::size_t index) {
    lua_State* state = runtime_.state();
    const int base = lua_gettop(state);
    ++serial_;
    in_test_ = true;
    deadline_ = Clock::now() + options_.test_time;
    std::optional<std::string> failure;
    const auto call = [&](int arguments, int results, Duration budget) {
        auto ran = runtime_.call(arguments, results, budget);
        if (!ran && !failure) failure = ran.error().message;
        return ran.has_value();
    };
    push_tool("begin");
    lua_pushinteger(state, static_cast<lua_Integer>(index) + 1);
    if (call(1, 2, options_.test_time)) {
        const int last = static_cast<int>(lua_objlen(state, base + 1));
        const int until_failure = static_cast<int>(lua_tointeger(state, base + 2));
        for (int i = 1; i <= last; ++i) {
            if (failure && i <= until_failure) continue;
            lua_rawgeti(state, base + 1, i);
            call(0, 0, std::max<Duration>(deadline_ - Clock::now(), kLeastBudget));
        }
    }
    for (std::string& complaint : complaints_) {
        if (failure) *failure += "\n" + complaint;
        else failure = std::move(complaint);
    }
    push_tool("finish");
    const auto pushed = Vm::protect(state, 0, [&](lua_State* L) {
        if (failure) push_string(L, *failure);
        else lua_pushnil(L);
        return 1;
    });
    if (pushed && call(1, 1, options_.test_time)) {
        if (lua_isstring(state, -1)) failure = std::string(text_at(state, -1));
        else failure.reset();
    }
    lua_settop(state, base);
    end_test();
    return failure;
}

void TestBench::end_test() {
    in_test_ = demo_ = false;
    deadline_ = TimePoint::max();
    world_.reset();
    responders.clear();
    http_stubs.clear();
    complaints_.clear();
    options_.settings->clear();
    wall_start_ = options_.world.wall_start;
}

void TestBench::check_may_wait(lua_State* state, const char* call) const {
    if (!in_test_) luaL_error(state, "%s can only be used in a test", call);
    if (world_ && world_->turning())
        luaL_error(state, "%s can't be used in what on_call or http.on call", call);
}

TestWorld& TestBench::world(lua_State* state) {
    if (!in_test_) luaL_error(state, "this can only be used in a test");
    if (world_) return *world_;
    TestWorld::Options options = options_.world;
    if (demo_) options.host.sources = options_.with_demo;
    options.wall_start = wall_start_;
    options.deadline = deadline_;
    auto made = std::make_unique<TestWorld>(std::move(options));
    made->answer_http([this](const OutgoingRequest& request) { return answer_http(request); });
    std::string problems;
    for (const LoadError& error : made->load())
        problems += "\n  " + error.file + ":" + std::to_string(error.line) + ": " + error.message;
    if (!problems.empty()) {
        made.reset();
        push_string(state, "the scripts don't load:" + problems);
        lua_error(state);
    }
    world_ = std::move(made);
    return *world_;
}

void TestBench::check_time(lua_State* state) const {
    if (Clock::now() < deadline_) return;
    luaL_where(state, 1);
    lua_pushfstring(state, "the test took longer than %d ms",
                    static_cast<int>(options_.test_time.count()));
    lua_concat(state, 2);
    lua_error(state);
}

TestSession::Question TestBench::question() {
    return [this](TestSession& session, const TestSocketPtr& socket, socketio::AckId id,
                  const TestSocket::Event& event) { answer_question(session, socket, id, event); };
}

void TestBench::answer_question(TestSession& session, const TestSocketPtr& socket,
                                socketio::AckId id, const TestSocket::Event& event) {
    const Responder* found = nullptr;
    for (const Responder& each : responders)
        if (each.event == event.name && each.socket.lock() == socket) found = &each;
    if (!found) return;
    socketio::OwnedPayload answer;
    auto answered = Vm::protect(runtime_.state(), 0, [&](lua_State* L) {
        found->function.push(L);
        const auto& [json, attachments] = event.payload;
        auto count = decode_json_array(L, json, attachments, 1);
        if (!count) return luaL_error(L, "%s", count.error().message.c_str());
        lua_call(L, *count, LUA_MULTRET);
        answer = check_payload(L, "", 1, lua_gettop(L));
        return 0;
    });
    if (answered) session.acknowledge(*socket, id, answer);
    else complain("on_call \"" + event.name + "\": " + answered.error().message);
}

Result<IncomingResponse> TestBench::answer_http(const OutgoingRequest& request) {
    const HttpStub* found = nullptr;
    for (const HttpStub& each : http_stubs)
        if (fits(each.method, request.method) && fits(each.url, request.url)) found = &each;
    const std::string line = request.method + " " + request.url;
    if (!found) {
        complain("unexpected HTTP request: " + line + " (http.on says what answers)");
        return Error{"unexpected request"};
    }
    Result<RouteResponse> response = Error{};
    std::optional<Error> refused;
    auto answered = Vm::protect(runtime_.state(), 0, [&](lua_State* L) {
        found->function.push(L);
        push_outgoing(L, request);
        lua_call(L, 1, LUA_MULTRET);
        if (lua_isnil(L, 1) && lua_isstring(L, 2)) refused = Error{std::string(text_at(L, 2))};
        else response = read_response(L, lua_gettop(L));
        return 0;
    });
    if (refused) return *refused;
    if (answered && response)
        return IncomingResponse{response->status, std::move(response->headers),
                                std::move(response->body)};
    const Error& problem = answered ? response.error() : answered.error();
    complain("http.on for " + line + ": " + problem.message);
    return problem;
}

TestBench& bench_of(lua_State* state) {
    lua_rawgeti(state, LUA_REGISTRYINDEX, kTestBenchKey);
    auto* bench = static_cast<TestBench*>(lua_touserdata(state, -1));
    lua_pop(state, 1);
    return *bench;
}

std::string check_json(lua_State* state, int index) {
    Encoded encoded;
    if (auto done = encode_json(state, index, encoded, BinaryValues::refused); !done)
        luaL_error(state, "%s", done.error().message.c_str());
    return std::move(encoded.json);
}

std::string check_user(lua_State* state, int index) {
    lua_getfield(state, index, "user");
    std::string token;
    if (!lua_isnil(state, -1)) {
        if (!lua_istable(state, -1)) luaL_error(state, "user must be a table: a token's claims");
        const std::string claims = check_json(state, lua_gettop(state));
        lua_getfield(state, -1, "exp");
        token = TestPlugins::token_for(claims == "[]" ? "{}" : claims, lua_tonumber(state, -1));
        lua_pop(state, 1);
    }
    lua_pop(state, 1);
    return token;
}

socketio::OwnedPayload check_payload(lua_State* state, std::string_view event, int first,
                                     int last) {
    Encoded encoded;
    if (auto done = encode_json_array(state, event, first, last, encoded); !done)
        luaL_error(state, "%s", done.error().message.c_str());
    return socketio::OwnedPayload({encoded.json, encoded.attachments});
}

std::vector<std::pair<std::string, std::string>> check_pairs(lua_State* state, int index,
                                                             const char* what) {
    std::vector<std::pair<std::string, std::string>> pairs;
    if (lua_isnil(state, index)) return pairs;
    if (!lua_istable(state, index)) luaL_error(state, "%s are a table of texts", what);
    lua_pushnil(state);
    while (lua_next(state, index)) {
        if (lua_type(state, -2) != LUA_TSTRING || !lua_isstring(state, -1))
            luaL_error(state, "%s are a table of texts", what);
        lua_pushvalue(state, -1);
        pairs.emplace_back(text_at(state, -3), std::string_view(lua_tostring(state, -1)));
        lua_pop(state, 2);
    }
    return pairs;
}

std::string query_text(const std::vector<std::pair<std::string, std::string>>& pairs) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string text;
    const auto append = [&](std::string_view part) {
        for (const char c : part) {
            const auto byte = static_cast<unsigned char>(c);
            if (std::isalnum(byte) || std::string_view("-._~").find(c) != std::string_view::npos)
                text += c;
            else (((text += '%') += kHex[byte >> 4]) += kHex[byte & 15]);
        }
    };
    for (const auto& [name, value] : pairs) {
        if (!text.empty()) text += '&';
        append(name);
        text += '=';
        append(value);
    }
    return text;
}

Duration optional_seconds(lua_State* state, int index) {
    return lua_isnoneornil(state, index) ? Duration(kTestPatience) : check_seconds(state, index);
}

}  // namespace moonwire::script
