// NamespaceVm's answers to who is there: `ns:require_auth`, routes with roles, tokens that expire.
#include <algorithm>

#include "core/base/log.hpp"
#include "core/script/authentication.hpp"
#include "core/script/extensions.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/route_call.hpp"
#include "core/script/script_socket.hpp"

namespace moonwire::script {
namespace {

/// The wall clock may be set, so nobody sleeps for longer without looking at it.
constexpr std::chrono::minutes kLongestSleep{10};
constexpr const char* kExpired = "token_expired";

ScriptSocket& data_of(const socketio::Socket& socket) {
    return *static_cast<ScriptSocket*>(socket.data());
}

/// Leaves the claims; false, with nothing left, if they are no object.
bool push_claims(lua_State* state, const std::string& json) {
    if (!decode_json(state, json)) return false;
    if (lua_istable(state, -1)) return true;
    lua_pop(state, 1);
    return false;
}

/// Whether the claims on top are of another than `socket.data.user`, who both say who they are.
bool is_another(lua_State* state, int data) {
    const int claims = lua_gettop(state);
    lua_getfield(state, claims, "sub");
    lua_getfield(state, data, "user");
    if (lua_istable(state, -1)) lua_getfield(state, -1, "sub");
    const bool both =
        !lua_isnil(state, claims + 1) && lua_gettop(state) == claims + 3 && !lua_isnil(state, -1);
    const bool same = both && lua_rawequal(state, claims + 1, -1);
    lua_settop(state, claims);
    return both && !same;
}

}  // namespace

void NamespaceVm::verify(std::string token, std::string address,
                         Function<void(plugin::Verdict)> done) {
    Function<void(plugin::Verdict)> answer =
        [weak = std::weak_ptr(runtime_->scheduler),
         done = std::move(done)](plugin::Verdict verdict) mutable {
            // Whoever answers late must not find a reactor that is gone.
            const auto scheduler = weak.lock();
            if (!scheduler) return;
            scheduler->home().post(
                [weak, done = std::move(done), verdict = std::move(verdict)]() mutable {
                    if (weak.lock()) done(std::move(verdict));
                });
        };
    limits_.extensions->authenticator->verify(
        {std::move(token), std::move(address)},
        share_once(std::move(answer),
                   plugin::Verdict::refuse("unavailable", "tokens can't be verified now")));
}

Failure NamespaceVm::refuse_token(const plugin::Verdict& verdict) {
    auth_stats_.failed.add();
    return auth_failure(verdict.code, verdict.message);
}

void NamespaceVm::authenticate(const socketio::SocketPtr& socket, std::string_view auth_json,
                               std::shared_ptr<Generation> generation,
                               socketio::ConnectDecision decide) {
    const std::string& address = socket->handshake().address;
    std::string token;
    const auto found = Vm::protect(runtime_->state(), 0, [&](lua_State* state) {
        token = find_token(state, auth_json, socket->handshake());
        return 0;
    });
    if (!found) return admit(socket, decide, busy_failure().refusal());
    if (token.empty() && generation->auth->optional)
        return run_middleware(socket, std::move(generation), std::move(decide));
    if (token.empty()) {
        const auto verdict = plugin::Verdict::refuse("unauthorized", "no token");
        return admit(socket, decide, refuse_token(verdict).refusal());
    }
    verify(std::move(token), address,
           [weak = weak_from_this(), socket, generation,
            decide = std::move(decide)](plugin::Verdict verdict) mutable {
               const auto self = weak.lock();
               if (!self || !self->runtime_)
                   return decide(socketio::Refusal{"server shutting down", ""});
               const auto failure = self->take_user(socket, *generation, verdict);
               if (failure) return self->admit(socket, decide, failure->refusal());
               self->run_middleware(socket, std::move(generation), std::move(decide));
           });
}

std::optional<Failure> NamespaceVm::take_user(const socketio::SocketPtr& socket,
                                              const Generation& generation,
                                              const plugin::Verdict& verdict, bool again) {
    if (!verdict.accepted) return refuse_token(verdict);
    std::optional<Failure> failure;
    const auto taken = Vm::protect(runtime_->state(), 0, [&](lua_State* state) {
        push_socket(state, socket);
        push_socket_data(state, -1);
        const int data = lua_gettop(state);
        if (!push_claims(state, verdict.claims_json)) {
            failure = auth_failure("unavailable", "tokens can't be verified now");
            log::error("the authenticator's claims are no object", {{"namespace", name_}});
        } else if (again && is_another(state, data)) {
            failure =
                refuse_token(plugin::Verdict::refuse("unauthorized", "the token is another's"));
        } else if (generation.auth && !generation.auth->roles.empty() &&
                   !has_role(state, generation.auth->roles)) {
            failure = auth_failure("forbidden", "not for your role");
        } else {
            lua_setfield(state, data, "user");
        }
        return 0;
    });
    if (!taken) return busy_failure();
    if (!failure) data_of(*socket).expires = verdict.expires;
    return failure;
}

void NamespaceVm::watch_expiry(const socketio::SocketPtr& socket) {
    ScriptSocket& data = data_of(*socket);
    home_.cancel(std::exchange(data.expiry, {}));
    if (data.expires == 0 || !socket->connected()) return;
    const std::chrono::duration<double> left(data.expires - home_.wall_now());
    const auto sleep = std::clamp<std::chrono::duration<double>>(left, left.zero(), kLongestSleep);
    data.expiry = home_.after(
        // Rounded up: a timer that is early would only be set again.
        std::chrono::duration_cast<Duration>(sleep) + std::chrono::milliseconds(1),
        [weak = weak_from_this(), watched = std::weak_ptr(socket)] {
            const auto self = weak.lock();
            const auto socket = watched.lock();
            if (!self || !self->runtime_ || !socket || !socket->connected()) return;
            if (data_of(*socket).expires > self->home_.wall_now())
                return self->watch_expiry(socket);
            self->auth_stats_.expired.add();
            const Failure failure = auth_failure(kExpired, "the token has expired");
            socket->emit({"[\"error\"," + failure.client_json() + "]"});
            socket->disconnect(false);
        });
}

void NamespaceVm::authenticate_route(RouteCall call, const Route& route,
                                     std::shared_ptr<Generation> generation,
                                     Once<RouteResponse> respond) {
    const auto refused = [](const Failure& failure) {
        RouteResponse response = failure_response(failure);
        if (response.status == 401) response.headers.emplace_back("www-authenticate", "Bearer");
        return response;
    };
    std::string token = find_token(call.request);
    std::string address = call.request.address;
    if (token.empty() && route.auth->optional)
        return start_route(std::move(call), route, std::move(generation), {}, std::move(respond));
    if (token.empty())
        return respond(
            refused(refuse_token(plugin::Verdict::refuse("unauthorized", "no token"))));
    verify(std::move(token), address,
           [weak = weak_from_this(), refused, address, call = std::move(call), &route, generation,
            respond = std::move(respond)](plugin::Verdict verdict) mutable {
               const auto self = weak.lock();
               if (!self || !self->runtime_) return;  // `respond` says so
               if (!verdict.accepted) return respond(refused(self->refuse_token(verdict)));
               self->start_route(std::move(call), route, std::move(generation),
                                 std::move(verdict.claims_json), std::move(respond));
           });
}

}  // namespace moonwire::script
