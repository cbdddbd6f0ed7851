#pragma once

#include <string>
#include <vector>

#include "values.hpp"

namespace moonwire::plugin {

/// An event for clients, as a script's `ns:to(rooms):except(…):emit(event, …)`.
struct Emission {
    std::string nsp;  // a namespace, or a family's pattern for all its members
    std::string event;
    Values arguments = {};
    std::vector<std::string> rooms = {};  // none: everybody
    std::vector<std::string> except = {};
    bool is_volatile = false;
};

/// How messages from outside become events, and back: what a bridge needs of the broker. (Out go
/// the calls of its Module's functions, which scripts make.)
class Bridge {
public:
    /// Sends to clients. False if there is no such namespace now, or it is no event's name.
    /// `arguments.json` must be a valid array. Any thread, from Plugin::start on.
    virtual bool emit(Emission emission) = 0;
    /// Calls what a script registered by `ns:on_server(event, fn(…))`. The same.
    virtual bool deliver(std::string nsp, std::string event, Values arguments) = 0;
    /// Calls what this plugin's Lua (Module::script) in that namespace handles by this name, in a
    /// coroutine. The reply is called once, on a reactor, which it must not block, with what the
    /// handler returned (values), its fail() (failure), a bug, which is logged (error), or why
    /// there is no answer (failure `unavailable`: no such namespace or handler now, or it was
    /// cancelled). Asks of one thread start in their order. The same threads as above.
    virtual void ask(std::string nsp, std::string name, Values arguments, Reply reply) = 0;

protected:
    ~Bridge() = default;
};

}  // namespace moonwire::plugin
