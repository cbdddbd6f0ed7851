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

/// What scripts reach as `require "plugin.NAME"`: functions. They are called on the reactor of the
/// namespace, several at a time if namespaces live on several reactors, and must not block it:
/// other clients wait there. What takes time is handed to a thread of the plugin's own, and
/// answered from there. An exception is logged with the plugin's name, and is an error to the
/// script.
struct Module {
    /// Answers at once. May be called while a file loads, and by `moonwire check`: it must do
    /// without what Plugin::start opens.
    using Immediate = std::function<Answer(const Call&)>;
    /// Answers when it likes: the calling coroutine waits meanwhile, and nobody else. Only from
    /// Plugin::start on, and never while a file loads.
    using Waiting = std::function<void(Call, Reply)>;

    std::map<std::string, Immediate> immediate = {};
    std::map<std::string, Waiting> waiting = {};
};

}  // namespace moonwire::plugin
