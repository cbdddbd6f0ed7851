// `on_request`: a script's say in whether a client may connect at all, before there is a session.
#include <algorithm>

#include "core/script/api.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/route_call.hpp"
#include "core/script/tasks.hpp"

namespace moonwire::script {
namespace {

constexpr const char* kName = "on_request";

/// `on_request(fn(request))`
int lua_on_request(lua_State* state) {
    Generation& generation = generation_of(state);
    if (generation.phase() != Generation::Phase::loading)
        return luaL_error(state, "on_request can only be used while a file loads");
    luaL_checktype(state, 1, LUA_TFUNCTION);
    lua_settop(state, 1);
    generation.append(state, generation.request_hooks);
    return 0;
}

/// What the answer is made of is not for scripts to say.
bool is_brokers_own(std::string_view name) {
    constexpr std::string_view kOwn[] = {
        "connection", "content-encoding",  "content-length", "content-type",
        "date",       "transfer-encoding", "upgrade"};
    return name.starts_with("sec-websocket-") ||
           std::find(std::begin(kOwn), std::end(kOwn), name) != std::end(kOwn);
}

/// The headers in the list of the functions' results on top.
Result<RequestDecision> read_decision(lua_State* thread) {
    RequestDecision decision;
    if (!lua_checkstack(thread, 8)) return Error{"stack overflow"};
    const int results = lua_gettop(thread);
    for (int i = 1;; ++i) {
        lua_rawgeti(thread, results, i);
        if (lua_isnil(thread, -1)) return decision;
        if (lua_toboolean(thread, -1)) {
            auto read = read_headers(thread, results + 1, decision.headers);
            if (!read) return read.error();
        }
        lua_settop(thread, results);
        for (const auto& [name, value] : decision.headers)
            if (is_brokers_own(name)) return Error{"the header '" + name + "' is the broker's own"};
    }
}

}  // namespace

void install_request_hooks(lua_State* state) {
    const luaL_Reg functions[] = {{kName, lua_on_request}, {nullptr, nullptr}};
    install_functions(state, 1, functions);
}

void NamespaceVm::answer_request(std::shared_ptr<const RouteRequest> request,
                                 Once<RequestDecision> decide) {
    home_.post([self = shared_from_this(), request = std::move(request),
                decide = std::move(decide)]() mutable {
        self->run_request_hooks(*request, std::move(decide));
    });
}

void NamespaceVm::run_request_hooks(const RouteRequest& request, Once<RequestDecision> decide) {
    if (!runtime_) return;
    const auto generation = generation_;
    // A reload may have taken them away.
    if (generation->request_hooks.count == 0) return decide({});
    std::string error;
    Scheduler::Task* task = scheduler().open(
        {generation, TaskKind::foreground, {}},
        [&](lua_State* state) {
            push_prelude(state, Prelude::collect);
            generation->push(state, generation->request_hooks.slot);
            push_request_line(state, request);
            return 2;
        },
        &error);
    if (!task) {
        log_task_not_started(*generation, kName, error);
        return decide({false, busy_failure().message, {}});
    }
    scheduler().set_done(
        *task, [this, generation, decide = std::move(decide)](Outcome& outcome) mutable {
            Failure failure;
            if (outcome.ok) {
                auto decision = read_decision(outcome.thread);
                if (decision) return decide(*std::move(decision));
                failure.message = failure.traceback = "the result: " + decision.error().message;
            } else {
                failure = describe_failure(runtime_->state(), outcome);
            }
            if (failure.is_bug) log_bug(*generation, "in", kName, failure);
            decide({false, failure.is_bug ? "" : failure.message, {}});
        });
    scheduler().run(*task);
}

}  // namespace moonwire::script
