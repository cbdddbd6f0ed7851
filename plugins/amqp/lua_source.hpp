#pragma once

#include <span>
#include <string_view>

namespace moonwire::amqp {

struct EmbeddedFile {
    std::string_view path, text;
};

/// amqp.lua, the scripts' side of the plugin.
std::span<const EmbeddedFile> lua_files();

}  // namespace moonwire::amqp
