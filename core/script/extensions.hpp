#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/plugin/api/authenticator.hpp"
#include "core/plugin/api/module.hpp"

namespace moonwire::script {

/// What plugins offer to scripts. It throws nothing. Immutable: any thread.
struct Extensions {
    std::map<std::string, plugin::Module, std::less<>> modules;  // by the plugin's name
    std::shared_ptr<plugin::Authenticator> authenticator;        // null: none is loaded
};

}  // namespace moonwire::script
