// NamespaceVm's answers to socketio: connecting, events, leaving.
#include "core/base/log.hpp"
#include "core/script/api.hpp"
#include "core/script/arguments.hpp"
#include "core/script/emit_checks.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/namespace_vm.hpp"
#include "core/script/script_socket.hpp"
#include "core/script/tasks.hpp"

namespace moonwire::script {
namespace {

bool is_noack(lua_State* thread, int index) {
    lua_rawgeti(thread, LUA_REGISTRYINDEX, kNoAckKey);
    const bool same = lua_rawequal(thread, index, -1);
    lua_pop(thread, 1);
    return same;
}

/// `json` is an object, as CONNECT's payload must be.
bool is_auth(std::string_view json) { return json.starts_with('{') && is_valid_json(json); }

/// The generation's own name: what the client called an unknown event is not logged.
std::string_view name_of(const NamedHandler* handler) {
    return handler ? std::string_view(handler->first) : "(any)";
}

Failure memory_failure(const std::string& message) {
    Failure failure;
    failure.message = failure.traceback = message;
    return failure;
}

}  // namespace

void NamespaceVm::on_connecting(const socketio::SocketPtr& socket, std::string_view auth_json,
                                socketio::ConnectDecision decide) {
    if (!runtime_) return decide(socketio::Refusal{"server shutting down", ""});
    if (auth_json.size() > kMaxAuthBytes)
        return decide(socketio::Refusal{"auth is too large", R"({"code":"invalid"})"});
    // An invalid one ends the connection, which makes the decision moot.
    if (!is_auth(auth_json)) return socket->reject_input();
    if (!socket->recovered()) attach_socket(*socket, std::string(auth_json));
    if (generation_->auth) return authenticate(socket, auth_json, generation_, std::move(decide));
    run_middleware(socket, generation_, std::move(decide));
}

void NamespaceVm::admit(const socketio::SocketPtr& socket, socketio::ConnectDecision& decide,
                        std::optional<socketio::Refusal> refusal) {
    static_cast<ScriptSocket*>(socket->data())->admitted = true;
    if (runtime_) socket->set_user(user_of(runtime_->state(), socket));
    decide(std::move(refusal));
    // Refused, or gone meanwhile: no disconnect will be told of.
    if (runtime_ && !socket->connected() && !socket->is_away())
        release_socket(runtime_->state(), *socket);
}

void NamespaceVm::run_middleware(const socketio::SocketPtr& socket,
                                 std::shared_ptr<Generation> generation,
                                 socketio::ConnectDecision decide) {
    if (generation->middleware.count == 0) return admit(socket, decide, std::nullopt);
    std::string error;
    Scheduler::Task* task = scheduler().open(
        {generation, TaskKind::foreground, {}},
        [&](lua_State* state) {
            push_prelude(state, Prelude::run_all);
            generation->push(state, generation->middleware.slot);
            push_socket(state, socket);
            return 2;
        },
        &error);
    if (!task) {
        log_task_not_started(*generation, "middleware", error);
        return admit(socket, decide, busy_failure().refusal());
    }
    scheduler().set_done(*task, [this, generation, socket,
                                 decide = std::move(decide)](Outcome& outcome) mutable {
        std::optional<socketio::Refusal> refusal;
        if (!outcome.ok) {
            const Failure failure = describe_failure(runtime_->state(), outcome);
            if (failure.is_bug) log_bug(*generation, "in", "middleware", failure);
            refusal = failure.refusal();
        }
        admit(socket, decide, std::move(refusal));
    });
    scheduler().run(*task);
}

void NamespaceVm::on_connect(const socketio::SocketPtr& socket) {
    if (!runtime_) return;
    watch_expiry(socket);
    run_lifecycle(generation_->connects, "on_connect", socket, {});
}

void NamespaceVm::on_disconnecting(const socketio::SocketPtr& socket, std::string_view reason) {
    if (runtime_) run_lifecycle(generation_->disconnectings, "on_disconnecting", socket, reason);
}

void NamespaceVm::on_disconnect(const socketio::SocketPtr& socket, std::string_view reason) {
    if (!runtime_) return;
    home_.cancel(static_cast<ScriptSocket*>(socket->data())->expiry);
    run_lifecycle(generation_->disconnects, "on_disconnect", socket, reason);
    // What a handler left waiting still sees is copied.
    if (runtime_ && !socket->is_away()) release_socket(runtime_->state(), *socket);
}

void NamespaceVm::on_resume(const socketio::SocketPtr& before, const socketio::SocketPtr& socket,
                            std::string_view auth_json) {
    if (!runtime_) return attach_socket(*socket, "{}");
    const auto* data = static_cast<const ScriptSocket*>(before->data());
    const bool usable = auth_json.size() <= kMaxAuthBytes && is_auth(auth_json);
    carry_on_socket(runtime_->state(), *before, socket,
                    usable ? std::string(auth_json) : data->auth_json);
}

void NamespaceVm::on_expired(const socketio::SocketPtr& socket) {
    if (!runtime_) return;
    run_lifecycle(generation_->expirations, "on_expired", socket, {});
    if (runtime_) release_socket(runtime_->state(), *socket);
}

void NamespaceVm::run_lifecycle(const std::vector<int>& slots, const char* what,
                                const socketio::SocketPtr& socket, std::string_view reason) {
    const auto generation = generation_;
    for (int slot : slots) {
        std::string error;
        Scheduler::Task* task = scheduler().open(
            {generation, TaskKind::foreground, {}},
            [&](lua_State* state) {
                generation->push(state, slot);
                push_socket(state, socket);
                if (reason.empty()) return 1;
                push_string(state, reason);
                return 2;
            },
            &error);
        if (!task) {
            log_task_not_started(*generation, what, error);
            continue;
        }
        scheduler().set_done(*task, [generation, what](Outcome& outcome) {
            report_background(*generation, what, outcome);
        });
        scheduler().run(*task);
    }
}

bool NamespaceVm::on_event(const socketio::SocketPtr& socket, std::string_view event,
                           socketio::Payload payload, socketio::Acknowledgement acknowledgement) {
    if (!runtime_) return true;
    const auto generation = generation_;
    const auto found = generation->events.find(event);
    const NamedHandler* named = found == generation->events.end() ? nullptr : &*found;
    const EventHandler* handler = named ? &named->second : nullptr;
    figures_of(named).received.add();
    const bool listened = generation->any.count > 0 || generation->event_middleware.count > 0;
    if (!handler && !listened) return is_valid_json(payload.json);
    const bool relayed = handler && handler->relay;
    if (relayed && !listened)
        return run_relay(*named, generation, socket, payload, acknowledgement);
    if (scheduler().live() >= scheduler().max_tasks()) {
        if (!is_valid_json(payload.json)) return false;
        figures_of(named).failed.add();
        acknowledgement.fail(busy_failure().client_json());
        return true;
    }

    bool unreadable = false;
    std::optional<InvalidArgument> invalid;
    std::string error;
    const auto push = [&](lua_State* state) {
        if (listened) {
            push_prelude(state, Prelude::run_event);
            for (const Chained* list : {&generation->any, &generation->event_middleware}) {
                if (list->count > 0) generation->push(state, list->slot);
                else lua_pushnil(state);
            }
            if (handler && handler->checker != 0) generation->push(state, handler->checker);
            else lua_pushnil(state);
            if (handler && !relayed) generation->push(state, handler->slot);
            else lua_pushnil(state);
        } else {
            generation->push(state, handler->slot);
        }
        push_socket(state, socket);
        if (listened) push_string(state, event);
        auto count = handler && handler->raw != 0
                         ? decode_raw_arguments(state, payload.json, payload.attachments, 1,
                                                handler->raw)
                         : decode_json_array(state, payload.json, payload.attachments, 1);
        if (!count) {
            error = count.error().message;
            unreadable = true;
            return -1;
        }
        if (!listened && handler->schemas != 0) {
            // The schemas go below the arguments, on a stack that holds the function and the
            // socket.
            const int first = lua_gettop(state) - *count + 1;
            generation->push(state, handler->schemas);
            lua_insert(state, first);
            invalid = check_arguments(state, first, handler->listed, first + 1);
            if (invalid) return -1;
            lua_remove(state, first);
        }
        return lua_gettop(state) - 1;
    };
    Scheduler::Task* task = scheduler().open({generation, TaskKind::foreground, {}}, push, &error);
    if (task && relayed) {
        // What listens may wait, so the event's bytes are kept.
        scheduler().set_done(
            *task, [this, generation, named, socket, owned = socketio::OwnedPayload(payload),
                    acknowledgement = std::move(acknowledgement)](Outcome& outcome) mutable {
                if (outcome.ok)
                    run_relay(*named, generation, socket, owned.view(), acknowledgement);
                else finish_event(outcome, named, acknowledgement);
            });
        scheduler().run(*task);
    } else if (task) {
        scheduler().set_done(*task, [this, named, acknowledgement = std::move(acknowledgement)](
                                        Outcome& outcome) mutable {
            finish_event(outcome, named, acknowledgement);
        });  // no more than a Function has room for
        scheduler().run(*task);
    } else if (invalid) {
        figures_of(named).failed.add();
        acknowledgement.fail(invalid->failure().client_json());
    } else if (unreadable && (!payload.attachments.empty() || !is_valid_json(payload.json))) {
        return false;  // with attachments, a placeholder may be what is wrong
    } else {
        // Valid but for memory or for too many arguments: not the end of the connection.
        const Failure failure = memory_failure(error);
        figures_of(named).failed.add();
        log_bug(*generation, "event", name_of(named), failure);
        acknowledgement.fail(failure.client_json());
    }
    return true;
}

void NamespaceVm::finish_event(Outcome& outcome, const NamedHandler* handler,
                               socketio::Acknowledgement& acknowledgement) {
    const std::string_view event = name_of(handler);
    EventFigures& figures = figures_of(handler);
    figures.ran.add(outcome.ran);
    figures.answered.add(outcome.lasted);
    Failure failure;
    if (outcome.ok) {
        if (runtime_->limits.check_emits && !(outcome.results > 0 && is_noack(outcome.thread, 1)))
            check_returned(outcome.thread, outcome.generation, event, 1, outcome.results);
        if (!acknowledgement.wanted()) return;
        if (outcome.results > 0 && is_noack(outcome.thread, 1)) return;
        Encoded& encoded = runtime_->encoded;
        encoded.clear();
        auto done = encode_json_array(outcome.thread, "", 1, outcome.results, encoded);
        if (done) return acknowledgement.reply({encoded.json, encoded.attachments});
        failure.message = failure.traceback = "the handler's result: " + done.error().message;
    } else {
        failure = describe_failure(runtime_->state(), outcome);
    }
    figures.failed.add();
    if (failure.is_bug) log_bug(outcome.generation, "event", event, failure);
    acknowledgement.fail(failure.client_json());
}

void NamespaceVm::on_server_event(std::string_view event, socketio::Payload payload) {
    if (!runtime_) return;
    const auto generation = generation_;
    const auto found = generation->server_events.find(event);
    if (found == generation->server_events.end()) return;
    std::string error;
    Scheduler::Task* task = scheduler().open(
        {generation, TaskKind::foreground, {}},
        [&](lua_State* state) {
            generation->push(state, found->second.slot);
            auto count = decode_json_array(state, payload.json, payload.attachments, 1);
            if (count) return *count;
            error = count.error().message;
            return -1;
        },
        &error);
    if (!task) return log_task_not_started(*generation, "on_server", error);
    scheduler().set_done(*task, [generation](Outcome& outcome) {
        report_background(*generation, "on_server", outcome);
    });
    scheduler().run(*task);
}

}  // namespace moonwire::script
