#pragma once

#include <functional>
#include <map>
#include <string>

#include "values.hpp"

namespace moonwire::plugin {

/// A script's call of a plugin's function.
struct Call {
    std::string nsp;  // the calling namespace, or its family's pattern
    Values arguments;
};

/// What scripts reach as `require "plugin.NAME"`: functions, or what the plugin's own Lua makes of
/// them. They are called on the reactor of the namespace, several at a time if namespaces live on
/// several reactors, and must not block it: other clients wait there. What takes time is handed to
/// a thread of the plugin's own, and answered from there. An exception is logged with the plugin's
/// name, and is an error to the script.
struct Module {
    /// Answers at once. May be called while a file loads, and by `moonwire check`: it must do
    /// without what Plugin::start opens.
    using Immediate = std::function<Answer(const Call&)>;
    /// Answers when it likes: the calling coroutine waits meanwhile, and nobody else. Only from
    /// Plugin::start on, and never while a file loads.
    using Waiting = std::function<void(Call, Reply)>;

    std::map<std::string, Immediate> immediate = {};
    std::map<std::string, Waiting> waiting = {};

    /// Lua source that offers more than functions: objects, callbacks. Runs once a generation of a
    /// namespace's scripts, when they first require it, in their sandbox and with their globals.
    /// It is called with
    ///  - the table of the functions above,
    ///  - `handle(name, fn)`: what Bridge::ask calls, until the next generation takes over,
    ///  - `want(key, value)`: what this generation wants to have; nil: no more. Of a key the last
    ///    counts. The value may be anything but binary.
    /// What it returns is what `require` returns. Empty: that is the table of the functions.
    std::string script = {};

    /// Told what a namespace's scripts want, all of it: an array of `[key, value]` in order of the
    /// keys, `[]` when they are gone. Called on the namespace's reactor, which it must not block:
    /// when a generation takes charge (before any of its code runs), and when it changes its mind.
    /// Never for what is only tried: a file that has an error, `moonwire check`, `moonwire test`.
    using Wanted = std::function<void(const Call&)>;
    Wanted wanted = {};
};

}  // namespace moonwire::plugin
