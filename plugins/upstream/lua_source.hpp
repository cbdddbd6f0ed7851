#pragma once

#include <span>
#include <string_view>

namespace moonwire::upstream {

struct EmbeddedFile {
    std::string_view path, text;
};

/// upstream.lua, the scripts' side of the plugin.
std::span<const EmbeddedFile> lua_files();

}  // namespace moonwire::upstream
