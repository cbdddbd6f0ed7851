#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/script/generation.hpp"
#include "core/script/option_table.hpp"
#include "core/script/test_world.hpp"

namespace moonwire::script {

/// Settings of the test that runs, by dotted key, as JSON: they win over the app's own.
using TestSettings = std::map<std::string, std::string, std::less<>>;

/// One `*_test.lua` in a Lua state of its own, with the API of tests instead of the handlers', and
/// the world of the test that runs.
///
/// One thread. Waiting calls turn the world's loop before they return, so what a test calls is
/// called from no loop, and what the loop calls (`on_call`, `http.on`) can't wait.
class TestBench {
public:
    struct Options {
        TestWorld::Options world;
        std::shared_ptr<const FoundScripts> with_demo;  // the world's if it is wanted, or null
        std::shared_ptr<const AppSources> app;
        std::shared_ptr<TestSettings> settings;  // what the app's `setting` asks first
        VmLimits limits;  // of the Lua state; the watchdog stops tests that run too long
        std::chrono::milliseconds test_time{10'000};  // real time of a test
    };
    struct Case {
        std::string name;  // with what it is in: "buying > needs a token"
        int line;
        bool skipped;
    };

    explicit TestBench(Options options);
    ~TestBench();

    /// Runs the file's top level, which declares the tests. What is wrong with it.
    std::optional<LoadError> load(const ScriptFile& file);
    const std::vector<Case>& cases() const noexcept { return cases_; }
    /// Whether the Lua pattern is found in a text; an error if it is malformed.
    Result<bool> matches(std::string_view text, std::string_view pattern);
    /// Runs a test; what is wrong, nothing if it passes.
    std::optional<std::string> run(std::size_t index);

    // For the API: `bench_of(state)`.
    /// Raises outside of tests, and in what the loop calls.
    void check_may_wait(lua_State* state, const char* call) const;
    /// The world of the test that runs, made when it is first needed. Raises outside of tests and
    /// what is wrong with the scripts.
    TestWorld& world(lua_State* state);
    bool has_world() const noexcept { return world_ != nullptr; }
    /// Raises once the test's real time is over.
    void check_time(lua_State* state) const;
    /// Which test runs: what one test made is of no use to another.
    std::uint64_t serial() const noexcept { return serial_; }
    /// Fails the test that runs, whatever its body does.
    void complain(std::string what) { complaints_.push_back(std::move(what)); }

    struct Responder {
        std::weak_ptr<TestSocket> socket;
        std::string event;
        LuaRef function;
    };
    struct HttpStub {
        std::string method, url;  // '*' stands for anything
        LuaRef function;
    };
    std::vector<Responder> responders;
    std::vector<HttpStub> http_stubs;
    TestSettings& settings() noexcept { return *options_.settings; }
    bool has_demo() const noexcept { return options_.with_demo != nullptr; }
    void want_demo() noexcept { demo_ = true; }
    void set_wall_start(double seconds) noexcept { wall_start_ = seconds; }
    double wall_now() const {
        return world_ ? world_->reactor().wall_now() : wall_start_;
    }
    TestSession::Question question();

private:
    Result<void> open();
    void read_cases();
    /// Leaves a function of the prelude's.
    void push_tool(const char* name);
    void answer_question(TestSession& session, const TestSocketPtr& socket, socketio::AckId id,
                         const TestSocket::Event& event);
    Result<IncomingResponse> answer_http(const OutgoingRequest& request);
    void end_test();

    const Options options_;
    Runtime runtime_;
    std::shared_ptr<Generation> generation_;
    LuaRef environment_, prelude_;
    std::vector<Case> cases_;
    std::unique_ptr<TestWorld> world_;
    std::vector<std::string> complaints_;
    double wall_start_;
    TimePoint deadline_ = TimePoint::max();
    std::uint64_t serial_ = 0;
    bool in_test_ = false, demo_ = false;
};

TestBench& bench_of(lua_State* state);

// The API's parts, a file each: they set their globals in the table at index 1. Protected.
void install_test_clients(lua_State* state);
void install_test_world(lua_State* state);
/// Pushes the table of what the prelude needs of C++. Protected.
void push_test_tools(lua_State* state);

/// The API's part in Lua (describe, it, expect): a chunk that gets the environment to fill and the
/// tools, and returns `tests`, a list of {name, where, skipped}; `begin(number)`: a test's functions
/// in order, and how many of them run only while none has failed; `finish(failure)`: what is wrong.
std::string_view test_prelude();

/// How long a simulated wait lasts where the test does not say.
inline constexpr std::chrono::seconds kTestPatience{10};

/// The value at `index` as JSON; raises.
std::string check_json(lua_State* state, int index);
/// The values from `first` to `last` as `[…]`, after the event's name if there is one; raises.
socketio::OwnedPayload check_payload(lua_State* state, std::string_view event, int first, int last);
/// The token of a simulated client that is this `user` (a field of the table at `index`); empty
/// without one; raises.
std::string check_user(lua_State* state, int index);
/// The names and values of the table at `index`, or none; raises.
std::vector<std::pair<std::string, std::string>> check_pairs(lua_State* state, int index,
                                                             const char* what);
/// Seconds at `index`; kTestPatience if there are none; raises.
Duration optional_seconds(lua_State* state, int index);
/// "a=b&c=d", encoded.
std::string query_text(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace moonwire::script
