#pragma once

#include <string>

#include "core/socketio/handler.hpp"

struct lua_State;

namespace moonwire::script {

struct Outcome;

/// How a handler ended that did not return: a refusal it meant (`fail`), or a bug.
struct Failure {
    bool is_bug = true;
    bool stopped = false;   // a bug of a kind: it ran over its budget
    std::string code;       // of fail(); may be empty
    std::string message;    // of fail(); of a bug: "file:line: what"
    std::string data_json;  // of fail(); empty: none
    std::string traceback;  // of a bug: the message and the stack

    /// `{"code":…,"message":…,"data":…}` as the client sees it: a bug is `internal`, one that was
    /// stopped `busy`, without details.
    std::string client_json() const;
    /// The same as CONNECT_ERROR: the code goes into the data.
    socketio::Refusal refusal() const;
    /// The HTTP status of a route that failed like this.
    unsigned http_status() const;
};

/// What the client is told of a handler that can't run now.
Failure busy_failure();

/// Sets up `fail`'s error objects. Once a Vm, protected.
void register_failures(lua_State* state);

/// `fail(code, message, data)`, a C function for the environment: raises.
int lua_fail(lua_State* state);

/// Raises the error object of fail(); `message` and `data` (at `data_index`, 0: none) go into it.
int raise_failure(lua_State* state, const char* code, const char* message, int data_index);

/// An error that was caught and goes on from somewhere else, with where it came from.
struct CaughtError {
    std::string message;
    std::string traceback;
    bool complete = false;  // it has the whole stack that the error is raised on again
};

/// A message handler for xpcall: notes the traceback of a bug that will be raised again, as it is,
/// for describe_failure.
int lua_note_error(lua_State* state);

/// Reads the error value on top of a failed coroutine, whose stack gives the traceback, using the
/// main state for whatever needs memory. Raises nothing; leaves both stacks as they were.
Failure describe_failure(lua_State* state, const Outcome& outcome);

}  // namespace moonwire::script
