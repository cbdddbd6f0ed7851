// NamespaceVm's answers to other namespaces (`ask`) and to HTTP (`route`).
#include "core/script/api.hpp"
#include "core/script/arguments.hpp"
#include "core/script/authentication.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/route_call.hpp"
#include "core/script/tasks.hpp"

namespace moonwire::script {

void NamespaceVm::serve(ServiceCall call, Once<Served> reply) {
    home_.post([self = shared_from_this(), call = std::move(call),
                reply = std::move(reply)]() mutable { self->run_service(call, std::move(reply)); });
}

const Registered* NamespaceVm::find_service(const Generation& generation,
                                            const ServiceCall& call) const {
    const auto& functions = call.plugin.empty() ? generation.services : generation.handled;
    const auto found =
        functions.find(call.plugin.empty() ? call.function : call.plugin + "." + call.function);
    return found == functions.end() ? nullptr : &found->second;
}

void NamespaceVm::run_service(const ServiceCall& call, Once<Served> reply) {
    if (!runtime_) return;
    const auto generation = generation_;
    const Registered* found = find_service(*generation, call);
    Served refused;
    if (!found) {
        const bool of_plugin = !call.plugin.empty();
        refused.error = of_plugin
                            ? "nothing in " + name_ + " handles " + call.function + " of plugin " +
                                  call.plugin
                            : "no such function " + call.function + " in " + name_;
        if (of_plugin) refused.code = "unavailable";
        return reply(std::move(refused));
    }
    if (!call.plugin.empty()) refused.code = "busy";
    Scheduler::Task* task = scheduler().open(
        {generation, TaskKind::foreground, {}, call.origin},
        [&](lua_State* state) {
            generation->push(state, found->slot);
            auto count =
                decode_json_array(state, call.arguments.json, call.arguments.attachments, 0);
            if (count) return *count;
            refused.error = count.error().message;
            refused.code.clear();
            refused.is_bug = true;
            return -1;
        },
        &refused.error);
    if (!task) return reply(std::move(refused));
    scheduler().set_done(*task, [this, generation, plugin = call.plugin, name = call.function,
                                 reply = std::move(reply)](Outcome& outcome) mutable {
        Served served;
        Failure failure;
        if (outcome.ok) {
            Encoded& encoded = runtime_->encoded;
            encoded.clear();
            auto done = encode_json_array(outcome.thread, "", 1, outcome.results, encoded);
            if (done) {
                served.ok = true;
                served.values = socketio::OwnedPayload({encoded.json, encoded.attachments});
                return reply(std::move(served));
            }
            failure.message = failure.traceback = "the function's result: " + done.error().message;
        } else {
            failure = describe_failure(runtime_->state(), outcome);
            failure.traceback += origin_trail(outcome.origin);
        }
        if (failure.is_bug)
            log_bug(*generation, plugin.empty() ? "serve" : "plugin." + plugin, name, failure);
        served.error = failure.message;
        served.code = failure.stopped ? "busy" : failure.code;
        served.data_json = failure.data_json;
        served.is_bug = failure.is_bug;
        reply(std::move(served));
    });
    scheduler().run(*task);
}

void NamespaceVm::answer_route(RouteCall call, Once<RouteResponse> respond) {
    home_.post([self = shared_from_this(), call = std::move(call),
                respond = std::move(respond)]() mutable {
        self->run_route(std::move(call), std::move(respond));
    });
}

void NamespaceVm::run_route(RouteCall call, Once<RouteResponse> respond) {
    if (!runtime_) return;
    const auto generation = generation_;
    const Route* route = nullptr;
    for (const Route& each : generation->routes)
        if (each.method == call.method && each.pattern.shape() == call.shape) route = &each;
    if (!route) return respond(error_response(404, "not_found", "not found"));

    if (route->auth)
        return authenticate_route(std::move(call), *route, generation, std::move(respond));
    start_route(std::move(call), *route, generation, {}, std::move(respond));
}

void NamespaceVm::start_route(RouteCall call, const Route& route,
                              std::shared_ptr<Generation> generation, std::string claims,
                              Once<RouteResponse> respond) {
    Failure refused;
    std::string error;
    Scheduler::Task* task = scheduler().open(
        {generation, TaskKind::foreground, {}},
        [&](lua_State* state) {
            generation->push(state, route.handler);
            if (auto malformed = push_request(state, call, route.schema != 0)) {
                refused = *std::move(malformed);
                return -1;
            }
            if (!claims.empty()) {
                if (!decode_json(state, claims)) luaL_error(state, "the claims are not JSON");
                if (!route.auth->roles.empty() && !has_role(state, route.auth->roles)) {
                    refused = auth_failure("forbidden", "not for your role");
                    return -1;
                }
                lua_setfield(state, -2, "user");
            }
            if (route.schema == 0) return 1;
            refused = check_body(state, *generation, route.schema);
            return refused.code.empty() ? 1 : -1;
        },
        &error);
    if (!task) {
        if (!refused.code.empty()) return respond(failure_response(refused));
        log_task_not_started(*generation, "route", error);
        return respond(failure_response(busy_failure()));
    }
    scheduler().set_done(*task, [this, generation, name = std::string_view(route.position),
                                 respond = std::move(respond)](Outcome& outcome) mutable {
        Failure failure;
        if (outcome.ok) {
            auto response = read_response(outcome.thread, outcome.results);
            if (response) return respond(*std::move(response));
            failure.message = failure.traceback = "the route's result: " + response.error().message;
        } else {
            failure = describe_failure(runtime_->state(), outcome);
        }
        if (failure.is_bug) log_bug(*generation, "route", name, failure);
        respond(failure_response(failure));
    });
    scheduler().run(*task);
}

}  // namespace moonwire::script
